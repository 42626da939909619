//! The jobs of the worker process. The tests include this file too, so both agree on names and arguments.

use std::time::Duration;

use afterhours::{Context, Job, JobError, Result, job};

use super::ledger::Ledger;

/// All of them; those with a schedule are elsewhere.
pub(crate) const ALL: [Job; 5] = [work::JOB, fall::JOB, deaf::JOB, linger::JOB, poison::JOB];

/// Works for a while.
#[job(name = "process.work", timeout = "10m")]
pub(crate) async fn work(#[state] ledger: &Ledger, ctx: &Context, millis: u64) -> Result<u32> {
    ledger.note(ctx, "start");
    tokio::time::sleep(Duration::from_millis(millis)).await;
    ledger.note(ctx, "end");
    Ok(ctx.attempt())
}

/// Takes its process with it.
#[job(name = "process.poison", retry = 20)]
pub(crate) async fn poison(#[state] ledger: &Ledger, ctx: &Context) {
    ledger.note(ctx, "start");
    // Those that were claimed with it have started too.
    tokio::time::sleep(Duration::from_millis(20)).await;
    std::process::abort();
}

/// Never ends at the first attempt; fails at the second, so that its history can be read.
#[job(name = "process.fall", timeout = "10m")]
pub(crate) async fn fall(#[state] ledger: &Ledger, ctx: &Context) -> Result {
    ledger.note(ctx, "start");
    if ctx.attempt() == 1 {
        std::future::pending::<()>().await;
    }
    Err(JobError::discard("the second attempt has been reached"))
}

/// Holds its thread and does not listen.
#[job(name = "process.deaf", timeout = "10m")]
pub(crate) fn deaf(#[state] ledger: &Ledger, ctx: &Context, millis: u64) {
    ledger.note(ctx, "start");
    std::thread::sleep(Duration::from_millis(millis));
    ledger.note(ctx, "end");
}

/// Never ends at the first attempt.
#[job(name = "process.linger", timeout = "10m")]
pub(crate) async fn linger(#[state] ledger: &Ledger, ctx: &Context) -> Result<u32> {
    ledger.note(ctx, "start");
    if ctx.attempt() == 1 {
        std::future::pending::<()>().await;
    }
    ledger.note(ctx, "end");
    Ok(ctx.attempt())
}
