//! Tick: a schedule's due moment becomes one run, whoever notices it first. Also a run out of turn.

use rusqlite::{Connection, OptionalExtension, params};

use super::many::{Ids, Many, many};
use super::{Kinds, insert};
use crate::clock::{Millis, Now};
use crate::error::Error;
use crate::failpoint;
use crate::job::Overlap;
use crate::run::State;
use crate::store::{Effects, Inserted, NewRun, ScheduleRow, ScheduleView, Tick, Ticked};

const LAST: &str = "SELECT last_tick, last_run, paused FROM afterhours_schedules WHERE name = ?1";
const ACTIVE: &str = "SELECT count(*) FROM afterhours_runs WHERE id = ?1 AND state IN (0, 1)";
const WRITE: &str = "
    UPDATE afterhours_schedules
    SET last_tick = ?2, missed_ticks = missed_ticks + ?3, skipped_ticks = skipped_ticks + ?4, failures = failures + ?5
    WHERE name = ?1";
const WRITE_RUN: &str = "
    UPDATE afterhours_schedules SET last_run = ?2, last_state = NULL, last_ended = NULL, last_note = NULL WHERE name = ?1";
const REMEMBER: &str = "
    UPDATE afterhours_schedules SET last_state = ?2, last_ended = ?3, last_note = ?4 WHERE last_run = ?1";
const REMEMBER_DONE: Many = many!(
    "UPDATE afterhours_schedules SET last_state = 3, last_ended = ?3, last_note = NULL WHERE",
    "last_run",
    ""
);
const REMEMBER_ROWS: Many = many!(
    "UPDATE afterhours_schedules
    SET (last_state, last_ended, last_note) = (SELECT state, finished_at, note FROM afterhours_runs WHERE id = last_run)
    WHERE",
    "last_run",
    ""
);

/// Compares with the schedule's last tick and sets it, in one transaction with the run.
pub(super) fn tick(
    conn: &Connection,
    kinds: &mut Kinds,
    effects: &mut Effects,
    tick: &Tick,
    now: Now,
) -> Result<Ticked, Error> {
    let last: Option<(Option<Millis>, Option<i64>, bool)> = conn
        .prepare_cached(LAST)?
        .query_row([&*tick.schedule], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let Some((last_tick, last_run, is_paused)) = last else {
        return Ok(Ticked::Gone);
    };
    if last_tick != tick.after {
        return Ok(Ticked::Taken(last_tick));
    }
    let ticked = if is_paused {
        Ticked::Paused
    } else if tick.overlap == Overlap::Skip && is_active(conn, last_run)? {
        Ticked::Overlap
    } else {
        let due = (tick.due_at, now);
        match run(conn, kinds, effects, &tick.schedule, &tick.run, due)? {
            Inserted {
                is_duplicate: true, ..
            } => Ticked::Overlap,
            Inserted { id, .. } => Ticked::Fired(id),
        }
    };
    failpoint::reached("in-tick");
    let skipped = u32::from(ticked == Ticked::Overlap);
    conn.prepare_cached(WRITE)?.execute(params![
        &*tick.schedule,
        tick.at,
        tick.missed,
        skipped,
        tick.failures
    ])?;
    Ok(ticked)
}

/// The next tick then finds this run active, as it would its own.
pub(super) fn run_now(
    conn: &Connection,
    kinds: &mut Kinds,
    effects: &mut Effects,
    schedule: &ScheduleView,
    now: Now,
) -> Result<Inserted, Error> {
    let ScheduleRow { name, run: new, .. } = &schedule.row;
    if let Some(reason) = &schedule.unreadable {
        return Err(Error::Schedule {
            schedule: name.clone(),
            reason: reason.clone(),
        });
    }
    run(conn, kinds, effects, name, new, (now.wall, now))
}

fn run(
    conn: &Connection,
    kinds: &mut Kinds,
    effects: &mut Effects,
    schedule: &str,
    run: &NewRun,
    (due_at, now): (Millis, Now),
) -> Result<Inserted, Error> {
    let inserted = insert::insert(conn, kinds, effects, run, now, Some(due_at))?;
    if !inserted.is_duplicate {
        conn.prepare_cached(WRITE_RUN)?
            .execute(params![schedule, inserted.id.0])?;
    }
    Ok(inserted)
}

fn is_active(conn: &Connection, run: Option<i64>) -> Result<bool, Error> {
    Ok(conn
        .prepare_cached(ACTIVE)?
        .query_row([run], |row| row.get(0))?)
}

/// A run ends and leaves no row: a schedule whose last one it was remembers how it ended.
pub(super) fn remember(
    conn: &Connection,
    run: i64,
    state: State,
    ended: Millis,
    note: Option<&str>,
) -> Result<(), Error> {
    conn.prepare_cached(REMEMBER)?
        .execute(params![run, state.code(), ended, note])?;
    Ok(())
}

/// As [`remember`], for runs that are done.
pub(super) fn remember_done(conn: &Connection, runs: &Ids, ended: Millis) -> Result<(), Error> {
    let (remember, first, last) = runs.bind(&REMEMBER_DONE);
    conn.prepare_cached(remember)?
        .execute(params![first, last, ended])?;
    Ok(())
}

/// As [`remember`], for runs that have ended and whose rows are about to go.
pub(super) fn remember_rows(conn: &Connection, runs: &Ids) -> Result<(), Error> {
    let (remember, first, last) = runs.bind(&REMEMBER_ROWS);
    conn.prepare_cached(remember)?.execute([first, last])?;
    Ok(())
}
