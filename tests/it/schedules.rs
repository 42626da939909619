//! Schedules from outside: listed, added while the program runs, held up, run out of turn, removed.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use afterhours::schedule::{Cron, Every, chrono_tz::Tz};
use afterhours::testing::ManualClock;
use afterhours::{
    Client, Context, Error, Job, Missed, Result, RunningWorker, Schedule, ScheduleState, Status,
    Worker, job,
};

use crate::support::stage::{Audience, Stage, stage};
use crate::support::time::{monday, secs, store_at_rest};
use crate::support::{Folder, looked, nothing, within};

#[job(name = "schedules.own", every = "60s")]
async fn own(#[state] stage: &Stage, ctx: &Context) {
    stage.say(format!("own {}", since_monday(ctx.due_at())));
}

#[job(name = "schedules.report", retry = 0)]
async fn report(#[state] stage: &Stage, ctx: &Context, customer: u64) -> Result {
    stage.say(format!("report {customer} {}", since_monday(ctx.due_at())));
    if customer == 13 {
        Err("no such customer")?;
    }
    Ok(())
}

#[job(name = "schedules.slow", timeout = "1d")]
async fn slow(#[state] stage: &Stage) {
    stage.say("slow");
    stage.wait().await;
}

fn since_monday(at: SystemTime) -> u64 {
    at.duration_since(monday())
        .map_or(0, |since| since.as_secs())
}

fn every(text: &str) -> Result<Every> {
    Ok(Every::parse(text)?)
}

fn hourly() -> Result<Cron> {
    Ok(Cron::parse("0 * * * *", Tz::Europe__Paris)?)
}

struct Bench {
    client: Client,
    clock: Arc<ManualClock>,
    stage: Arc<Stage>,
    audience: Audience,
    folder: Folder,
}

const HOUR: Duration = secs(3600);

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
    async fn start<const N: usize>(&self, jobs: [Job; N]) -> Result<RunningWorker> {
        let worker = Worker::builder(self.client.clone())
            .jobs(jobs.into_iter().chain([nothing::JOB]))
            .shared(Arc::clone(&self.stage))
            .startup_jitter(Duration::ZERO)
            .build()?
            .start()
            .await?;
        self.settled().await?;
        Ok(worker)
    }

    /// Whatever became due has been enqueued, and claimed.
    async fn settled(&self) -> Result {
        for _ in 0..4 {
            looked(&self.client).await?;
        }
        Ok(())
    }

    /// Nothing is said while this passes.
    async fn silence(&mut self, time: Duration) -> Result {
        self.clock.advance(time);
        self.settled().await?;
        self.audience.has_heard_nothing();
        Ok(())
    }

    async fn hears_after(&mut self, time: Duration, word: &str) -> Result {
        self.clock.advance(time);
        self.audience.hears(word).await;
        self.settled().await
    }

    async fn schedule(&self, name: &str) -> Result<Schedule> {
        let all = self.client.schedules().await?;
        let found = all.into_iter().find(|schedule| schedule.name == name);
        Ok(found.ok_or("no such schedule")?)
    }
}

fn next(schedule: &Schedule) -> Vec<u64> {
    schedule.next.iter().copied().map(since_monday).collect()
}

#[tokio::test]
async fn a_job_s_own_schedule_is_listed_with_where_it_stands() -> Result {
    let mut bench = bench().await?;
    assert_eq!(bench.client.schedules().await?, []);
    let worker = bench.start([own::JOB]).await?;
    bench.audience.hears("own 0").await;
    bench.hears_after(secs(60), "own 60").await?;
    let listed = bench.schedule("schedules.own").await?;
    assert_eq!(
        (listed.job.as_str(), listed.rule.as_str()),
        ("schedules.own", "every 1m")
    );
    assert_eq!(
        (listed.is_added, &listed.state),
        (false, &ScheduleState::Active)
    );
    assert_eq!(listed.last_tick, Some(monday() + secs(60)));
    assert!(
        matches!(listed.last_outcome, Some(Status::Done { .. })),
        "{listed:?}"
    );
    assert_eq!(next(&listed), [120, 180, 240, 300, 360]);
    let run = own::handle(listed.last_run.ok_or("no run")?).on(&bench.client);
    assert!(run.status().await?.is_finished());
    worker.stop().await
}

#[tokio::test]
async fn one_that_is_added_enqueues_what_was_prepared_and_outlives_restarts() -> Result {
    let mut bench = bench().await?;
    let worker = bench.start([report::JOB]).await?;
    let prepared = report::prepare(7).tags(["nightly"]).priority(30);
    bench.client.schedule("for 7", hourly()?, prepared).await?;
    bench.settled().await?;
    let listed = bench.schedule("for 7").await?;
    assert_eq!(
        (listed.job.as_str(), listed.rule.as_str()),
        ("schedules.report", "0 * * * * (Europe/Paris)")
    );
    assert!(listed.is_added);
    assert_eq!((listed.last_tick, listed.last_outcome), (None, None));
    bench.hears_after(HOUR, "report 7 3600").await?;
    worker.stop().await?;
    // Another life of the program, which says nothing of it.
    bench.clock.advance(secs(1800));
    let worker = bench.start([report::JOB]).await?;
    bench.silence(secs(1799)).await?;
    bench.hears_after(secs(1), "report 7 7200").await?;
    worker.stop().await
}

#[tokio::test]
async fn an_interval_begins_at_once() -> Result {
    let mut bench = bench().await?;
    let worker = bench.start([report::JOB]).await?;
    bench
        .client
        .schedule("often", every("90s")?, report::prepare(1))
        .await?;
    bench.audience.hears("report 1 0").await;
    bench.hears_after(secs(90), "report 1 90").await?;
    assert_eq!(
        next(&bench.schedule("often").await?),
        [180, 270, 360, 450, 540]
    );
    worker.stop().await
}

#[tokio::test]
async fn adding_it_again_replaces_what_differs() -> Result {
    let mut bench = bench().await?;
    let worker = bench.start([report::JOB]).await?;
    let client = bench.client.clone();
    client
        .schedule("often", every("90s")?, report::prepare(1))
        .await?;
    bench.audience.hears("report 1 0").await;
    bench.settled().await?;
    // The same rule goes on where it was.
    client
        .schedule("often", every("90s")?, report::prepare(2))
        .await?;
    bench.silence(secs(89)).await?;
    bench.hears_after(secs(1), "report 2 90").await?;
    // Another interval counts from the last tick; an expression from now.
    client
        .schedule("often", every("10s")?, report::prepare(2))
        .await?;
    bench.settled().await?;
    bench.hears_after(secs(10), "report 2 100").await?;
    client
        .schedule("often", hourly()?, report::prepare(2))
        .await?;
    bench.silence(secs(3499)).await?;
    bench.hears_after(secs(1), "report 2 3600").await?;
    worker.stop().await
}

#[tokio::test]
async fn a_removed_one_is_silent_at_once() -> Result {
    let mut bench = bench().await?;
    let worker = bench.start([report::JOB]).await?;
    bench
        .client
        .schedule("often", every("90s")?, report::prepare(1))
        .await?;
    bench.audience.hears("report 1 0").await;
    bench.client.unschedule("often").await?;
    bench.silence(HOUR).await?;
    assert_eq!(bench.client.schedules().await?, []);
    worker.stop().await
}

#[tokio::test]
async fn ticks_that_pass_while_it_is_paused_are_not_made_up_for() -> Result {
    let mut bench = bench().await?;
    let client = bench.client.clone();
    for (name, rule) in [
        ("by interval", every("1h")?.into()),
        ("by clock", hourly()?.into()),
    ] {
        let rule: afterhours::schedule::Rule = rule;
        client
            .schedule(name, rule, report::prepare(1))
            .missed(Missed::RunAll)
            .await?;
    }
    let worker = bench.start([report::JOB]).await?;
    bench.audience.hears("report 1 0").await;
    for name in ["by interval", "by clock"] {
        client.pause_schedule(name).await?;
        // Twice is fine.
        client.pause_schedule(name).await?;
        let listed = bench.schedule(name).await?;
        assert_eq!((listed.state, listed.next), (ScheduleState::Paused, vec![]));
    }
    bench.silence(HOUR).await?;
    bench.silence(HOUR).await?;
    worker.stop().await?;
    // Also those that pass while nobody is up.
    bench.clock.advance(5 * HOUR + secs(1800));
    for name in ["by interval", "by clock"] {
        client.resume_schedule(name).await?;
        assert_eq!(next(&bench.schedule(name).await?)[0], 8 * 3600);
        client.resume_schedule(name).await?;
    }
    let worker = bench.start([report::JOB]).await?;
    bench.silence(secs(1799)).await?;
    bench.hears_after(secs(1), "report 1 28800").await?;
    bench.audience.hears("report 1 28800").await;
    let listed = bench.schedule("by clock").await?;
    assert_eq!((listed.missed, listed.skipped), (0, 0));
    worker.stop().await
}

#[tokio::test]
async fn a_worker_that_is_up_hears_of_the_end_of_a_pause() -> Result {
    let mut bench = bench().await?;
    let worker = bench.start([own::JOB]).await?;
    bench.audience.hears("own 0").await;
    bench.client.pause_schedule("schedules.own").await?;
    bench.silence(secs(60)).await?;
    bench.silence(secs(30)).await?;
    bench.client.resume_schedule("schedules.own").await?;
    bench.silence(secs(29)).await?;
    bench.hears_after(secs(1), "own 120").await?;
    worker.stop().await
}

#[tokio::test]
async fn a_run_out_of_turn_leaves_the_ticks_alone() -> Result {
    let mut bench = bench().await?;
    let worker = bench.start([slow::JOB]).await?;
    bench
        .client
        .schedule("slow", every("60s")?, slow::prepare())
        .await?;
    bench.audience.hears("slow").await;
    bench.stage.go(1);
    bench.settled().await?;
    bench.clock.advance(secs(30));
    let id = bench.client.run_schedule("slow").await?;
    bench.audience.hears("slow").await;
    // The tick finds it active.
    bench.silence(secs(30)).await?;
    let listed = bench.schedule("slow").await?;
    assert_eq!((listed.last_run, listed.skipped), (Some(id), 1));
    assert!(matches!(listed.last_outcome, Some(Status::Running { .. })));
    bench.stage.go(1);
    bench.settled().await?;
    bench.hears_after(secs(60), "slow").await?;
    bench.stage.go(1);
    worker.stop().await
}

#[tokio::test]
async fn what_cannot_be_is_refused() -> Result {
    let bench = bench().await?;
    let client = &bench.client;
    for error in [
        client.pause_schedule("none").await.unwrap_err(),
        client.resume_schedule("none").await.unwrap_err(),
        client.run_schedule("none").await.map(drop).unwrap_err(),
        client.unschedule("none").await.unwrap_err(),
    ] {
        assert!(
            matches!(&error, Error::NoSchedule { name } if name == "none"),
            "{error}"
        );
        assert!(error.to_string().contains("client.schedules()"), "{error}");
    }
    let later = report::prepare(1).delay(HOUR);
    let limited = client
        .schedule("x", hourly()?, report::prepare(1))
        .missed_limit(3);
    let windowed = client
        .schedule("x", hourly()?, report::prepare(1))
        .missed_window(HOUR);
    let none = client.schedule("x", hourly()?, report::prepare(1));
    let none = none.missed(Missed::RunAll).missed_limit(0);
    for (refused, reason) in [
        (
            client.schedule(" ", hourly()?, report::prepare(1)).await,
            "needs a name",
        ),
        (
            client.schedule("x", hourly()?, later).await,
            "leave `delay` and `at` out",
        ),
        (limited.await, "`Missed::RunAll` only"),
        (windowed.await, "`missed_window` has no effect"),
        (none.await, "`.missed(Missed::Skip)`"),
    ] {
        let error = refused.unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
    // No worker has said yet that there is one.
    let taken = client
        .schedule("schedules.own", hourly()?, report::prepare(1))
        .await
        .unwrap_err();
    assert!(taken.to_string().contains("give another name"), "{taken}");
    assert_eq!(client.schedules().await?, []);
    let worker = bench.start([own::JOB]).await?;
    let kept = client.unschedule("schedules.own").await.unwrap_err();
    assert!(kept.to_string().contains("pause it"), "{kept}");
    worker.stop().await?;
    // As if another program had the job.
    bench.folder.outsider()?.execute(
        "UPDATE afterhours_schedules SET name = 'theirs' WHERE name = 'schedules.own'",
        [],
    )?;
    let taken = client
        .schedule("theirs", hourly()?, report::prepare(1))
        .await
        .unwrap_err();
    assert!(taken.to_string().contains("give another name"), "{taken}");
    Ok(())
}

#[tokio::test]
async fn one_whose_job_is_gone_is_shown_and_does_not_stop_the_others() -> Result {
    let mut bench = bench().await?;
    let client = bench.client.clone();
    client
        .schedule("gone", every("60s")?, slow::prepare())
        .await?;
    client
        .schedule("odd", hourly()?, report::prepare(3))
        .await?;
    client
        .schedule("fine", every("60s")?, report::prepare(1))
        .await?;
    let outsider = bench.folder.outsider()?;
    outsider.execute(
        "UPDATE afterhours_kinds SET job = 'no.longer' WHERE job = 'schedules.slow'",
        [],
    )?;
    outsider.execute(
        "UPDATE afterhours_schedules SET cron = 'at noon' WHERE name = 'odd'",
        [],
    )?;
    let worker = bench.start([report::JOB, slow::JOB]).await?;
    bench.audience.hears("report 1 0").await;
    bench.hears_after(secs(60), "report 1 60").await?;
    let gone = bench.schedule("gone").await?;
    assert_eq!(
        (gone.job.as_str(), gone.state, gone.next),
        ("no.longer", ScheduleState::NoJob, vec![])
    );
    let odd = bench.schedule("odd").await?;
    assert!(
        matches!(&odd.state, ScheduleState::Unreadable { reason } if reason.contains("fields")),
        "{odd:?}"
    );
    assert_eq!(odd.rule, "at noon (Europe/Paris)");
    // It can still be tidied away.
    client.unschedule("gone").await?;
    client.unschedule("odd").await?;
    worker.stop().await
}

#[tokio::test]
async fn a_tick_that_the_store_refuses_is_tried_again_and_counted() -> Result {
    let mut bench = bench().await?;
    let client = bench.client.clone();
    let outsider = bench.folder.outsider()?;
    outsider.execute_batch(
        "CREATE TRIGGER refuse BEFORE INSERT ON afterhours_runs WHEN new.priority = 99
         BEGIN SELECT raise(ABORT, 'not now'); END",
    )?;
    client
        .schedule("refused", every("1h")?, report::prepare(1).priority(99))
        .await?;
    client
        .schedule("fine", every("60s")?, report::prepare(2))
        .await?;
    let worker = bench.start([report::JOB]).await?;
    bench.audience.hears("report 2 0").await;
    // The others go on meanwhile.
    for tick in [60, 120] {
        bench
            .hears_after(secs(60), &format!("report 2 {tick}"))
            .await?;
    }
    assert_eq!(bench.schedule("refused").await?.last_tick, None);
    outsider.execute_batch("DROP TRIGGER refuse")?;
    bench.hears_after(secs(1), "report 1 0").await?;
    let listed = bench.schedule("refused").await?;
    assert_eq!((listed.last_tick, listed.failures), (Some(monday()), 3));
    bench.hears_after(secs(59), "report 2 180").await?;
    assert_eq!(bench.schedule("refused").await?.failures, 3);
    worker.stop().await
}

#[tokio::test]
async fn what_was_missed_is_counted() -> Result {
    let mut bench = bench().await?;
    let client = bench.client.clone();
    client
        .schedule("skips", hourly()?, report::prepare(1))
        .await?;
    let all = client.schedule("makes up", hourly()?, report::prepare(2));
    all.missed(Missed::RunAll).missed_limit(2).await?;
    // Five ticks pass before the first worker is up.
    bench.clock.advance(5 * HOUR + secs(1800));
    let worker = bench.start([report::JOB]).await?;
    bench.audience.hears("report 2 14400").await;
    bench.audience.hears("report 2 18000").await;
    bench.clock.advance(secs(1800));
    let mut heard = [bench.audience.next().await, bench.audience.next().await];
    heard.sort();
    assert_eq!(heard, ["report 1 21600", "report 2 21600"]);
    bench.settled().await?;
    assert_eq!(bench.schedule("skips").await?.missed, 5);
    assert_eq!(bench.schedule("makes up").await?.missed, 3);
    worker.stop().await
}

#[tokio::test]
async fn the_outcome_of_the_last_run_is_remembered() -> Result {
    let mut bench = bench().await?;
    let worker = bench.start([report::JOB]).await?;
    bench
        .client
        .schedule("fails", every("1d")?, report::prepare(13).keep(HOUR))
        .await?;
    bench.audience.hears("report 13 0").await;
    bench.settled().await?;
    // Another run takes the highest id, and then pruning takes the row.
    looked(&bench.client).await?;
    let id = bench.schedule("fails").await?.last_run.ok_or("no run")?;
    bench.clock.advance(2 * HOUR);
    within("the run to be pruned", async {
        let outsider = bench.folder.outsider()?;
        let count = "SELECT count(*) FROM afterhours_runs WHERE id = ?1";
        while outsider.query_row(count, [id], |row| row.get::<_, u32>(0))? > 0 {
            bench.clock.advance(secs(1));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Result::<()>::Ok(())
    })
    .await?;
    let listed = bench.schedule("fails").await?;
    assert!(
        matches!(listed.last_outcome, Some(Status::Failed { error, .. }) if error == "no such customer")
    );
    worker.stop().await
}

#[tokio::test]
async fn a_last_tick_of_a_clock_that_was_far_ahead_does_not_silence_it() -> Result {
    let mut bench = bench().await?;
    let worker = bench.start([report::JOB]).await?;
    bench
        .client
        .schedule("hourly", hourly()?, report::prepare(1))
        .await?;
    bench.settled().await?;
    let year = secs(365 * 86_400);
    bench.clock.set_wall(monday() + year);
    bench
        .hears_after(secs(1), &format!("report 1 {}", year.as_secs()))
        .await?;
    // It was a mistake. Within the hour it ticks again, and not only next year.
    bench.clock.set_wall(monday() + secs(1800));
    bench.silence(secs(1)).await?;
    bench.silence(secs(1798)).await?;
    bench.hears_after(secs(1), "report 1 3600").await?;
    bench.hears_after(HOUR, "report 1 7200").await?;
    worker.stop().await
}

#[tokio::test]
async fn another_client_s_schedule_is_noticed() -> Result {
    let mut bench = bench().await?;
    let worker = bench.start([report::JOB]).await?;
    let other = Client::builder(bench.folder.store())
        .clock(Arc::clone(&bench.clock))
        .open()
        .await?;
    other
        .schedule("often", every("90s")?, report::prepare(1))
        .await?;
    bench.audience.hears("report 1 0").await;
    other.unschedule("often").await?;
    // A tick of a schedule that is gone enqueues nothing, even before the worker has noticed.
    bench.silence(secs(90)).await?;
    worker.stop().await
}

#[tokio::test]
async fn a_twin_keeps_a_tick_s_run_out() -> Result {
    let mut bench = bench().await?;
    let worker = bench.start([slow::JOB]).await?;
    let first = bench.client.enqueue(slow::prepare().unique("one")).await?;
    bench.audience.hears("slow").await;
    let prepared = slow::prepare().unique("one");
    bench
        .client
        .schedule("slow", every("60s")?, prepared)
        .await?;
    bench.silence(Duration::ZERO).await?;
    bench.silence(secs(60)).await?;
    assert_eq!(bench.schedule("slow").await?.skipped, 2);
    bench.stage.go(1);
    within("the first", first.join()).await?;
    bench.hears_after(secs(60), "slow").await?;
    bench.stage.go(1);
    worker.stop().await
}
