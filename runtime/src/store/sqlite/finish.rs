//! Finish: nothing more will happen to the run. It stays for a while, or goes at once.

use rusqlite::{Connection, params};

use super::retry::record_attempt;
use super::{prune, tick, unique};
use crate::clock::{Millis, Now};
use crate::error::Error;
use crate::run::{RunId, State};
use crate::store::{ClaimId, Ending, Settlement};

const FINISH: &str = "
    UPDATE afterhours_runs
    SET state = ?3, claim = NULL, suspect = 0, crashes = 0, cancel_keep = NULL, finished_at = ?4, expires = ?5, note = ?6, result = ?7
    WHERE id = ?1 AND claim IS ?2";
/// The row with the highest id stays, so that its id is not given out again; pruning takes it later.
const DELETE: &str = "
    DELETE FROM afterhours_runs
    WHERE id = ?1 AND claim IS ?2 AND id < (SELECT max(id) FROM afterhours_runs)";

/// Writes the end of the run, unless the claim was lost.
pub(super) fn finish(conn: &Connection, settlement: &Settlement, now: Now) -> Result<bool, Error> {
    let held = (settlement.id, Some(settlement.claim));
    match &settlement.ending {
        Ending::Done { result, keep } => {
            end(conn, held, now, State::Done, *keep, None, Some(result))
        }
        Ending::Failed {
            outcome,
            error,
            keep,
        } => {
            record_attempt(conn, settlement, *outcome, error, now)?;
            end(conn, held, now, State::Failed, *keep, Some(error), None)
        }
        Ending::Cancelled { reason, keep } => {
            end(conn, held, now, State::Cancelled, *keep, Some(reason), None)
        }
        Ending::Retry { .. } | Ending::Snooze { .. } | Ending::Release | Ending::Park { .. } => {
            Ok(false)
        }
    }
}

/// Ends a run that no worker holds.
pub(super) fn cancelled(
    conn: &Connection,
    id: RunId,
    reason: &str,
    keep: Millis,
    now: Now,
) -> Result<bool, Error> {
    end(
        conn,
        (id, None),
        now,
        State::Cancelled,
        keep,
        Some(reason),
        None,
    )
}

fn end(
    conn: &Connection,
    (id, claim): (RunId, Option<ClaimId>),
    now: Now,
    state: State,
    keep: Millis,
    note: Option<&str>,
    result: Option<&[u8]>,
) -> Result<bool, Error> {
    let (id, claim) = (id.0, claim.map(|claim| claim.0));
    if keep == 0 && conn.prepare_cached(DELETE)?.execute(params![id, claim])? == 1 {
        conn.prepare_cached(prune::DELETE_ATTEMPTS)?.execute([id])?;
        unique::forget(conn, id, now)?;
        tick::remember(conn, id, state, now.wall, note)?;
        return Ok(true);
    }
    let expires = now.store.saturating_add(keep);
    let result = result.filter(|result| !result.is_empty());
    Ok(conn.prepare_cached(FINISH)?.execute(params![
        id,
        claim,
        state.code(),
        now.wall,
        expires,
        note,
        result
    ])? == 1)
}
