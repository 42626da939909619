//! `perform_in` and `perform_at`: not before their moment, and then at once.

use afterhours::{Client, Context, Result, Status, job};
use chrono::{DateTime, Utc};

use crate::support::stage::{Stage, stage};
use crate::support::time::{millis, monday, secs, store_at_rest};
use crate::support::{is_scheduled, joined, looked, nothing, within};
use afterhours::{RunningWorker, Worker};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

#[job(name = "at.tell")]
async fn tell(#[state] stage: &Stage, ctx: &Context, word: &str) -> Result<SystemTime> {
    stage.say(word);
    Ok(ctx.due_at())
}

async fn start(client: &Client, stage: Arc<Stage>) -> Result<RunningWorker> {
    let worker = Worker::builder(client.clone())
        .jobs([tell::JOB, nothing::JOB])
        .shared(stage)
        .build()?;
    Ok(worker.start().await?)
}

#[tokio::test]
async fn a_delayed_run_starts_at_its_moment_and_not_before() -> Result {
    let (client, clock, _folder) = store_at_rest().await?;
    let (stage, mut audience) = stage();
    let worker = start(&client, stage).await?;
    let run = client.enqueue(tell::prepare("now").delay(secs(60))).await?;
    let due = monday() + secs(60);
    assert_eq!(run.status().await?, Status::Scheduled { due });
    clock.advance(secs(60) - millis(1));
    looked(&client).await?;
    assert_eq!(run.status().await?, Status::Scheduled { due });
    audience.has_heard_nothing();
    clock.advance(millis(1));
    assert_eq!(joined(&run).await?, due);
    audience.hears("now").await;
    worker.stop().await
}

#[tokio::test]
async fn a_run_at_a_moment_starts_when_the_wall_clock_shows_it() -> Result {
    let (client, clock, _folder) = store_at_rest().await?;
    let (stage, mut audience) = stage();
    let worker = start(&client, stage).await?;
    let due: DateTime<Utc> = DateTime::from(monday()) + chrono::TimeDelta::hours(3);
    let run = client.enqueue(tell::prepare("three").at(due)).await?;
    clock.advance(secs(3 * 3600) - millis(1));
    looked(&client).await?;
    assert!(is_scheduled(&run.status().await?));
    audience.has_heard_nothing();
    clock.advance(millis(1));
    assert_eq!(joined(&run).await?, due.into());
    worker.stop().await
}

#[tokio::test]
async fn what_is_due_already_starts_at_once() -> Result {
    let (client, _clock, _folder) = store_at_rest().await?;
    let (stage, _audience) = stage();
    let worker = start(&client, stage).await?;
    let past = client
        .enqueue(tell::prepare("past").at(monday() - secs(9)))
        .await?;
    let zero = client
        .enqueue(tell::prepare("zero").delay(Duration::ZERO))
        .await?;
    joined(&past).await?;
    joined(&zero).await?;
    worker.stop().await
}

#[tokio::test]
async fn a_clock_set_forward_brings_moments_and_not_delays() -> Result {
    let (client, clock, _folder) = store_at_rest().await?;
    let (stage, mut audience) = stage();
    let worker = start(&client, stage).await?;
    let at = client
        .enqueue(tell::prepare("at").at(monday() + secs(7200)))
        .await?;
    let delayed = client
        .enqueue(tell::prepare("in").delay(secs(7200)))
        .await?;
    clock.set_wall(monday() + secs(7200));
    // It is noticed within a second.
    clock.advance(secs(1));
    joined(&at).await?;
    audience.hears("at").await;
    looked(&client).await?;
    assert!(is_scheduled(&delayed.status().await?));
    clock.advance(secs(7199));
    joined(&delayed).await?;
    worker.stop().await
}

#[tokio::test]
async fn a_clock_set_back_holds_up_moments_and_not_delays() -> Result {
    let (client, clock, _folder) = store_at_rest().await?;
    let (stage, mut audience) = stage();
    let worker = start(&client, stage).await?;
    let at = client
        .enqueue(tell::prepare("at").at(monday() + secs(60)))
        .await?;
    let delayed = client.enqueue(tell::prepare("in").delay(secs(60))).await?;
    clock.set_wall(monday() - secs(3600));
    clock.advance(secs(60));
    joined(&delayed).await?;
    audience.hears("in").await;
    looked(&client).await?;
    assert!(is_scheduled(&at.status().await?));
    clock.advance(secs(3600));
    joined(&at).await?;
    worker.stop().await
}

#[tokio::test]
async fn an_earlier_run_wakes_a_worker_that_sleeps_for_a_later_one() -> Result {
    let (client, clock, _folder) = store_at_rest().await?;
    let (stage, mut audience) = stage();
    let worker = start(&client, stage).await?;
    let late = client.enqueue(tell::prepare("late").delay(secs(4))).await?;
    looked(&client).await?;
    let early = client
        .enqueue(tell::prepare("early").delay(secs(2)))
        .await?;
    clock.advance(secs(2));
    joined(&early).await?;
    audience.hears("early").await;
    assert!(is_scheduled(&late.status().await?));
    clock.advance(secs(2));
    joined(&late).await?;
    worker.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_system_s_clock_a_delayed_run_is_neither_early_nor_polled_for() -> Result {
    let client = Client::open_in_memory().await?;
    let (stage, _audience) = stage();
    let worker = start(&client, stage).await?;
    let far = client
        .enqueue(tell::prepare("far").delay(secs(3600)))
        .await?;
    looked(&client).await?;
    let since = Instant::now();
    let run = client
        .enqueue(tell::prepare("soon").delay(millis(300)))
        .await?;
    joined(&run).await?;
    let took = since.elapsed();
    assert!(took >= millis(299), "{took:?}");
    // A worker that only looked every 5 s would need longer.
    assert!(took < secs(4), "{took:?}");
    assert!(is_scheduled(&far.status().await?));
    within("the worker's end", worker.stop()).await
}
