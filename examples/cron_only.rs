//! Schedules and nothing else: no store, no queue, nothing to open.
//!
//! ```text
//! cargo run --release --example cron_only
//! ```
//!
//! It ends after three ticks, so that you get your terminal back; a service says `.run().await` instead.
#![allow(clippy::print_stdout, reason = "it talks to a person at a terminal")]

use std::time::Duration;

use afterhours::{Context, Result, Worker, job};
use tokio::sync::Semaphore;

/// Six fields: the first are the seconds. Read by the compiler, with the parser that runs.
#[job(cron = "* * * * * *", timezone = "Europe/Paris")]
async fn tick(ctx: &Context, #[state] ticks: &Semaphore) -> Result {
    let late = ctx.due_at().elapsed().unwrap_or_default();
    println!("tick {} started {late:.1?} after its second", ctx.id());
    ticks.add_permits(1);
    Ok(())
}

/// That one waits for its time.
#[job(cron = "0 3 * * *", timezone = "Europe/Paris", missed = "run_once")]
async fn report() -> Result {
    println!("good night");
    Ok(())
}

#[tokio::main]
async fn main() -> Result {
    let ticks = std::sync::Arc::new(Semaphore::new(0));
    let worker = Worker::schedules_only()
        .shared(ticks.clone())
        .startup_jitter(Duration::ZERO)
        .build()?;
    worker.run_until(ticks.acquire_many(3)).await
}
