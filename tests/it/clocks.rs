//! A live scheduler while somebody sets the wall clock, and while Paris changes to summer time and back.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use afterhours::schedule::{
    Cron, Every,
    chrono::{DateTime, Utc},
    chrono_tz::Tz,
};
use afterhours::testing::ManualClock;
use afterhours::{Client, Context, Result, RunningWorker, Worker, job};

use crate::support::stage::{Audience, Stage, stage};
use crate::support::time::{millis, monday, secs, store_at};
use crate::support::{Folder, looked, nothing};

#[job(name = "clocks.say")]
async fn say(#[state] stage: &Stage, ctx: &Context, name: &str) {
    let due = DateTime::<Utc>::from(ctx.due_at());
    stage.say(format!("{name} {}", in_paris(due)));
}

fn in_paris(moment: DateTime<Utc>) -> String {
    let local = moment.with_timezone(&Tz::Europe__Paris);
    local.format("%d %H:%M:%S%:z").to_string()
}

struct Bench {
    client: Client,
    clock: Arc<ManualClock>,
    audience: Audience,
    worker: RunningWorker,
    _folder: Folder,
}

/// A worker at work, at this moment of the wall clock.
async fn bench(start: SystemTime) -> Result<Bench> {
    let (client, clock, folder) = store_at(start).await?;
    let (stage, audience) = stage();
    let worker = Worker::builder(client.clone())
        .jobs([say::JOB, nothing::JOB])
        .shared(stage)
        .startup_jitter(Duration::ZERO)
        .build()?
        .start()
        .await?;
    Ok(Bench {
        client,
        clock,
        audience,
        worker,
        _folder: folder,
    })
}

impl Bench {
    /// Whatever became due has been enqueued, and executed.
    async fn settled(&self) -> Result {
        for _ in 0..4 {
            looked(&self.client).await?;
        }
        Ok(())
    }
}

const MINUTE: u64 = 60;
const HOUR: u64 = 3600;

/// What was said, by name, with the seconds that had really passed.
#[derive(Default)]
struct Record {
    passed: u64,
    said: Vec<(u64, String)>,
}

impl Record {
    /// Lets time pass, in steps; what is said in a step has its end.
    async fn pass_until(&mut self, end: u64, bench: &mut Bench) -> Result {
        const STEP: u64 = 20;
        while self.passed < end {
            let step = STEP.min(end - self.passed);
            bench.clock.advance(secs(step));
            self.passed += step;
            self.listen(bench).await?;
        }
        Ok(())
    }

    async fn listen(&mut self, bench: &mut Bench) -> Result {
        bench.settled().await?;
        let words = bench.audience.rest().into_iter();
        self.said.extend(words.map(|word| (self.passed, word)));
        Ok(())
    }

    /// When this was said.
    fn times(&self, name: &str) -> Vec<u64> {
        let said = |word: &str| word.split(' ').next() == Some(name);
        let times = self.said.iter().filter(|(_, word)| said(word));
        times.map(|(passed, _)| *passed).collect()
    }

    /// When this was said, and for which local time of the day it was due.
    fn ticks(&self, name: &str) -> Vec<(u64, &str)> {
        let ticks = self.said.iter().filter_map(|(passed, word)| {
            let due = word.strip_prefix(name)?.trim_start();
            Some((*passed, &due[3..8]))
        });
        ticks.collect()
    }
}

/// Two hours back and, later, two hours forward again.
#[tokio::test]
async fn a_wall_clock_that_jumps_by_two_hours_disturbs_nothing_else() -> Result {
    let mut bench = bench(monday()).await?;
    let mut record = Record::default();
    let client = bench.client.clone();
    let quarterly = Cron::parse("*/15 * * * *", Tz::UTC)?;
    client
        .schedule("quarterly", quarterly, say::prepare("quarterly"))
        .await?;
    client
        .schedule("minutely", Every::parse("60s")?, say::prepare("minutely"))
        .await?;
    // An interval ticks as soon as the scheduler has heard of it; then it has heard of the other too.
    record.said.push((0, bench.audience.next().await));
    let at = |minutes: u64| monday() + secs(minutes * MINUTE);
    client
        .enqueue(say::prepare("in-90").delay(secs(90 * MINUTE)))
        .await?;
    client.enqueue(say::prepare("at-60").at(at(60))).await?;

    record.pass_until(20 * MINUTE, &mut bench).await?;
    bench.clock.set_wall(at(20) - secs(2 * HOUR));
    // The clock shows 00:30 after 150 minutes.
    record.pass_until(150 * MINUTE, &mut bench).await?;
    client
        .enqueue(say::prepare("in-30").delay(secs(30 * MINUTE)))
        .await?;
    client.enqueue(say::prepare("at-160").at(at(160))).await?;
    record.pass_until(153 * MINUTE, &mut bench).await?;
    bench.clock.set_wall(at(33 + 120));
    record.pass_until(153 * MINUTE + 1, &mut bench).await?;
    record.pass_until(154 * MINUTE, &mut bench).await?;
    record.pass_until(182 * MINUTE, &mut bench).await?;

    let each_minute: Vec<u64> = (0..=182).map(|minute| minute * MINUTE).collect();
    assert_eq!(record.times("minutely"), each_minute);
    // In elapsed time the jumps are nothing.
    assert_eq!(record.times("in-90"), [90 * MINUTE]);
    assert_eq!(record.times("in-30"), [180 * MINUTE]);
    // By the wall clock 01:00 has come when it is set forward, and 02:40 seven minutes later.
    assert_eq!(record.times("at-60"), [153 * MINUTE + 1]);
    assert_eq!(record.times("at-160"), [160 * MINUTE]);
    // Silent until the clock has passed the last tick; then the tick that is three minutes late, within a second.
    let expected = [
        (15 * MINUTE, "01:15"),
        (150 * MINUTE, "01:30"),
        (153 * MINUTE + 1, "03:30"),
        (165 * MINUTE, "03:45"),
        (180 * MINUTE, "04:00"),
    ];
    assert_eq!(record.ticks("quarterly"), expected);
    bench.worker.stop().await
}

const SCHEDULES: [(&str, &str); 6] = [
    ("at-2", "0 2 * * *"),
    ("at-2:30", "30 2 * * *"),
    ("seconds", "*/20 30 2 * * *"),
    ("quarterly", "*/15 * * * *"),
    ("hourly", "30 * * * *"),
    ("half-minute", "30 59 */2 * * *"),
];

/// Follows the schedules of Paris from one moment to the other; what was said, in order.
async fn follow(start: &str, end: &str) -> Result<Vec<String>> {
    let (start, end): (DateTime<Utc>, DateTime<Utc>) = (start.parse()?, end.parse()?);
    let mut bench = bench(start.into()).await?;
    let mut crons = Vec::new();
    for (name, expression) in SCHEDULES {
        let cron = Cron::parse(expression, Tz::Europe__Paris)?;
        bench
            .client
            .schedule(name, cron.clone(), say::prepare(name))
            .await?;
        crons.push((name, cron));
    }
    bench.settled().await?;
    let (mut now, mut said) = (start, Vec::new());
    loop {
        let nexts = crons
            .iter()
            .filter_map(|(name, cron)| Some((cron.next_after(now)?, *name)));
        let Some(next) = nexts
            .clone()
            .map(|(at, _)| at)
            .min()
            .filter(|at| *at <= end)
        else {
            break;
        };
        let mut expected: Vec<String> = nexts
            .filter(|(at, _)| *at == next)
            .map(|(at, name)| format!("{name} {}", in_paris(at)))
            .collect();
        expected.sort();
        bench.clock.advance((next - now).to_std()? - millis(1));
        bench.settled().await?;
        bench.audience.has_heard_nothing();
        bench.clock.advance(millis(1));
        let mut heard = Vec::new();
        for _ in &expected {
            heard.push(bench.audience.next().await);
        }
        heard.sort();
        assert_eq!(heard, expected);
        said.extend(heard);
        now = next;
    }
    bench.settled().await?;
    bench.audience.has_heard_nothing();
    bench.worker.stop().await?;
    Ok(said)
}

/// What one schedule said until this, its own name left out.
fn of<'a>(said: &'a [String], name: &str, until: &str) -> Vec<&'a str> {
    let of_it = said
        .iter()
        .filter_map(|word| word.strip_prefix(name)?.strip_prefix(' '));
    of_it.take_while(|due| *due <= until).collect()
}

/// At 02:00 the clock is set to 03:00.
#[tokio::test]
async fn summer_time_begins_in_paris() -> Result {
    let said = follow("2026-03-29T00:20:00Z", "2026-03-30T00:46:00Z").await?;
    let check =
        |name, expected: &[&str]| assert_eq!(of(&said, name, "29 04:10"), expected, "{name}");
    check("at-2", &["29 03:00:00+02:00"]);
    check("at-2:30", &["29 03:00:00+02:00"]);
    check("seconds", &["29 03:00:00+02:00"]);
    check(
        "quarterly",
        &[
            "29 01:30:00+01:00",
            "29 01:45:00+01:00",
            "29 03:00:00+02:00",
            "29 03:15:00+02:00",
            "29 03:30:00+02:00",
            "29 03:45:00+02:00",
            "29 04:00:00+02:00",
        ],
    );
    check("hourly", &["29 01:30:00+01:00", "29 03:30:00+02:00"]);
    check("half-minute", &[]);
    // The next night is as any other.
    assert_eq!(
        of(&said, "at-2:30", "31"),
        ["29 03:00:00+02:00", "30 02:30:00+02:00"]
    );
    assert_eq!(
        of(&said, "seconds", "31"),
        [
            "29 03:00:00+02:00",
            "30 02:30:00+02:00",
            "30 02:30:20+02:00",
            "30 02:30:40+02:00"
        ]
    );
    Ok(())
}

/// At 03:00 the clock is set back to 02:00.
#[tokio::test]
async fn summer_time_ends_in_paris() -> Result {
    let said = follow("2026-10-24T23:50:00Z", "2026-10-26T01:46:00Z").await?;
    let check =
        |name, expected: &[&str]| assert_eq!(of(&said, name, "25 03:10"), expected, "{name}");
    check("at-2", &["25 02:00:00+02:00"]);
    check("at-2:30", &["25 02:30:00+02:00"]);
    check(
        "seconds",
        &[
            "25 02:30:00+02:00",
            "25 02:30:20+02:00",
            "25 02:30:40+02:00",
        ],
    );
    check(
        "quarterly",
        &[
            "25 02:00:00+02:00",
            "25 02:15:00+02:00",
            "25 02:30:00+02:00",
            "25 02:45:00+02:00",
            "25 02:00:00+01:00",
            "25 02:15:00+01:00",
            "25 02:30:00+01:00",
            "25 02:45:00+01:00",
            "25 03:00:00+01:00",
        ],
    );
    check("hourly", &["25 02:30:00+02:00", "25 02:30:00+01:00"]);
    // Hours with a `*` follow the clock through both.
    check("half-minute", &["25 02:59:30+02:00", "25 02:59:30+01:00"]);
    assert_eq!(
        of(&said, "at-2:30", "27"),
        ["25 02:30:00+02:00", "26 02:30:00+01:00"]
    );
    Ok(())
}
