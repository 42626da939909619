//! Jobs of every kind, for runs whose workers are killed at random. An attempt that is dropped says so in the ledger,
//! so that whoever judges knows when each was at work.

use std::time::Duration;

use afterhours::{Context, job};

use super::ledger::Ledger;

/// An attempt at work.
struct Attempt<'a> {
    ledger: &'a Ledger,
    ctx: &'a Context,
    has_ended: bool,
}

impl<'a> Attempt<'a> {
    fn start(ledger: &'a Ledger, ctx: &'a Context) -> Self {
        ledger.note(ctx, "start");
        Self {
            ledger,
            ctx,
            has_ended: false,
        }
    }

    fn end(mut self) {
        self.has_ended = true;
        self.ledger.note(self.ctx, "end");
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            self.ledger.note(self.ctx, "dropped");
        }
    }
}

#[job(name = "kinds.short", timeout = "10m")]
pub(crate) async fn short(#[state] ledger: &Ledger, ctx: &Context, millis: u64) {
    let attempt = Attempt::start(ledger, ctx);
    tokio::time::sleep(Duration::from_millis(millis)).await;
    attempt.end();
}

#[job(name = "kinds.plain", timeout = "10m")]
pub(crate) fn plain(#[state] ledger: &Ledger, ctx: &Context, millis: u64) {
    let attempt = Attempt::start(ledger, ctx);
    std::thread::sleep(Duration::from_millis(millis));
    attempt.end();
}

#[job(name = "kinds.twin", unique = "args", timeout = "10m")]
pub(crate) async fn twin(#[state] ledger: &Ledger, ctx: &Context, number: u64) {
    let attempt = Attempt::start(ledger, ctx);
    tokio::time::sleep(Duration::from_millis(10 + number)).await;
    attempt.end();
}

#[job(name = "kinds.limited", concurrency = 2, timeout = "10m")]
pub(crate) async fn limited(#[state] ledger: &Ledger, ctx: &Context, millis: u64) {
    let attempt = Attempt::start(ledger, ctx);
    tokio::time::sleep(Duration::from_millis(millis)).await;
    attempt.end();
}

/// Is large in the store.
#[job(name = "kinds.carry", timeout = "10m")]
pub(crate) async fn carry(#[state] ledger: &Ledger, ctx: &Context, _text: &str) {
    Attempt::start(ledger, ctx).end();
}
