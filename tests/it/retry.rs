//! Retries: how many, after how long, and what the job and its caller get to know.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use afterhours::testing::ManualClock;
use afterhours::{
    AttemptOutcome, Backoff, Client, Context, Error, Handle, Result, RunningWorker, Status, Worker,
    job,
};

use crate::support::stage::{Audience, Stage, stage};
use crate::support::time::{millis, secs, store_at_rest};
use crate::support::{Folder, is_scheduled, joined, looked, nothing, status};

fn tell(stage: &Stage, ctx: &Context) -> String {
    let word = format!(
        "{} of {}, {}",
        ctx.attempt(),
        ctx.max_attempts(),
        if ctx.will_retry() { "again" } else { "last" }
    );
    stage.say(&word);
    word
}

#[job(name = "retry.exponential", retry = 3, retry_delay = 10, jitter = 0.0)]
async fn exponential(#[state] stage: &Stage, ctx: &Context) -> Result<(), String> {
    Err(tell(stage, ctx))
}

#[job(
    name = "retry.linear",
    retry = 3,
    retry_delay = "2s",
    backoff = "linear"
)]
fn linear(#[state] stage: &Stage, ctx: &Context) -> anyhow::Result<()> {
    Err(anyhow::anyhow!("cause").context(tell(stage, ctx)))
}

#[job(name = "retry.jittered", retry = 1, retry_delay = 10, jitter = 1.0)]
async fn jittered() -> Result<(), std::fmt::Error> {
    Err(std::fmt::Error)
}

#[job(name = "retry.second_time", retry_delay = 1, jitter = 0.0)]
async fn second_time(ctx: &Context) -> Result<u32> {
    match ctx.attempt() {
        1 => Err("not yet")?,
        attempt => Ok(attempt),
    }
}

struct Bench {
    client: Client,
    clock: Arc<ManualClock>,
    worker: RunningWorker,
    audience: Audience,
    _folder: Folder,
}

async fn bench() -> Result<Bench> {
    let (client, clock, folder) = store_at_rest().await?;
    let (stage, audience) = stage();
    let worker = Worker::builder(client.clone())
        .jobs([
            exponential::JOB,
            linear::JOB,
            jittered::JOB,
            second_time::JOB,
            nothing::JOB,
        ])
        .shared(stage)
        .build()?
        .start()
        .await?;
    Ok(Bench {
        client,
        clock,
        worker,
        audience,
        _folder: folder,
    })
}

impl Bench {
    fn wall(&self, since: Duration) -> SystemTime {
        crate::support::time::monday() + since
    }

    /// After an attempt that failed `since` the start, the next one comes after exactly `delay`.
    async fn next_attempt_after<T>(
        &self,
        run: &Handle<T>,
        since: &mut Duration,
        delay: Duration,
    ) -> Result {
        let due = self.wall(*since + delay);
        let waits = status(run, is_scheduled).await?;
        assert_eq!(waits, Status::Scheduled { due });
        self.clock.advance(delay - millis(1));
        looked(&self.client).await?;
        assert!(is_scheduled(&run.status().await?));
        self.clock.advance(millis(1));
        *since += delay;
        Ok(())
    }
}

#[tokio::test]
async fn delays_double_and_the_last_attempt_fails_with_the_whole_history() -> Result {
    let mut bench = bench().await?;
    let run = bench.client.enqueue(exponential::prepare()).await?;
    let mut since = Duration::ZERO;
    bench.audience.hears("1 of 4, again").await;
    bench.next_attempt_after(&run, &mut since, secs(10)).await?;
    bench.audience.hears("2 of 4, again").await;
    bench.next_attempt_after(&run, &mut since, secs(20)).await?;
    bench.audience.hears("3 of 4, again").await;
    bench.next_attempt_after(&run, &mut since, secs(40)).await?;
    bench.audience.hears("4 of 4, last").await;

    let error = joined(&run).await.expect_err("it always fails");
    assert!(matches!(error, Error::Failed(_)), "{error}");
    let text = error.to_string();
    assert!(text.contains("after 4 attempts: 4 of 4, last"), "{text}");
    assert!(text.contains("`retry.exponential`"), "{text}");
    let failure = error.failure().expect("it failed");
    assert_eq!(failure.error, "4 of 4, last");
    let history: Vec<_> = failure
        .attempts
        .iter()
        .map(|attempt| (attempt.attempt, attempt.error.as_str(), attempt.started_at))
        .collect();
    assert_eq!(
        history,
        [
            (1, "1 of 4, again", bench.wall(secs(0))),
            (2, "2 of 4, again", bench.wall(secs(10))),
            (3, "3 of 4, again", bench.wall(secs(30))),
            (4, "4 of 4, last", bench.wall(secs(70))),
        ]
    );
    let failed = run.status().await?;
    assert!(matches!(failed, Status::Failed { .. }), "{failed:?}");
    bench.worker.stop().await
}

#[tokio::test]
async fn linear_delays_grow_by_the_base_and_causes_are_in_the_text() -> Result {
    let mut bench = bench().await?;
    let run = bench.client.enqueue(linear::prepare()).await?;
    let mut since = Duration::ZERO;
    for (word, delay) in [
        ("1 of 4, again", 2),
        ("2 of 4, again", 4),
        ("3 of 4, again", 6),
    ] {
        bench.audience.hears(word).await;
        bench
            .next_attempt_after(&run, &mut since, secs(delay))
            .await?;
    }
    bench.audience.hears("4 of 4, last").await;
    let error = joined(&run).await.expect_err("it always fails");
    let failure = error.failure().expect("it failed");
    assert_eq!(failure.error, "4 of 4, last: cause");
    assert_eq!(failure.attempts[0].outcome, AttemptOutcome::Error);
    bench.worker.stop().await
}

#[tokio::test]
async fn the_call_site_wins_over_the_attribute() -> Result {
    let mut bench = bench().await?;
    let prepared = exponential::prepare()
        .retry(1)
        .retry_delay(secs(7))
        .backoff(Backoff::Fixed)
        .jitter(0.0);
    let run = bench.client.enqueue(prepared).await?;
    bench.audience.hears("1 of 2, again").await;
    let mut since = Duration::ZERO;
    bench.next_attempt_after(&run, &mut since, secs(7)).await?;
    bench.audience.hears("2 of 2, last").await;
    assert!(joined(&run).await.is_err());

    let once = bench.client.enqueue(linear::prepare().retry(0)).await?;
    bench.audience.hears("1 of 1, last").await;
    assert!(joined(&once).await.is_err());
    bench.worker.stop().await
}

#[tokio::test]
async fn jitter_only_lengthens_and_at_most_doubles() -> Result {
    let bench = bench().await?;
    for _ in 0..20 {
        let run = bench.client.enqueue(jittered::prepare()).await?;
        let Status::Scheduled { due } = status(&run, is_scheduled).await? else {
            unreachable!("this was waited for");
        };
        let delay = due.duration_since(bench.wall(Duration::ZERO))?;
        assert!((secs(10)..=secs(20)).contains(&delay), "{delay:?}");
    }
    bench.worker.stop().await
}

#[tokio::test]
async fn a_run_that_fails_first_succeeds_later() -> Result {
    let bench = bench().await?;
    let run = bench.client.enqueue(second_time::prepare()).await?;
    status(&run, is_scheduled).await?;
    bench.clock.advance(secs(1));
    assert_eq!(joined(&run).await?, 2);
    bench.worker.stop().await
}

#[tokio::test]
async fn a_wall_clock_set_forward_does_not_bring_a_retry() -> Result {
    let bench = bench().await?;
    let run = bench.client.enqueue(second_time::prepare()).await?;
    status(&run, is_scheduled).await?;
    bench.clock.set_wall(bench.wall(secs(86_400)));
    looked(&bench.client).await?;
    assert!(is_scheduled(&run.status().await?));
    bench.clock.advance(secs(1));
    assert_eq!(joined(&run).await?, 2);
    bench.worker.stop().await
}
