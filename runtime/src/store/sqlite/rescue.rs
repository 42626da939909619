//! Rescue: what a dead worker had claimed becomes ready again, or ends if it was asked to.

use rusqlite::{Connection, params};

use super::cancel::by_a_caller;
use super::finish::finish;
use super::prune::count;
use crate::clock::{Millis, Now};
use crate::error::Error;
use crate::run::{AttemptOutcome, RunId};
use crate::store::{ClaimId, Effects, Settlement, WorkerId};

const CLAIMED: &str =
    "SELECT id, claim, cancel_keep FROM afterhours_runs WHERE claim BETWEEN ?1 AND ?2 LIMIT ?3";
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
    let claimed: Vec<(i64, i64, Option<Millis>)> = conn
        .prepare_cached(CLAIMED)?
        .query_map(params![first, last, limit], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?
        .collect::<Result<_, _>>()?;
    for (id, claim, cancel_keep) in &claimed {
        conn.prepare_cached(RECORD)?.execute(params![
            id,
            AttemptOutcome::WorkerLost.code(),
            "worker lost",
            now.wall
        ])?;
        match cancel_keep {
            Some(keep) => {
                let settlement = Settlement {
                    id: RunId(*id),
                    claim: ClaimId(*claim),
                    ending: by_a_caller(*keep),
                };
                finish(conn, &settlement, now)?;
                effects.finished.push((settlement.id, settlement.ending));
            }
            None => {
                conn.prepare_cached(RESCUE)?.execute([id])?;
                effects.ready = true;
            }
        }
    }
    Ok(count(claimed.len()))
}
