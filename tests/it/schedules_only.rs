//! A worker without a store: schedules in this process, each in the one process that it belongs to.

use std::sync::Arc;
use std::time::Duration;

use afterhours::testing::ManualClock;
use afterhours::{Context, Error, Job, Result, RunningWorker, Worker, WorkerBuilder, job};

use crate::support::stage::{Stage, stage};
use crate::support::time::{monday, secs};

/// How soon an end is written down is not this module's business, so it keeps no tick out.
#[job(name = "schedules_only.minutely", every = "60s", overlap = "allow")]
async fn minutely(#[state] stage: &Stage, ctx: &Context) {
    let due = ctx.due_at().duration_since(monday()).unwrap_or_default();
    stage.say(format!("minutely {due:?}"));
}

#[job(
    name = "schedules_only.hourly",
    cron = "0 * * * *",
    retry = 1,
    retry_delay = 10,
    jitter = 0.0
)]
async fn hourly(#[state] stage: &Stage, ctx: &Context) -> Result {
    stage.say(format!("hourly {}", ctx.attempt()));
    Err("always")?
}

#[job(name = "schedules_only.pinned", every = "60s", worker = 2)]
fn pinned(#[state] stage: &Stage) {
    stage.say("pinned");
}

#[job(name = "schedules_only.enqueues", every = "60s")]
async fn enqueues(#[state] stage: &Stage, ctx: &Context) -> Result {
    let by_default = unscheduled::perform_async(1).await.map(drop);
    stage.say(format!(
        "{}",
        by_default.is_err_and(|error| matches!(error, Error::NoClient))
    ));
    let client = ctx.client();
    let error = client.enqueue(unscheduled::prepare(1)).await.map(drop);
    stage.say(format!(
        "{}",
        error.is_err_and(|error| matches!(error, Error::NoStore))
    ));
    let error = client
        .enqueue_all([unscheduled::prepare(1)])
        .await
        .map(drop);
    stage.say(format!(
        "{}",
        error.is_err_and(|error| matches!(error, Error::NoStore))
    ));
    Ok(())
}

struct NobodyProvidesIt;

#[job(name = "schedules_only.unscheduled")]
async fn unscheduled(#[state] _it: &NobodyProvidesIt, _number: u64) {}

fn builder(clock: &Arc<ManualClock>, stage: &Arc<Stage>, jobs: &[Job]) -> WorkerBuilder {
    Worker::schedules_only()
        .clock(Arc::clone(clock))
        .jobs(jobs.iter().copied())
        .shared(Arc::clone(stage))
        .startup_jitter(Duration::ZERO)
}

async fn settled() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

async fn start(builder: WorkerBuilder) -> Result<RunningWorker> {
    let worker = builder.build()?.start().await?;
    settled().await;
    Ok(worker)
}

#[tokio::test]
async fn intervals_and_expressions_fire_in_this_process() -> Result {
    let clock = ManualClock::starting_at(monday());
    let (stage, mut audience) = stage();
    // A job without a schedule never runs here, so its state is not asked for.
    let jobs = [minutely::JOB, hourly::JOB, unscheduled::JOB];
    let worker = start(builder(&clock, &stage, &jobs)).await?;
    audience.hears("minutely 0ns").await;
    for minute in 1..60 {
        clock.advance(secs(60));
        audience
            .hears(&format!("minutely {:?}", secs(60 * minute)))
            .await;
        settled().await;
    }
    clock.advance(secs(60));
    let mut heard = [audience.next().await, audience.next().await];
    heard.sort();
    assert_eq!(heard, ["hourly 1", "minutely 3600s"]);
    settled().await;
    // Retries work as with a store.
    clock.advance(secs(10));
    audience.hears("hourly 2").await;
    settled().await;
    audience.has_heard_nothing();
    worker.stop().await
}

#[tokio::test]
async fn each_schedule_belongs_to_one_of_them() -> Result {
    let clock = ManualClock::starting_at(monday());
    let jobs = [minutely::JOB, pinned::JOB];
    let mut heard = Vec::new();
    for index in 1..=3 {
        let (stage, mut audience) = stage();
        let built = builder(&clock, &stage, &jobs).index(index, 3);
        let worker = start(built).await?;
        // Whoever does not go first is not late: it never fires.
        clock.advance(secs(2));
        settled().await;
        for job in ["minutely", "pinned"] {
            let belongs = match job {
                "pinned" => index == 2,
                _ => crc32fast::hash(b"schedules_only.minutely") % 3 + 1 == index,
            };
            if belongs {
                heard.push(audience.next().await);
            }
        }
        audience.has_heard_nothing();
        worker.stop().await?;
    }
    assert_eq!(heard.len(), 2);
    Ok(())
}

#[tokio::test]
async fn it_takes_no_runs_that_it_would_lose() -> Result {
    let clock = ManualClock::starting_at(monday());
    let (stage, mut audience) = stage();
    let worker = start(builder(&clock, &stage, &[enqueues::JOB])).await?;
    for _ in 0..3 {
        audience.hears("true").await;
    }
    worker.stop().await
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() -> Result {
    let clock = ManualClock::starting_at(monday());
    let (stage, _audience) = stage();
    for (built, reason) in [
        (
            builder(&clock, &stage, &[unscheduled::JOB]),
            "none of its jobs has `every` or `cron`",
        ),
        (
            builder(&clock, &stage, &[minutely::JOB]).queues(["mail"]),
            "knows no queues",
        ),
        (
            builder(&clock, &stage, &[minutely::JOB]).no_queues(),
            "knows no queues",
        ),
        (
            Worker::schedules_only().jobs([minutely::JOB]),
            "asks for `#[state]",
        ),
    ] {
        let error = built.build().map(drop).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
    Ok(())
}
