//! Rescue: what a dead worker had claimed becomes ready again.

use rusqlite::{Connection, params};

use super::prune::count;
use crate::clock::Now;
use crate::error::Error;
use crate::run::AttemptOutcome;
use crate::store::{ClaimId, Effects, WorkerId};

const CLAIMED: &str = "SELECT id FROM afterhours_runs WHERE claim BETWEEN ?1 AND ?2 LIMIT ?3";
const RECORD: &str = "
    INSERT INTO afterhours_attempts (run, seq, attempt, outcome, error, started_at, ended_at)
    SELECT id, 1 + (SELECT coalesce(max(seq), 0) FROM afterhours_attempts WHERE run = id), attempts, ?2, ?3, started_at, ?4
    FROM afterhours_runs WHERE id = ?1";
const RESCUE: &str =
    "UPDATE afterhours_runs SET state = 0, claim = NULL, crashes = crashes + 1 WHERE id = ?1";

/// The caller holds the dead worker's lock.
pub(super) fn rescue(
    conn: &Connection,
    effects: &mut Effects,
    worker: WorkerId,
    limit: u32,
    now: Now,
) -> Result<u32, Error> {
    let (first, last) = ClaimId::range_of(worker);
    let ids: Vec<i64> = conn
        .prepare_cached(CLAIMED)?
        .query_map(params![first, last, limit], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for id in &ids {
        conn.prepare_cached(RECORD)?.execute(params![
            id,
            AttemptOutcome::WorkerLost.code(),
            "worker lost",
            now.wall
        ])?;
        conn.prepare_cached(RESCUE)?.execute([id])?;
    }
    effects.ready |= !ids.is_empty();
    Ok(count(ids.len()))
}
