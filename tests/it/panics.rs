//! A panic ends an attempt, not the worker, and its text is kept.

use std::fmt;

use afterhours::{AttemptOutcome, Client, Prepared, Result, Worker, job};

use crate::support::stage::{Stage, stage};
use crate::support::{joined, looked, nothing};

#[job(name = "panics.asynchronous", retry = 0)]
async fn asynchronous(number: u8) {
    tokio::task::yield_now().await;
    panic!("number {number} is bad");
}

#[job(name = "panics.plain", retry = 0)]
fn plain() {
    panic!("bad on a thread");
}

/// Panics when it is dropped.
struct Loud;

impl Drop for Loud {
    fn drop(&mut self) {
        panic!("bad in a destructor");
    }
}

#[job(name = "panics.destructor", retry = 0)]
async fn destructor() {
    let _loud = Loud;
    tokio::task::yield_now().await;
}

#[job(name = "panics.dropped", retry = 0, timeout = "10ms")]
async fn dropped() {
    let _loud = Loud;
    std::future::pending::<()>().await;
}

/// An error whose text cannot be told.
#[derive(Debug)]
struct Unspeakable;

impl fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("bad in an error's text");
    }
}

impl std::error::Error for Unspeakable {}

#[job(name = "panics.unspeakable", retry = 0)]
async fn unspeakable() -> Result<(), Unspeakable> {
    Err(Unspeakable)
}

#[job(name = "panics.number", retry = 0)]
async fn number() {
    std::panic::panic_any(7);
}

/// Panics at its first attempt only.
#[job(name = "panics.once", retry_delay = "1ms")]
async fn once(#[state] stage: &Stage, ctx: &afterhours::Context) -> Result<u32> {
    stage.say("start");
    assert_ne!(ctx.attempt(), 1, "bad once");
    Ok(ctx.attempt())
}

async fn check(prepared: Prepared<()>, text: &str) -> Result {
    let client = Client::open_in_memory().await?;
    let jobs = [
        asynchronous::JOB,
        plain::JOB,
        destructor::JOB,
        dropped::JOB,
        unspeakable::JOB,
        number::JOB,
        nothing::JOB,
    ];
    let worker = Worker::builder(client.clone())
        .jobs(jobs)
        .concurrency(1)
        .build()?
        .start()
        .await?;
    let run = client.enqueue(prepared).await?;
    let error = joined(&run).await.expect_err("it panics");
    let failure = error.failure().expect("it failed");
    assert!(failure.error.contains(text), "{failure}");
    assert_eq!(failure.attempts[0].outcome, AttemptOutcome::Panic);
    looked(&client).await?;
    worker.stop().await
}

#[tokio::test]
async fn a_panic_in_an_async_job_ends_its_attempt() -> Result {
    check(asynchronous::prepare(3), "panicked: number 3 is bad").await
}

#[tokio::test]
async fn a_panic_in_a_plain_fn_ends_its_attempt() -> Result {
    check(plain::prepare(), "panicked: bad on a thread").await
}

#[tokio::test]
async fn a_panic_in_a_destructor_ends_its_attempt() -> Result {
    check(destructor::prepare(), "panicked: bad in a destructor").await
}

#[tokio::test]
async fn a_panic_while_a_job_is_dropped_ends_its_attempt() -> Result {
    check(dropped::prepare(), "panicked: bad in a destructor").await
}

#[tokio::test]
async fn a_panic_in_the_text_of_an_error_ends_its_attempt() -> Result {
    check(unspeakable::prepare(), "panicked: bad in an error's text").await
}

#[tokio::test]
async fn a_panic_without_a_text_ends_its_attempt() -> Result {
    check(number::prepare(), "panicked").await
}

#[tokio::test]
async fn an_attempt_that_panicked_is_retried() -> Result {
    let client = Client::open_in_memory().await?;
    let (stage, mut audience) = stage();
    let worker = Worker::builder(client.clone())
        .jobs([once::JOB])
        .shared(stage)
        .build()?
        .start()
        .await?;
    let run = client.enqueue(once::prepare()).await?;
    assert_eq!(joined(&run).await?, 2);
    audience.hears("start").await;
    audience.hears("start").await;
    worker.stop().await
}
