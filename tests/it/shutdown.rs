//! Stopping: claims end at once, running jobs get the grace period, the rest is given back unused.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use afterhours::{Client, Context, Result, RunningWorker, Status, Worker, job};

use crate::support::stage::{Stage, stage};
use crate::support::{joined, status, within};

/// Where a job ran.
struct Label(&'static str);

#[job(name = "shutdown.wait", retry = 0)]
async fn wait(#[state] stage: &Stage, #[state] label: &Label, ctx: &Context) -> Result<String> {
    let _guard = stage.guard();
    stage.say("start");
    stage.wait().await;
    Ok(format!("attempt {} on {}", ctx.attempt(), label.0))
}

#[job(name = "shutdown.heeds", retry = 0)]
fn heeds(#[state] stage: &Stage, ctx: &Context) -> Result<bool> {
    stage.say("start");
    while !ctx.is_cancelled() {
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(ctx.is_cancelled())
}

async fn start(
    client: &Client,
    stage: &Arc<Stage>,
    label: &'static str,
    grace: Duration,
) -> Result<RunningWorker> {
    let worker = Worker::builder(client.clone())
        .jobs([wait::JOB, heeds::JOB])
        .shared(Arc::clone(stage))
        .state(Label(label))
        .shutdown_grace(grace)
        .build()?;
    Ok(worker.start().await?)
}

const LONG: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_stop_lets_running_jobs_finish_and_claims_nothing_more() -> Result {
    let client = Client::open_in_memory().await?;
    let (stage, mut audience) = stage();
    let worker = start(&client, &stage, "one", LONG).await?;
    let run = client.enqueue(wait::prepare()).await?;
    audience.hears("start").await;
    {
        let mut stop = pin!(worker.stop());
        tokio::select! {
            biased;
            _ = &mut stop => panic!("a job is running"),
            () = std::future::ready(()) => {}
        }
        let late = client.enqueue(wait::prepare()).await?;
        stage.go(1);
        within("the stop", stop).await?;
        assert_eq!(late.status().await?, Status::Ready);
    }
    assert_eq!(joined(&run).await?, "attempt 1 on one");
    audience.hears("dropped").await;
    audience.has_heard_nothing();
    Ok(())
}

#[tokio::test]
async fn after_the_grace_period_a_job_is_dropped_and_its_attempt_is_unused() -> Result {
    let client = Client::open_in_memory().await?;
    let (stage, mut audience) = stage();
    let worker = start(&client, &stage, "one", Duration::ZERO).await?;
    let run = client.enqueue(wait::prepare()).await?;
    audience.hears("start").await;
    within("the stop", worker.stop()).await?;
    audience.hears("dropped").await;
    assert_eq!(run.status().await?, Status::Ready);
    let worker = start(&client, &stage, "another", LONG).await?;
    audience.hears("start").await;
    stage.go(1);
    assert_eq!(joined(&run).await?, "attempt 1 on another");
    worker.stop().await
}

#[tokio::test]
async fn a_plain_fn_that_heeds_the_word_and_finishes_counts_as_done() -> Result {
    let client = Client::open_in_memory().await?;
    let (stage, mut audience) = stage();
    let worker = start(&client, &stage, "one", Duration::ZERO).await?;
    let run = client.enqueue(heeds::prepare()).await?;
    audience.hears("start").await;
    within("the stop", worker.stop()).await?;
    assert!(joined(&run).await?);
    Ok(())
}

#[tokio::test]
async fn dropping_the_worker_stops_it() -> Result {
    let client = Client::open_in_memory().await?;
    let (stage, mut audience) = stage();
    let worker = start(&client, &stage, "dropped", LONG).await?;
    let running = client.enqueue(wait::prepare()).await?;
    audience.hears("start").await;
    drop(worker);
    let later = client.enqueue_all((0..30).map(|_| wait::prepare())).await?;
    let other = start(&client, &stage, "another", LONG).await?;
    stage.go(31);
    assert_eq!(joined(&running).await?, "attempt 1 on dropped");
    for run in &later {
        assert_eq!(joined(run).await?, "attempt 1 on another");
    }
    other.stop().await
}

#[tokio::test]
async fn a_worker_can_be_started_again_and_again() -> Result {
    let client = Client::open_in_memory().await?;
    let (stage, _audience) = stage();
    stage.go(20);
    for _ in 0..20 {
        let worker = start(&client, &stage, "next", LONG).await?;
        let run = client.enqueue(wait::prepare()).await?;
        status(&run, Status::is_finished).await?;
        within("the stop", worker.stop()).await?;
    }
    Ok(())
}
