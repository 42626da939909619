//! Timeouts: an async job is dropped; a plain `fn` is told, and its run waits for it.

use afterhours::{
    AttemptOutcome, Client, Context, JobError, Result, RunningWorker, Status, Worker, job,
};
use std::sync::Arc;

use crate::support::stage::{Audience, Stage, stage};
use crate::support::time::{millis, secs, store_at_rest};
use crate::support::{Folder, is_scheduled, joined, looked, nothing, status};

#[job(
    name = "timeout.stuck",
    timeout = 30,
    retry = 1,
    retry_delay = 10,
    jitter = 0.0
)]
async fn stuck(#[state] stage: &Stage, ctx: &Context) -> Result {
    let _guard = stage.guard();
    stage.say(format!("start {}", ctx.attempt()));
    std::future::pending().await
}

/// Looks for the word to end, then stays until the test lets it go.
#[job(
    name = "timeout.slow",
    timeout = 30,
    retry = 1,
    retry_delay = 10,
    jitter = 0.0
)]
fn slow(#[state] stage: &Stage, ctx: &Context) -> Result<u32> {
    stage.say(format!("start {}", ctx.attempt()));
    if ctx.attempt() == 2 {
        return Err(JobError::discard("the second attempt"));
    }
    while !ctx.is_cancelled() {
        std::thread::sleep(millis(1));
    }
    stage.say("told");
    stage.block();
    stage.say("returned");
    Ok(1)
}

/// Its helper is told too.
#[job(name = "timeout.helped", timeout = 30, retry = 0)]
async fn helped(#[state] stage: &Stage, ctx: &Context) -> Result {
    let helper = ctx.clone();
    let says = stage.helper();
    tokio::spawn(async move {
        helper.cancelled().await;
        says("helper told");
    });
    stage.say("start");
    std::future::pending().await
}

struct Bench {
    client: Client,
    clock: Arc<afterhours::testing::ManualClock>,
    worker: RunningWorker,
    stage: Arc<Stage>,
    audience: Audience,
    _folder: Folder,
}

async fn bench() -> Result<Bench> {
    let (client, clock, folder) = store_at_rest().await?;
    let (stage, audience) = stage();
    let worker = Worker::builder(client.clone())
        .jobs([stuck::JOB, slow::JOB, helped::JOB, nothing::JOB])
        .shared(Arc::clone(&stage))
        .build()?
        .start()
        .await?;
    Ok(Bench {
        client,
        clock,
        worker,
        stage,
        audience,
        _folder: folder,
    })
}

#[tokio::test]
async fn an_async_job_is_dropped_at_its_timeout_and_retried_by_policy() -> Result {
    let mut bench = bench().await?;
    let run = bench.client.enqueue(stuck::prepare()).await?;
    bench.audience.hears("start 1").await;
    bench.clock.advance(secs(30) - millis(1));
    looked(&bench.client).await?;
    bench.audience.has_heard_nothing();
    bench.clock.advance(millis(1));
    bench.audience.hears("dropped").await;
    status(&run, is_scheduled).await?;
    bench.clock.advance(secs(10));
    bench.audience.hears("start 2").await;
    bench.clock.advance(secs(30));
    bench.audience.hears("dropped").await;
    let error = joined(&run).await.expect_err("it took too long twice");
    let failure = error.failure().expect("it failed");
    assert!(failure.error.contains("timeout of 30s"), "{failure}");
    let outcomes: Vec<_> = failure.attempts.iter().map(|made| made.outcome).collect();
    assert_eq!(outcomes, [AttemptOutcome::Timeout; 2]);
    bench.worker.stop().await
}

#[tokio::test]
async fn the_call_site_sets_the_timeout() -> Result {
    let mut bench = bench().await?;
    let prepared = stuck::prepare().timeout(millis(250)).retry(0);
    let run = bench.client.enqueue(prepared).await?;
    bench.audience.hears("start 1").await;
    bench.clock.advance(millis(250));
    bench.audience.hears("dropped").await;
    let error = joined(&run).await.expect_err("it took too long");
    assert!(error.to_string().contains("timeout of 250ms"), "{error}");
    bench.worker.stop().await
}

#[tokio::test]
async fn a_plain_fn_is_told_and_its_retry_never_starts_beside_it() -> Result {
    let mut bench = bench().await?;
    let run = bench.client.enqueue(slow::prepare()).await?;
    bench.audience.hears("start 1").await;
    bench.clock.advance(secs(30));
    bench.audience.hears("told").await;
    for _ in 0..3 {
        bench.clock.advance(secs(3600));
        looked(&bench.client).await?;
        let status = run.status().await?;
        assert!(
            matches!(status, Status::Running { attempt: 1, .. }),
            "{status:?}"
        );
    }
    bench.audience.has_heard_nothing();
    bench.stage.go(1);
    bench.audience.hears("returned").await;
    status(&run, is_scheduled).await?;
    bench.clock.advance(secs(10));
    bench.audience.hears("start 2").await;
    let error = joined(&run).await.expect_err("the second attempt gave up");
    let failure = error.failure().expect("it failed");
    let outcomes: Vec<_> = failure.attempts.iter().map(|made| made.outcome).collect();
    assert_eq!(outcomes, [AttemptOutcome::Timeout, AttemptOutcome::Error]);
    bench.worker.stop().await
}

#[tokio::test]
async fn what_a_job_has_started_hears_of_the_timeout() -> Result {
    let mut bench = bench().await?;
    let run = bench.client.enqueue(helped::prepare()).await?;
    bench.audience.hears("start").await;
    bench.clock.advance(secs(30));
    bench.audience.hears("helper told").await;
    assert!(joined(&run).await.is_err());
    bench.worker.stop().await
}
