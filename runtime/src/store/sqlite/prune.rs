//! Prune: finished runs go when their time is over or when they are too many, a few at a time.

use rusqlite::{Connection, OptionalExtension, params};

use super::{schema, tick, unique};
use crate::clock::{Millis, Now};
use crate::error::Error;
use crate::run::{RunId, State};
use crate::store::KeepCaps;

/// The first run beyond the number that may stay. Many can end in one moment, so their ids count too.
const CUTOFF: &str = "
    SELECT expires, id FROM afterhours_runs WHERE state = ?1 AND expires IS NOT NULL
    ORDER BY expires DESC, id DESC LIMIT 1 OFFSET ?2";
/// The row with the highest id stays, so that its id is not given out again. With the pluses SQLite does not look at all
/// rows in the order of their ids.
const EXPIRED: &str = "
    SELECT id FROM afterhours_runs INDEXED BY afterhours_finished
    WHERE state = ?1 AND expires <= ?2 AND (expires < ?2 OR +id <= ?3) AND +id < (SELECT max(id) FROM afterhours_runs)
    ORDER BY expires, id LIMIT ?4";
const DELETE: &str = "DELETE FROM afterhours_runs WHERE id = ?1";
pub(super) const DELETE_ATTEMPTS: &str = "DELETE FROM afterhours_attempts WHERE run = ?1";
/// Pages given back to the file system in one step.
const VACUUM: &str = "PRAGMA incremental_vacuum(256)";

pub(super) fn prune(conn: &Connection, limit: u32, caps: KeepCaps, now: Now) -> Result<u32, Error> {
    let mut deleted = 0;
    for (state, cap) in [
        (State::Done, caps.done),
        (State::Failed, caps.failed),
        (State::Cancelled, caps.done),
    ] {
        let too_many = conn
            .prepare_cached(CUTOFF)?
            .query_row(params![state.code(), cap], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        let before = (now.store, i64::MAX).max(too_many.unwrap_or((i64::MIN, 0)));
        deleted += delete(conn, state, before, limit - deleted, now)?;
    }
    unique::prune(conn, limit, now)?;
    schema::remember_clock(conn, now.store)?;
    if deleted > 0 {
        // One row for each page that was given back; none is needed.
        conn.prepare_cached(VACUUM)?
            .query_map([], |_| Ok(()))?
            .for_each(drop);
    }
    Ok(deleted)
}

/// Deletes what expires at this moment, with ids up to this one, and all that expires earlier.
fn delete(
    conn: &Connection,
    state: State,
    (expires, id): (Millis, i64),
    limit: u32,
    now: Now,
) -> Result<u32, Error> {
    let ids: Vec<i64> = conn
        .prepare_cached(EXPIRED)?
        .query_map(params![state.code(), expires, id, limit], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let (mut run, mut attempts) = (
        conn.prepare_cached(DELETE)?,
        conn.prepare_cached(DELETE_ATTEMPTS)?,
    );
    for id in &ids {
        tick::remember_row(conn, RunId(*id))?;
        run.execute([id])?;
        attempts.execute([id])?;
        unique::forget(conn, *id, now)?;
    }
    Ok(count(ids.len()))
}

/// The statement's own limit was such a number.
pub(super) fn count(rows: usize) -> u32 {
    u32::try_from(rows).unwrap_or(u32::MAX)
}
