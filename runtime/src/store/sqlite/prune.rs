//! Prune: finished runs go when their time is over or when they are too many, a few at a time; then the file shrinks.

use rusqlite::{Connection, OptionalExtension, params};

use super::many::{Ids, Many, many};
use super::{schema, tick, unique};
use crate::clock::{Millis, Now};
use crate::error::Error;
use crate::run::State;
use crate::store::{Cutoffs, KeepCaps};

/// The first run beyond the number that may stay. Many can end in one moment, so their ids count too.
const CUTOFF: &str = "
    SELECT expires, id FROM afterhours_runs WHERE state = ?1 AND expires IS NOT NULL
    ORDER BY expires DESC, id DESC LIMIT 1 OFFSET ?2";
/// The row with the highest id stays, so that its id is not given out again. The plus keeps SQLite from looking at all
/// rows in the order of their ids instead of the first in this order.
const EXPIRED: &str = "
    SELECT id FROM afterhours_runs INDEXED BY afterhours_finished
    WHERE state = ?1 AND expires <= ?2 AND (expires < ?2 OR +id <= ?3) AND +id < (SELECT max(id) FROM afterhours_runs)
    ORDER BY expires, id LIMIT ?4";
const DELETE: Many = many!("DELETE FROM afterhours_runs WHERE", "id", "");
const DELETE_ATTEMPTS: Many = many!("DELETE FROM afterhours_attempts WHERE", "run", "");

/// So many unused pages, and a quarter of the file, wait to be used again.
const SPARE_PAGES: i64 = 1024;
/// Pages given back to the file system in one step.
const SHRINK: &str = "PRAGMA incremental_vacuum(256)";

/// Reads as far as the caps reach.
pub(crate) fn cutoffs(conn: &Connection, caps: KeepCaps) -> Result<Cutoffs, Error> {
    let mut first_too_many = conn.prepare_cached(CUTOFF)?;
    let mut cutoff = |state: State, cap: u32| {
        let values = params![state.code(), cap];
        first_too_many
            .query_row(values, |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
    };
    Ok(Cutoffs {
        done: cutoff(State::Done, caps.done)?,
        failed: cutoff(State::Failed, caps.failed)?,
        cancelled: cutoff(State::Cancelled, caps.done)?,
    })
}

pub(super) fn prune(
    conn: &Connection,
    limit: u32,
    cutoffs: &Cutoffs,
    now: Now,
) -> Result<u32, Error> {
    let mut deleted = 0;
    for (state, too_many) in [
        (State::Done, cutoffs.done),
        (State::Failed, cutoffs.failed),
        (State::Cancelled, cutoffs.cancelled),
    ] {
        let before = (now.store, i64::MAX).max(too_many.unwrap_or((i64::MIN, 0)));
        let ids = expired(conn, state, before, limit - deleted)?;
        deleted += count(ids.len());
        for ids in Ids::of(ids) {
            tick::remember_rows(conn, &ids)?;
            delete(conn, &ids, now)?;
        }
    }
    unique::prune(conn, limit, now)?;
    schema::remember_clock(conn, now.store)?;
    Ok(deleted)
}

/// What expires at this moment, with ids up to this one, and all that expires earlier.
fn expired(
    conn: &Connection,
    state: State,
    (expires, id): (Millis, i64),
    limit: u32,
) -> Result<Vec<i64>, Error> {
    let mut expired = conn.prepare_cached(EXPIRED)?;
    let ids = expired.query_map(params![state.code(), expires, id, limit], |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// Deletes runs, and what belongs to them; schedules have heard of their ends.
pub(super) fn delete(conn: &Connection, runs: &Ids, now: Now) -> Result<(), Error> {
    let (delete, first, last) = runs.bind(&DELETE);
    conn.prepare_cached(delete)?.execute([first, last])?;
    delete_attempts(conn, runs)?;
    unique::forget(conn, runs, now)
}

pub(super) fn delete_attempts(conn: &Connection, runs: &Ids) -> Result<(), Error> {
    let (delete, first, last) = runs.bind(&DELETE_ATTEMPTS);
    conn.prepare_cached(delete)?.execute([first, last])?;
    Ok(())
}

/// Gives a few unused pages back to the file system if there are many; true if there are still.
pub(super) fn shrink(conn: &Connection) -> Result<bool, Error> {
    let number = |pragma| -> Result<i64, Error> {
        let mut number = conn.prepare_cached(pragma)?;
        Ok(number.query_row([], |row| row.get(0))?)
    };
    let unused = number("PRAGMA freelist_count")?;
    if unused <= SPARE_PAGES.max(number("PRAGMA page_count")? / 4) {
        return Ok(false);
    }
    // One row for each page that was given back; none is needed.
    conn.prepare_cached(SHRINK)?
        .query_map([], |_| Ok(()))?
        .for_each(drop);
    // A file that is older than our tables may have no way to shrink.
    Ok(number("PRAGMA freelist_count")? < unused)
}

/// The statement's own limit was such a number.
pub(super) fn count(rows: usize) -> u32 {
    u32::try_from(rows).unwrap_or(u32::MAX)
}
