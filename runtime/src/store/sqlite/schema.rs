//! The tables, and how a file comes to have them.

use rusqlite::{Connection, OptionalExtension};

use crate::clock::{Clock, Millis};
use crate::error::Error;
use crate::failpoint;

/// The newest schema this build knows.
pub(crate) const VERSION: i64 = 1;

/// What leads from each version to the next; a step that was released is never changed.
const STEPS: [&str; 1] = [V1];

/// Times are milliseconds: `*_at` and `due_wall` on the wall clock, `due_store` and `expires` on the store's
/// clock. `state` is [`State`](crate::run::State); partial indexes name its numbers.
const V1: &str = "
    CREATE TABLE afterhours_kinds (
        id        INTEGER PRIMARY KEY,
        queue     TEXT NOT NULL,
        job       TEXT NOT NULL,
        version   INTEGER NOT NULL,
        signature INTEGER NOT NULL,
        UNIQUE (job, queue, version, signature)
    ) STRICT;

    -- Ids are never reused: the row with the highest id is never deleted, so the next one is always new.
    -- A run of state 0 is ready or running: the next two tables say which.
    CREATE TABLE afterhours_runs (
        id          INTEGER PRIMARY KEY,
        kind        INTEGER NOT NULL,
        state       INTEGER NOT NULL,
        priority    INTEGER NOT NULL,
        attempts    INTEGER NOT NULL DEFAULT 0,
        -- `attempts` have ended. Those that ended with the loss of their worker are among them and use up no retries.
        lost        INTEGER NOT NULL DEFAULT 0,
        -- How often in a row a worker died while this was at work; 0 again when an attempt ends.
        crashes     INTEGER NOT NULL DEFAULT 0,
        -- Set while it is scheduled; `due_at` stays.
        due_wall    INTEGER,
        due_store   INTEGER,
        enqueued_at INTEGER NOT NULL,
        due_at      INTEGER,
        started_at  INTEGER,
        finished_at INTEGER,
        expires     INTEGER,
        -- Kept free for what the end writes: three times and the state. A row that keeps its length is overwritten where
        -- it is; one that grows is moved, and splits its page.
        room        BLOB,
        note        TEXT,
        options     TEXT,
        payload     BLOB NOT NULL,
        result      BLOB
    ) STRICT;
    -- Every index of which an end changes a column or a condition is looked at for every run, so most have no `state`:
    -- only what is scheduled is due.
    CREATE INDEX afterhours_due_wall ON afterhours_runs (due_wall) WHERE due_wall IS NOT NULL;
    CREATE INDEX afterhours_due_store ON afterhours_runs (due_store) WHERE due_store IS NOT NULL;
    CREATE INDEX afterhours_parked ON afterhours_runs (kind) WHERE state = 6;
    CREATE INDEX afterhours_finished ON afterhours_runs (state, expires) WHERE expires IS NOT NULL;

    -- The runs that are ready, in the order in which they are claimed. Of suspects, which have crashed too often, one
    -- is at work at a time in each worker.
    CREATE TABLE afterhours_ready (
        suspect  INTEGER NOT NULL,
        kind     INTEGER NOT NULL,
        priority INTEGER NOT NULL,
        run      INTEGER NOT NULL,
        PRIMARY KEY (suspect, kind, priority DESC, run)
    ) STRICT, WITHOUT ROWID;

    -- The runs that are running. No index on `claim`, which every claim and every end would have to keep: these are
    -- as many as the workers have at hand.
    CREATE TABLE afterhours_running (
        run         INTEGER PRIMARY KEY,
        claim       INTEGER NOT NULL,
        started_at  INTEGER NOT NULL,
        -- Set while it is asked to end: how long it then stays.
        cancel_keep INTEGER,
        -- How far its attempt has come, as that has told.
        done        INTEGER,
        total       INTEGER
    ) STRICT;
    CREATE INDEX afterhours_cancelling ON afterhours_running (claim) WHERE cancel_keep IS NOT NULL;

    CREATE TABLE afterhours_queues (
        queue  TEXT PRIMARY KEY,
        paused INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE afterhours_attempts (
        run        INTEGER NOT NULL,
        seq        INTEGER NOT NULL,
        attempt    INTEGER NOT NULL,
        outcome    INTEGER NOT NULL,
        error      TEXT NOT NULL,
        started_at INTEGER NOT NULL,
        ended_at   INTEGER NOT NULL,
        PRIMARY KEY (run, seq)
    ) STRICT, WITHOUT ROWID;

    -- AUTOINCREMENT: claim numbers start with the worker's id and must never come back.
    CREATE TABLE afterhours_workers (
        id         INTEGER PRIMARY KEY AUTOINCREMENT,
        slot       INTEGER NOT NULL,
        -- Which lock file its byte is in, and which boot of which machine it runs in.
        lock_file  INTEGER NOT NULL,
        boot       TEXT NOT NULL,
        pid        INTEGER NOT NULL,
        started_at INTEGER NOT NULL,
        -- It was told to stop: if it dies now, somebody may have been tired of waiting.
        stopping   INTEGER NOT NULL DEFAULT 0,
        UNIQUE (lock_file, slot)
    ) STRICT;

    -- Either `every` (milliseconds on the store's clock) or `cron` with `timezone` (on the wall clock).
    -- `last_tick` and `since` are on that clock; ticks up to `since` were never this rule's.
    CREATE TABLE afterhours_schedules (
        name          TEXT PRIMARY KEY,
        origin        INTEGER NOT NULL,
        every         INTEGER,
        cron          TEXT,
        timezone      TEXT,
        overlap       INTEGER NOT NULL,
        missed        INTEGER NOT NULL,
        missed_limit  INTEGER,
        missed_window INTEGER,
        kind          INTEGER NOT NULL,
        priority      INTEGER NOT NULL,
        options       TEXT,
        payload       BLOB NOT NULL,
        unique_key    BLOB,
        unique_for    INTEGER,
        paused        INTEGER NOT NULL DEFAULT 0,
        since         INTEGER,
        last_tick     INTEGER,
        last_run      INTEGER,
        -- How the last run ended, once its row is gone.
        last_state    INTEGER,
        last_ended    INTEGER,
        last_note     TEXT,
        missed_ticks  INTEGER NOT NULL DEFAULT 0,
        skipped_ticks INTEGER NOT NULL DEFAULT 0,
        failures      INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX afterhours_schedules_last_run ON afterhours_schedules (last_run) WHERE last_run IS NOT NULL;

    -- The run that keeps its twins out: while it waits or runs, and until this moment of the store's clock.
    CREATE TABLE afterhours_unique (
        run    INTEGER PRIMARY KEY,
        job    TEXT NOT NULL,
        key    BLOB NOT NULL,
        until  INTEGER,
        UNIQUE (job, key)
    ) STRICT;
    CREATE INDEX afterhours_unique_until ON afterhours_unique (until) WHERE until IS NOT NULL;
";

/// The one table that every version has, also those of the future.
const META: &str = "CREATE TABLE IF NOT EXISTS afterhours_meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID";

/// The schema of the file: 0 if it has none yet. Reads only.
pub(crate) fn version(conn: &Connection) -> Result<i64, Error> {
    let known: bool = conn.query_row(
        "SELECT count(*) FROM sqlite_schema WHERE name = 'afterhours_meta'",
        [],
        |row| row.get(0),
    )?;
    if !known {
        return Ok(0);
    }
    Ok(get(conn, "schema")?.unwrap_or(0))
}

/// Refuses a store that a newer build has migrated.
pub(crate) fn check(conn: &Connection) -> Result<i64, Error> {
    match version(conn)? {
        found if found > VERSION => Err(Error::SchemaTooNew {
            found,
            known: VERSION,
        }),
        found => Ok(found),
    }
}

/// Brings the file to [`VERSION`], in one transaction.
pub(crate) fn migrate(conn: &mut Connection) -> Result<(), Error> {
    let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let found = check(&tx)?;
    tx.execute_batch(META)?;
    for step in STEPS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        tx.execute_batch(step)?;
        failpoint::reached("in-migration");
    }
    set(&tx, "schema", &VERSION)?;
    Ok(tx.commit()?)
}

/// What to add to the time since this boot to get the store's clock. Each boot gets an offset of its own when the
/// store is first opened in it, so that the clock goes on where it was and never backwards.
pub(crate) fn clock_offset(conn: &mut Connection, clock: &Clock) -> Result<i64, Error> {
    let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let boot = clock.boot_id();
    let seen = moment(&tx, "clock_seen")?.unwrap_or(0);
    let known: Option<String> = get(&tx, "clock_boot").unwrap_or_default();
    let offset = match moment(&tx, "clock_offset")? {
        // Where boots cannot be told apart, a clock that went back tells that there was one.
        Some(offset) if known.as_deref() == Some(&boot) && clock.boot() + offset >= seen => offset,
        _ => clock.wall().max(seen) - clock.boot(),
    };
    set(&tx, "clock_boot", &boot)?;
    set(&tx, "clock_offset", &offset)?;
    set(&tx, "clock_seen", &seen.max(clock.boot() + offset))?;
    tx.commit()?;
    Ok(offset)
}

/// A minute's progress is not worth a write, and none is while nothing waits for this clock.
const REMEMBER_CLOCK: &str = "
    UPDATE afterhours_meta SET value = ?1
    WHERE key = 'clock_seen' AND value < ?1 - 60000 AND (
        EXISTS (SELECT 1 FROM afterhours_runs WHERE due_store IS NOT NULL)
        OR EXISTS (SELECT 1 FROM afterhours_unique WHERE until IS NOT NULL)
        OR EXISTS (SELECT 1 FROM afterhours_schedules WHERE every IS NOT NULL))";

/// Remembers how far the store's clock has come, so that the next boot goes on from there even if the wall clock
/// was set back.
pub(crate) fn remember_clock(conn: &Connection, now: Millis) -> Result<(), Error> {
    conn.prepare_cached(REMEMBER_CLOCK)?.execute([now])?;
    Ok(())
}

/// A time that somebody wrote: one that is none, or so far off that sums with it overflow, counts as not written.
fn moment(conn: &Connection, key: &str) -> Result<Option<Millis>, Error> {
    const FURTHEST: Millis = i64::MAX / 8;
    let value: Option<rusqlite::types::Value> = get(conn, key)?;
    Ok(match value {
        Some(rusqlite::types::Value::Integer(moment)) => {
            Some(moment).filter(|moment| (-FURTHEST..FURTHEST).contains(moment))
        }
        _ => None,
    })
}

fn get<T: rusqlite::types::FromSql>(conn: &Connection, key: &str) -> Result<Option<T>, Error> {
    Ok(conn
        .query_row(
            "SELECT value FROM afterhours_meta WHERE key = ?1",
            [key],
            |row| row.get(0),
        )
        .optional()?)
}

fn set(conn: &Connection, key: &str, value: &dyn rusqlite::ToSql) -> Result<(), Error> {
    conn.execute("INSERT INTO afterhours_meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value", rusqlite::params![key, value])?;
    Ok(())
}
