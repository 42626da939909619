//! Which runs are running, and under which claim. A run ends, or waits again, by leaving this table: whoever finds it
//! there no more under its own claim has lost it.

use rusqlite::{Connection, OptionalExtension, params};

use super::many::{Ids, Many, many};
use crate::clock::Millis;
use crate::error::Error;
use crate::progress::Progress;
use crate::run::RunId;
use crate::store::ClaimId;

/// An older claim, of which nothing else is left, is lost.
const TAKE: Many = many!(
    "INSERT OR REPLACE INTO afterhours_running (run, claim, started_at)
    SELECT id, ?3, ?4 FROM afterhours_runs WHERE",
    "id",
    ""
);
const LEAVE: &str =
    "DELETE FROM afterhours_running WHERE run = ?1 AND claim = ?2 RETURNING started_at";
/// All runs of one claim have started at one moment.
const HELD: Many = many!(
    "SELECT count(*), min(started_at) FROM afterhours_running WHERE claim = ?3 AND",
    "run",
    ""
);
const LEAVE_ALL: Many = many!("DELETE FROM afterhours_running WHERE", "run", "");

const PROGRESS: &str =
    "UPDATE afterhours_running SET done = ?3, total = ?4 WHERE run = ?1 AND claim = ?2";

/// Writes down how far attempts have come.
pub(super) fn progress(
    conn: &Connection,
    told: &[(RunId, ClaimId, Progress)],
) -> Result<(), Error> {
    let mut write = conn.prepare_cached(PROGRESS)?;
    for (run, claim, Progress { done, total }) in told {
        // What is more than SQLite can count is as much as it can.
        let [done, total] = [*done, *total].map(|steps| i64::try_from(steps).unwrap_or(i64::MAX));
        write.execute(params![run.0, claim.0, done, total])?;
    }
    Ok(())
}

/// A claim takes these runs.
pub(super) fn take(
    conn: &Connection,
    claim: ClaimId,
    runs: Vec<i64>,
    now: Millis,
) -> Result<(), Error> {
    for runs in Ids::of(runs) {
        let (take, first, last) = runs.bind(&TAKE);
        conn.prepare_cached(take)?
            .execute(params![first, last, claim.0, now])?;
    }
    Ok(())
}

/// The run ends or waits again; returns when its attempt started. `None` if the claim was lost.
pub(super) fn leave(
    conn: &Connection,
    run: RunId,
    claim: ClaimId,
) -> Result<Option<Millis>, Error> {
    Ok(conn
        .prepare_cached(LEAVE)?
        .query_row([run.0, claim.0], |row| row.get(0))
        .optional()?)
}

/// As [`leave`], for all of these or, if one has lost the claim, for none.
pub(super) fn leave_all(
    conn: &Connection,
    runs: &Ids,
    claim: ClaimId,
) -> Result<Option<Millis>, Error> {
    let (held, first, last) = runs.bind(&HELD);
    let (count, started_at): (i64, Option<Millis>) = conn
        .prepare_cached(held)?
        .query_row(params![first, last, claim.0], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    if count == runs.count() {
        let (leave, first, last) = runs.bind(&LEAVE_ALL);
        conn.prepare_cached(leave)?.execute([first, last])?;
        return Ok(started_at);
    }
    Ok(None)
}
