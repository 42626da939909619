//! Ten thousand schedules: between their ticks an idle worker writes nothing, and a tick costs what it writes.

use std::time::Duration;

use afterhours::rusqlite::Connection;
use afterhours::schedule::{Cron, Every, Rule, chrono_tz::Tz};
use afterhours::testing::ManualClock;
use afterhours::{Client, Overlap, Result, Worker, job};
use tokio::task::JoinSet;

use crate::support::time::{secs, store_at_rest};
use crate::support::{looked, nothing, within};

/// Of each kind of rule.
const HALF: usize = 5_000;
/// The expressions tick at so many moments of the morning.
const MOMENTS: usize = 5;

/// In a queue that the worker does not take from: what is counted is what the ticks write.
#[job(name = "many_schedules.tick", queue = "never")]
async fn tick() {}

/// The first half by intervals of a day, the others once a day at full hours from six on.
fn rule(number: usize) -> Result<Rule> {
    if number < HALF {
        return Ok(Every::parse("1d")?.into());
    }
    let hour = 6 + number % MOMENTS;
    Ok(Cron::parse(&format!("0 {hour} * * *"), Tz::UTC)?.into())
}

async fn add_all(client: &Client) -> Result {
    let mut adding = JoinSet::new();
    for number in 0..2 * HALF {
        let added = client
            .schedule(format!("{number}"), rule(number)?, tick::prepare())
            .overlap(Overlap::Allow);
        adding.spawn(added.into_future());
    }
    while let Some(added) = adding.join_next().await {
        added??;
    }
    Ok(())
}

/// What an outsider counts.
struct Books(Connection);

impl Books {
    /// From now on each row that is written has a line, but for the claims and ends of runs, and for the time, which
    /// the store remembers now and then.
    fn open(conn: Connection) -> Result<Self> {
        conn.execute_batch(
            "CREATE TABLE writes (what TEXT);
             CREATE TRIGGER a AFTER INSERT ON afterhours_schedules BEGIN INSERT INTO writes VALUES ('added'); END;
             CREATE TRIGGER b AFTER UPDATE ON afterhours_schedules BEGIN INSERT INTO writes VALUES ('changed'); END;
             CREATE TRIGGER c AFTER DELETE ON afterhours_schedules BEGIN INSERT INTO writes VALUES ('removed'); END;
             CREATE TRIGGER d AFTER UPDATE ON afterhours_meta WHEN new.key = 'schedules'
                BEGIN INSERT INTO writes VALUES ('told'); END;
             CREATE TRIGGER e AFTER INSERT ON afterhours_runs WHEN new.due_at IS NOT NULL
                BEGIN INSERT INTO writes VALUES ('run'); END;",
        )?;
        Ok(Self(conn))
    }

    fn number(&self, query: &str) -> Result<usize> {
        let number: i64 = self.0.query_row(query, [], |row| row.get(0))?;
        Ok(number.try_into()?)
    }

    fn writes(&self) -> Result<usize> {
        self.number("SELECT count(*) FROM writes")
    }

    fn runs(&self) -> Result<usize> {
        self.number(
            "SELECT count(*) FROM afterhours_runs AS runs JOIN afterhours_kinds AS kinds ON kinds.id = kind
             WHERE job = 'many_schedules.tick'",
        )
    }
}

/// Waits until the ticks so far have become so many runs, and no more.
async fn ticked(books: &Books, client: &Client, runs: usize) -> Result {
    within("the ticks", async {
        while books.runs()? < runs {
            looked(client).await?;
        }
        for _ in 0..3 {
            looked(client).await?;
        }
        Result::<()>::Ok(())
    })
    .await?;
    assert_eq!(books.runs()?, runs);
    Ok(())
}

/// Time passes, and the worker has had its turns.
async fn pass(clock: &ManualClock, time: Duration) {
    clock.advance(time);
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn ten_thousand_schedules_write_their_ticks_and_nothing_else() -> Result {
    let (client, clock, folder) = store_at_rest().await?;
    add_all(&client).await?;
    let worker = Worker::builder(client.clone())
        .jobs([tick::JOB, nothing::JOB])
        .queues(["default"])
        .startup_jitter(Duration::ZERO)
        .build()?
        .start()
        .await?;
    let books = Books::open(folder.outsider()?)?;
    // Intervals tick at once.
    ticked(&books, &client, HALF).await?;
    let settled = books.writes()?;

    for _ in 0..40 * 60 {
        pass(&clock, secs(1)).await;
    }
    looked(&client).await?;
    assert_eq!(books.writes()?, settled);
    clock.advance(secs(5 * 3600 + 19 * 60));
    ticked(&books, &client, HALF).await?;
    assert_eq!(books.writes()?, settled);

    clock.advance(secs(60));
    for moment in 1..=MOMENTS {
        let fired = moment * HALF / MOMENTS;
        ticked(&books, &client, HALF + fired).await?;
        // The run, and in the schedule's row the last tick and the last run.
        assert_eq!(books.writes()?, settled + 3 * fired);
        clock.advance(secs(3600));
    }
    worker.stop().await
}
