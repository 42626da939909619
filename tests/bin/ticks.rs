//! The jobs of the worker process that run by themselves. None of their ticks may be lost: `missed` is `run_all`, and
//! no run keeps out the next.

use std::time::UNIX_EPOCH;

use afterhours::{Context, job};

use super::ledger::Ledger;

#[job(
    name = "ticks.often",
    every = "80ms",
    overlap = "allow",
    missed = "run_all",
    missed_limit = 1000
)]
pub(crate) async fn often(#[state] ledger: &Ledger, ctx: &Context) {
    note(ledger, ctx);
}

#[job(
    name = "ticks.each_second",
    cron = "* * * * * *",
    overlap = "allow",
    missed = "run_all"
)]
pub(crate) async fn each_second(#[state] ledger: &Ledger, ctx: &Context) {
    note(ledger, ctx);
}

#[job(
    name = "ticks.of_the_first",
    every = "1s",
    worker = 1,
    overlap = "allow",
    missed = "run_all"
)]
pub(crate) async fn of_the_first() {}

/// The line says for which tick it is, in milliseconds.
fn note(ledger: &Ledger, ctx: &Context) {
    let due = ctx.due_at().duration_since(UNIX_EPOCH).unwrap_or_default();
    ledger.note(ctx, &due.as_millis().to_string());
}
