//! Jobs that run by themselves: spacing, overlap, several workers, restarts.

use std::sync::Arc;
use std::time::Duration;

use afterhours::testing::ManualClock;
use afterhours::{Client, Context, Job, Result, RunningWorker, Worker, job};

use crate::support::stage::{Audience, Stage, stage};
use crate::support::time::{millis, monday, secs, store_at_rest};
use crate::support::{Folder, looked, nothing};

#[job(name = "schedule.minutely", every = "60s", timeout = "1h")]
async fn minutely(#[state] stage: &Stage, ctx: &Context) {
    tell(stage, ctx);
}

#[job(name = "schedule.slow", every = "60s", timeout = "1h")]
async fn slow(#[state] stage: &Stage, ctx: &Context) {
    tell(stage, ctx);
    stage.wait().await;
    stage.say("end");
}

#[job(
    name = "schedule.morning",
    cron = "30 6 * * Mon-Fri",
    timezone = "Europe/Paris"
)]
fn morning(#[state] stage: &Stage, ctx: &Context) {
    tell(stage, ctx);
}

#[job(name = "schedule.weekly", every = "7d")]
async fn weekly(#[state] stage: &Stage, ctx: &Context) {
    tell(stage, ctx);
}

#[job(name = "schedule.failing", every = "60s")]
async fn failing(#[state] stage: &Stage, ctx: &Context) -> Result {
    tell(stage, ctx);
    Err(format!("{} of {}", ctx.attempt(), ctx.max_attempts()).into())
}

/// Says the seconds since Monday began for which it runs.
fn tell(stage: &Stage, ctx: &Context) {
    let due = ctx.due_at().duration_since(monday());
    stage.say(due.map_or_else(|_| "early".to_owned(), |due| due.as_secs().to_string()));
}

struct Bench {
    client: Client,
    clock: Arc<ManualClock>,
    stage: Arc<Stage>,
    audience: Audience,
    folder: Folder,
}

async fn bench() -> Result<Bench> {
    let (client, clock, folder) = store_at_rest().await?;
    let (stage, audience) = stage();
    Ok(Bench {
        client,
        clock,
        stage,
        audience,
        folder,
    })
}

impl Bench {
    async fn start(&self, job: Job) -> Result<RunningWorker> {
        let worker = Worker::builder(self.client.clone())
            .jobs([job, nothing::JOB])
            .shared(Arc::clone(&self.stage))
            .startup_jitter(Duration::ZERO)
            .build()?;
        Ok(worker.start().await?)
    }

    /// Nothing is said until this has passed.
    async fn silence(&mut self, time: Duration) -> Result {
        self.clock.advance(time);
        self.settled().await?;
        self.audience.has_heard_nothing();
        Ok(())
    }

    /// Whatever became due has been enqueued, and claimed.
    async fn settled(&self) -> Result {
        for _ in 0..3 {
            looked(&self.client).await?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn every_keeps_its_spacing() -> Result {
    let mut bench = bench().await?;
    let worker = bench.start(minutely::JOB).await?;
    bench.audience.hears("0").await;
    for minute in 1..=5 {
        bench.silence(secs(60) - millis(1)).await?;
        bench.clock.advance(millis(1));
        bench.audience.hears(&(minute * 60).to_string()).await;
    }
    worker.stop().await
}

#[tokio::test]
async fn every_is_not_disturbed_by_a_wall_clock_that_is_set() -> Result {
    let mut bench = bench().await?;
    let worker = bench.start(minutely::JOB).await?;
    bench.audience.hears("0").await;
    bench.clock.set_wall(monday() + secs(86_400));
    bench.silence(secs(59)).await?;
    bench.clock.advance(secs(1));
    bench.audience.hears("86460").await;
    bench.clock.set_wall(monday());
    bench.silence(secs(59)).await?;
    bench.clock.advance(secs(1));
    bench.audience.hears("60").await;
    worker.stop().await
}

#[tokio::test]
async fn a_tick_is_skipped_while_the_last_run_is_active() -> Result {
    let mut bench = bench().await?;
    let worker = bench.start(slow::JOB).await?;
    bench.audience.hears("0").await;
    bench.silence(secs(60)).await?;
    bench.silence(secs(60)).await?;
    bench.stage.go(1);
    bench.audience.hears("end").await;
    bench.silence(secs(59)).await?;
    bench.clock.advance(secs(1));
    bench.audience.hears("180").await;
    bench.stage.go(1);
    bench.audience.hears("end").await;
    worker.stop().await
}

#[tokio::test]
async fn a_scheduled_job_is_not_retried_because_the_next_tick_comes() -> Result {
    let mut bench = bench().await?;
    let worker = bench.start(failing::JOB).await?;
    bench.audience.hears("0").await;
    bench.silence(secs(59)).await?;
    bench.clock.advance(secs(1));
    bench.audience.hears("60").await;
    worker.stop().await
}

#[tokio::test]
async fn cron_follows_the_wall_clock_of_its_time_zone() -> Result {
    let mut bench = bench().await?;
    let worker = bench.start(morning::JOB).await?;
    // 06:30 in Paris is 05:30 in UTC in winter.
    let tick = 5 * 3600 + 1800;
    bench.settled().await?;
    bench.silence(secs(tick) - millis(1)).await?;
    bench.clock.advance(millis(1));
    bench.audience.hears(&tick.to_string()).await;
    bench.silence(secs(86_400) - millis(1)).await?;
    bench.clock.advance(millis(1));
    bench.audience.hears(&(86_400 + tick).to_string()).await;
    worker.stop().await
}

#[tokio::test]
async fn a_clock_set_forward_brings_cron_and_set_back_repeats_nothing() -> Result {
    let mut bench = bench().await?;
    let worker = bench.start(morning::JOB).await?;
    let tick = 5 * 3600 + 1800;
    bench.settled().await?;
    bench.clock.set_wall(monday() + secs(tick));
    // It is noticed within a second.
    bench.clock.advance(secs(1));
    bench.audience.hears(&tick.to_string()).await;
    bench.clock.set_wall(monday() + secs(tick - 7200));
    bench.silence(secs(7200)).await?;
    bench.silence(secs(3600)).await?;
    worker.stop().await
}

#[tokio::test]
async fn two_workers_on_one_file_fire_each_tick_once() -> Result {
    let mut bench = bench().await?;
    let one = bench.start(minutely::JOB).await?;
    bench.audience.hears("0").await;
    let second = Client::builder(bench.folder.store())
        .clock(Arc::clone(&bench.clock))
        .open()
        .await?;
    let other = Worker::builder(second.clone())
        .jobs([minutely::JOB])
        .no_queues()
        .shared(Arc::clone(&bench.stage))
        .startup_jitter(Duration::ZERO)
        .build()?
        .start()
        .await?;
    for minute in 1..=20 {
        bench.clock.advance(secs(60));
        bench.audience.hears(&(minute * 60).to_string()).await;
        bench.silence(Duration::ZERO).await?;
    }
    other.stop().await?;
    one.stop().await
}

#[tokio::test]
async fn a_restart_goes_on_where_the_schedule_was() -> Result {
    let mut bench = bench().await?;
    let worker = bench.start(minutely::JOB).await?;
    bench.audience.hears("0").await;
    bench.clock.advance(secs(60));
    bench.audience.hears("60").await;
    worker.stop().await?;
    bench.clock.advance(secs(20));
    let worker = bench.start(minutely::JOB).await?;
    bench.silence(secs(39)).await?;
    bench.clock.advance(secs(1));
    bench.audience.hears("120").await;
    worker.stop().await
}

/// Restarted each hour, and down for four minutes each time, in which also the ticks fall.
#[tokio::test]
async fn a_weekly_job_survives_hourly_restarts() -> Result {
    const WEEK: u64 = 7 * 86_400;
    let mut bench = bench().await?;
    let worker = bench.start(weekly::JOB).await?;
    bench.audience.hears("0").await;
    bench.silence(secs(58 * 60)).await?;
    worker.stop().await?;
    for hour in 1..=15 * 24 {
        bench.clock.advance(secs(4 * 60));
        let worker = bench.start(weekly::JOB).await?;
        if hour * 3600 % WEEK == 0 {
            bench.audience.hears(&(hour * 3600).to_string()).await;
        }
        bench.silence(Duration::ZERO).await?;
        bench.silence(secs(56 * 60)).await?;
        worker.stop().await?;
    }
    Ok(())
}

#[tokio::test]
async fn ticks_that_nobody_saw_are_skipped_and_the_spacing_is_kept() -> Result {
    let mut bench = bench().await?;
    let worker = bench.start(minutely::JOB).await?;
    bench.audience.hears("0").await;
    worker.stop().await?;
    // Half a minute and more after a tick is too late for it.
    bench.clock.advance(secs(5 * 60 + 40));
    let worker = bench.start(minutely::JOB).await?;
    bench.silence(secs(19)).await?;
    bench.clock.advance(secs(1));
    bench.audience.hears("360").await;
    worker.stop().await
}

#[tokio::test]
async fn a_tick_that_is_only_late_is_not_missed() -> Result {
    let mut bench = bench().await?;
    let worker = bench.start(morning::JOB).await?;
    bench.settled().await?;
    let tick = 5 * 3600 + 1800;
    bench.clock.advance(secs(tick));
    bench.audience.hears(&tick.to_string()).await;
    worker.stop().await?;
    // The next day's tick falls into a deploy of four minutes.
    bench.clock.advance(secs(86_400 + 240));
    let worker = bench.start(morning::JOB).await?;
    bench.audience.hears(&(86_400 + tick).to_string()).await;
    worker.stop().await
}

#[tokio::test]
async fn the_first_tick_is_spread_by_chance() -> Result {
    let bench = bench().await?;
    let worker = Worker::builder(bench.client.clone())
        .jobs([minutely::JOB, nothing::JOB])
        .shared(Arc::clone(&bench.stage))
        .startup_jitter(secs(1000))
        .build()?
        .start()
        .await?;
    for _ in 0..3 {
        looked(&bench.client).await?;
    }
    let mut audience = bench.audience;
    bench.clock.advance(secs(1000));
    let first: u64 = audience.next().await.parse()?;
    assert!(first <= 1000, "{first}");
    worker.stop().await
}
