//! What a job tells the executor instead of a plain error: discard, retry in, snooze, cancel.

use afterhours::{AttemptOutcome, Context, Control, Error, JobError, Result, Status, Worker, job};
use std::sync::Arc;
use std::time::Duration;

use crate::support::time::{millis, monday, secs, store_at_rest};
use crate::support::{Folder, is_scheduled, joined, looked, nothing, status};

/// Says its word at the first attempt, in one of two ways; returns the number of its attempt later.
#[job(name = "verdicts.own", retry = 1, retry_delay = 1000)]
async fn own(#[state] snoozes: &Snoozes, ctx: &Context, word: &str) -> Result<u32> {
    match word {
        "discard" => Err(JobError::discard("no such user")),
        "cancel" => Err(JobError::cancel("not needed")),
        "retry_in" => Err(JobError::retry_in(secs(5), "busy")),
        _ if snoozes.first() => Err(JobError::snooze(secs(5))),
        _ => Ok(ctx.attempt()),
    }
}

#[job(name = "verdicts.wrapped", retry = 1, retry_delay = 1000)]
fn wrapped(#[state] snoozes: &Snoozes, ctx: &Context, word: &str) -> anyhow::Result<u32> {
    use anyhow::Context as _;
    let control = match word {
        "discard" => Control::discard("no such user"),
        "cancel" => Control::cancel("not needed"),
        "retry_in" => Control::retry_in(secs(5), "busy"),
        _ if snoozes.first() => Control::snooze(secs(5)),
        _ => return Ok(ctx.attempt()),
    };
    Err(control).context("while mailing")
}

#[derive(Default)]
struct Snoozes(std::sync::atomic::AtomicBool);

impl Snoozes {
    fn first(&self) -> bool {
        !self.0.swap(true, std::sync::atomic::Ordering::SeqCst)
    }
}

struct Bench {
    client: afterhours::Client,
    clock: Arc<afterhours::testing::ManualClock>,
    worker: afterhours::RunningWorker,
    _folder: Folder,
}

async fn bench() -> Result<Bench> {
    let (client, clock, folder) = store_at_rest().await?;
    let worker = Worker::builder(client.clone())
        .jobs([own::JOB, wrapped::JOB, nothing::JOB])
        .state(Snoozes::default())
        .build()?
        .start()
        .await?;
    Ok(Bench {
        client,
        clock,
        worker,
        _folder: folder,
    })
}

/// Both ways, one after the other.
fn both(word: &str) -> [afterhours::Prepared<u32>; 2] {
    [own::prepare(word), wrapped::prepare(word)]
}

#[tokio::test]
async fn discard_fails_the_run_at_once() -> Result {
    let bench = bench().await?;
    for prepared in both("discard") {
        let run = bench.client.enqueue(prepared).await?;
        let error = joined(&run).await.expect_err("it was discarded");
        let failure = error.failure().expect("it failed");
        assert!(failure.error.ends_with("no such user"), "{failure}");
        assert_eq!(failure.attempts.len(), 1);
    }
    bench.worker.stop().await
}

#[tokio::test]
async fn cancel_ends_the_run_as_cancelled() -> Result {
    let bench = bench().await?;
    for prepared in both("cancel") {
        let run = bench.client.enqueue(prepared).await?;
        let error = joined(&run).await.expect_err("it was cancelled");
        let Error::Cancelled { reason, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(reason, "not needed");
        let status = run.status().await?;
        assert!(matches!(status, Status::Cancelled { .. }), "{status:?}");
    }
    bench.worker.stop().await
}

#[tokio::test]
async fn retry_in_sets_the_delay_and_uses_up_an_attempt() -> Result {
    let bench = bench().await?;
    let mut now = Duration::ZERO;
    for prepared in both("retry_in") {
        let run = bench.client.enqueue(prepared).await?;
        let due = monday() + now + secs(5);
        let waits = status(&run, is_scheduled).await?;
        assert_eq!(waits, Status::Scheduled { due });
        bench.clock.advance(secs(5));
        now += secs(5);
        let error = joined(&run).await.expect_err("both attempts are used up");
        let failure = error.failure().expect("it failed");
        let outcomes: Vec<_> = failure.attempts.iter().map(|made| made.outcome).collect();
        assert_eq!(outcomes, [AttemptOutcome::Error; 2]);
        assert!(failure.error.ends_with("busy"), "{failure}");
    }
    bench.worker.stop().await
}

#[tokio::test]
async fn snooze_comes_again_later_and_uses_up_no_attempt() -> Result {
    for which in 0..2 {
        let bench = bench().await?;
        let [own, wrapped] = both("snooze");
        let prepared = if which == 0 { own } else { wrapped };
        let run = bench.client.enqueue(prepared.retry(0)).await?;
        let due = monday() + secs(5);
        let waits = status(&run, is_scheduled).await?;
        assert_eq!(waits, Status::Scheduled { due });
        bench.clock.advance(secs(5) - millis(1));
        looked(&bench.client).await?;
        assert!(is_scheduled(&run.status().await?));
        bench.clock.advance(millis(1));
        assert_eq!(joined(&run).await?, 1);
        bench.worker.stop().await?;
    }
    Ok(())
}
