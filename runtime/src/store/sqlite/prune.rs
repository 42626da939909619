//! Prune: finished runs go when their time is over or when they are too many, a few at a time.

use rusqlite::{Connection, OptionalExtension, params};

use crate::clock::{Millis, Now};
use crate::error::Error;
use crate::run::State;
use crate::store::KeepCaps;

const CUTOFF: &str = "SELECT expires FROM afterhours_runs WHERE state = ?1 AND expires IS NOT NULL ORDER BY expires DESC LIMIT 1 OFFSET ?2";
/// The row with the highest id stays, so that its id is not given out again.
const EXPIRED: &str = "
    SELECT id FROM afterhours_runs
    WHERE state = ?1 AND expires <= ?2 AND id < (SELECT max(id) FROM afterhours_runs)
    ORDER BY expires LIMIT ?3";
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
        let too_many: Option<Millis> = conn
            .prepare_cached(CUTOFF)?
            .query_row(params![state.code(), cap], |row| row.get(0))
            .optional()?;
        let before = too_many.unwrap_or(now.store).max(now.store);
        deleted += delete(conn, state, before, limit - deleted)?;
    }
    if deleted > 0 {
        // One row for each page that was given back; none is needed.
        conn.prepare_cached(VACUUM)?
            .query_map([], |_| Ok(()))?
            .for_each(drop);
    }
    Ok(deleted)
}

fn delete(conn: &Connection, state: State, before: Millis, limit: u32) -> Result<u32, Error> {
    let ids: Vec<i64> = conn
        .prepare_cached(EXPIRED)?
        .query_map(params![state.code(), before, limit], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let (mut run, mut attempts) = (
        conn.prepare_cached(DELETE)?,
        conn.prepare_cached(DELETE_ATTEMPTS)?,
    );
    for id in &ids {
        run.execute([id])?;
        attempts.execute([id])?;
    }
    Ok(count(ids.len()))
}

/// The statement's own limit was such a number.
pub(super) fn count(rows: usize) -> u32 {
    u32::try_from(rows).unwrap_or(u32::MAX)
}
