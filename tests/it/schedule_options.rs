//! What a schedule does beside its ticks: overlapping runs, ticks that nobody saw, the worker that goes first.

use std::sync::Arc;
use std::time::Duration;

use afterhours::testing::ManualClock;
use afterhours::{Client, Context, Job, Result, RunningWorker, Worker, job};

use crate::support::stage::{Audience, Stage, stage};
use crate::support::time::{monday, secs, store_at_rest};
use crate::support::{Folder, looked, nothing};

#[job(
    name = "schedule_options.overlapping",
    every = "60s",
    timeout = "1h",
    overlap = "allow"
)]
async fn overlapping(#[state] stage: &Stage, ctx: &Context) {
    tell(stage, ctx);
    stage.wait().await;
    stage.say("end");
}

#[job(name = "schedule_options.skip", every = "1h", missed = "skip")]
async fn skip(#[state] stage: &Stage, ctx: &Context) {
    tell(stage, ctx);
}

#[job(name = "schedule_options.once", every = "1h", missed = "run_once")]
async fn once(#[state] stage: &Stage, ctx: &Context) {
    tell(stage, ctx);
}

#[job(name = "schedule_options.all", every = "1h", missed = "run_all")]
async fn all(#[state] stage: &Stage, ctx: &Context) {
    tell(stage, ctx);
}

#[job(
    name = "schedule_options.latest",
    cron = "0 * * * *",
    missed = "run_all",
    missed_limit = 3
)]
async fn latest(#[state] stage: &Stage, ctx: &Context) {
    tell(stage, ctx);
}

#[job(
    name = "schedule_options.young",
    cron = "0 * * * *",
    missed = "run_all",
    missed_window = "2h"
)]
async fn young(#[state] stage: &Stage, ctx: &Context) {
    tell(stage, ctx);
}

#[job(
    name = "schedule_options.one_by_one",
    every = "1h",
    timeout = "12h",
    missed = "run_all"
)]
async fn one_by_one(#[state] stage: &Stage, ctx: &Context) {
    tell(stage, ctx);
    stage.wait().await;
}

#[job(name = "schedule_options.pinned", every = "60s", worker = 1)]
async fn first(#[state] stage: &Stage, ctx: &Context) {
    tell(stage, ctx);
}

#[job(name = "schedule_options.pinned_too", every = "60s", worker = 2)]
async fn second(#[state] stage: &Stage, ctx: &Context) {
    tell(stage, ctx);
}

/// Says the minutes since Monday began for which it runs.
fn tell(stage: &Stage, ctx: &Context) {
    let due = ctx.due_at().duration_since(monday()).unwrap_or_default();
    stage.say((due.as_secs() / 60).to_string());
}

const HOUR: Duration = secs(3600);
const MINUTE: Duration = secs(60);

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
        self.start_as(self.client.clone(), job, (1, 1)).await
    }

    async fn start_as(
        &self,
        client: Client,
        job: Job,
        (index, total): (u32, u32),
    ) -> Result<RunningWorker> {
        let worker = Worker::builder(client)
            // One at a time, so that they are heard in their order.
            .concurrency(1)
            .jobs([job, nothing::JOB])
            .shared(Arc::clone(&self.stage))
            .startup_jitter(Duration::ZERO)
            .index(index, total)
            .build()?;
        Ok(worker.start().await?)
    }

    /// Whatever became due has been enqueued, and claimed.
    async fn settled(&mut self) -> Result {
        for _ in 0..3 {
            looked(&self.client).await?;
        }
        Ok(())
    }

    async fn hears(&mut self, expected: &[&str]) {
        for word in expected {
            self.audience.hears(word).await;
        }
    }

    async fn silence(&mut self) -> Result {
        self.settled().await?;
        self.audience.has_heard_nothing();
        Ok(())
    }

    /// A worker that has fired the schedule's tick at 60 minutes.
    async fn ticked(&mut self, job: Job) -> Result<RunningWorker> {
        let worker = self.start(job).await?;
        self.settled().await?;
        let schedules = self.client.schedules().await?;
        if schedules
            .iter()
            .all(|schedule| schedule.rule.starts_with("every"))
        {
            // The tick at its start. Its run has ended when the worker has looked again, and keeps no tick out.
            self.hears(&["0"]).await;
            self.settled().await?;
        }
        self.clock.advance(HOUR);
        self.hears(&["60"]).await;
        Ok(worker)
    }

    /// After that tick the worker is gone; nobody is up for five hours.
    async fn away(&mut self, job: Job) -> Result {
        self.ticked(job).await?.stop().await?;
        self.clock.advance(5 * HOUR + 30 * MINUTE);
        Ok(())
    }

    /// After these hours away there are these runs, and then the schedule goes on.
    async fn makes_up(&mut self, job: Job, expected: &[&str]) -> Result {
        self.away(job).await?;
        let worker = self.start(job).await?;
        self.hears(expected).await;
        self.silence().await?;
        self.clock.advance(30 * MINUTE);
        self.hears(&["420"]).await;
        self.silence().await?;
        worker.stop().await?;
        // It has been made up for: a restart repeats nothing.
        let worker = self.start(job).await?;
        self.silence().await?;
        worker.stop().await
    }
}

#[tokio::test]
async fn a_tick_enqueues_beside_the_last_run_if_it_may() -> Result {
    let mut bench = bench().await?;
    let worker = Worker::builder(bench.client.clone())
        .jobs([overlapping::JOB, nothing::JOB])
        .shared(Arc::clone(&bench.stage))
        .startup_jitter(Duration::ZERO)
        .build()?
        .start()
        .await?;
    bench.hears(&["0"]).await;
    bench.clock.advance(MINUTE);
    bench.hears(&["1"]).await;
    bench.clock.advance(MINUTE);
    bench.hears(&["2"]).await;
    bench.silence().await?;
    bench.stage.go(3);
    bench.hears(&["end"; 3]).await;
    worker.stop().await
}

#[tokio::test]
async fn missed_ticks_are_skipped() -> Result {
    bench().await?.makes_up(skip::JOB, &[]).await
}

#[tokio::test]
async fn one_run_makes_up_for_missed_ticks() -> Result {
    bench().await?.makes_up(once::JOB, &["360"]).await
}

#[tokio::test]
async fn each_missed_tick_has_its_run() -> Result {
    let expected = ["120", "180", "240", "300", "360"];
    bench().await?.makes_up(all::JOB, &expected).await
}

#[tokio::test]
async fn at_most_so_many_missed_ticks_have_runs() -> Result {
    let expected = ["240", "300", "360"];
    bench().await?.makes_up(latest::JOB, &expected).await
}

#[tokio::test]
async fn only_missed_ticks_that_are_young_have_runs() -> Result {
    bench().await?.makes_up(young::JOB, &["300", "360"]).await
}

#[tokio::test]
async fn several_workers_make_up_for_a_tick_once() -> Result {
    let mut bench = bench().await?;
    bench.away(all::JOB).await?;
    let mut workers = Vec::new();
    for index in 1..=2 {
        let client = Client::builder(bench.folder.store())
            .clock(Arc::clone(&bench.clock))
            .open()
            .await?;
        let other = Worker::builder(client)
            .jobs([all::JOB])
            .no_queues()
            .shared(Arc::clone(&bench.stage))
            .index(index, 3)
            .build()?;
        workers.push(other.start().await?);
    }
    let client = bench.client.clone();
    workers.push(bench.start_as(client, all::JOB, (3, 3)).await?);
    let mut heard = Vec::new();
    for _ in 0..5 {
        heard.push(bench.audience.next().await);
    }
    heard.sort();
    assert_eq!(heard, ["120", "180", "240", "300", "360"]);
    bench.silence().await?;
    for worker in workers {
        worker.stop().await?;
    }
    Ok(())
}

/// The machine sleeps with its worker, which makes up for what it missed as it would after a restart.
#[tokio::test]
async fn a_machine_that_slept_makes_up_for_what_it_missed() -> Result {
    let cases: [(Job, &[&str]); 5] = [
        (skip::JOB, &[]),
        (once::JOB, &["360"]),
        (all::JOB, &["120", "180", "240", "300", "360"]),
        (latest::JOB, &["240", "300", "360"]),
        (young::JOB, &["300", "360"]),
    ];
    for (job, expected) in cases {
        let mut bench = bench().await?;
        let worker = bench.ticked(job).await?;
        bench.settled().await?;
        bench.clock.advance(5 * HOUR + 30 * MINUTE);
        bench.hears(expected).await;
        bench.silence().await?;
        bench.clock.advance(30 * MINUTE);
        bench.hears(&["420"]).await;
        bench.silence().await?;
        worker.stop().await?;
    }
    Ok(())
}

/// The runs of the backlog wait beside each other; the ticks after it wait for the last of them.
#[tokio::test]
async fn a_backlog_is_not_swallowed_by_its_own_first_run() -> Result {
    let mut bench = bench().await?;
    bench.stage.go(2);
    bench.away(one_by_one::JOB).await?;
    let worker = Worker::builder(bench.client.clone())
        .jobs([one_by_one::JOB, nothing::JOB])
        .shared(Arc::clone(&bench.stage))
        .startup_jitter(Duration::ZERO)
        .build()?
        .start()
        .await?;
    let mut heard = Vec::new();
    for _ in 0..5 {
        heard.push(bench.audience.next().await);
    }
    heard.sort();
    assert_eq!(heard, ["120", "180", "240", "300", "360"]);
    bench.clock.advance(30 * MINUTE);
    bench.silence().await?;
    bench.stage.go(5);
    bench.settled().await?;
    bench.clock.advance(HOUR);
    bench.hears(&["480"]).await;
    bench.stage.go(1);
    worker.stop().await
}

/// At the tick itself only the worker that the job names enqueues; the other follows if that one is gone.
#[tokio::test]
async fn the_worker_that_the_job_names_goes_first() -> Result {
    for (job, named) in [(first::JOB, 1), (second::JOB, 2)] {
        for index in 1..=2 {
            let mut bench = bench().await?;
            let worker = bench
                .start_as(bench.client.clone(), job, (index, 2))
                .await?;
            bench.settled().await?;
            if index == named {
                bench.hears(&["0"]).await;
            } else {
                bench.silence().await?;
                // It may hear of the schedule only now, and waits from then on.
                let mut heard = Vec::new();
                while heard.is_empty() {
                    bench.clock.advance(secs(1));
                    bench.settled().await?;
                    heard = bench.audience.rest();
                }
                assert_eq!(heard, ["0"]);
            }
            worker.stop().await?;
        }
    }
    Ok(())
}
