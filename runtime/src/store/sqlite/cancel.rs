//! Cancel: a run that waits ends at once. One that runs is asked to end, and then ends as cancelled, unless it succeeds.

use rusqlite::{Connection, OptionalExtension, params};

use super::finish;
use super::retry::record_attempt;
use crate::clock::{Millis, Now};
use crate::error::Error;
use crate::run::{BY_A_CALLER, RunId, State};
use crate::store::{ClaimId, Effects, Ending, Settlement, WorkerId};

const STATE: &str = "SELECT state FROM afterhours_runs WHERE id = ?1";
/// How long it is to be kept is what says that a run is asked to end.
const ASK: &str = "UPDATE afterhours_running SET cancel_keep = ?2 WHERE run = ?1";
const ASKED: &str = "
    SELECT run, claim FROM afterhours_running INDEXED BY afterhours_cancelling
    WHERE cancel_keep IS NOT NULL AND claim BETWEEN ?1 AND ?2";
const KEEP: &str = "SELECT cancel_keep FROM afterhours_running WHERE run = ?1 AND claim = ?2";

/// False if the run has ended, or never was.
pub(super) fn cancel(
    conn: &Connection,
    effects: &mut Effects,
    id: RunId,
    keep: Millis,
    now: Now,
) -> Result<bool, Error> {
    let state: Option<i64> = conn
        .prepare_cached(STATE)?
        .query_row([id.0], |row| row.get(0))
        .optional()?;
    match state.map(State::from_code) {
        Some(State::Ready) if is_asked(conn, id, keep)? => {
            effects.cancelling = true;
            Ok(true)
        }
        Some(State::Ready | State::Scheduled | State::Incompatible) => {
            finish::unclaimed(conn, id, State::Cancelled, BY_A_CALLER, keep, now)?;
            effects.finished.push((id, by_a_caller(keep)));
            Ok(true)
        }
        Some(State::Running | State::Done | State::Failed | State::Cancelled) | None => Ok(false),
    }
}

/// Asks the run to end, if it is running.
fn is_asked(conn: &Connection, id: RunId, keep: Millis) -> Result<bool, Error> {
    Ok(conn.prepare_cached(ASK)?.execute(params![id.0, keep])? == 1)
}

/// Which of a worker's runs are asked to end.
pub(super) fn cancelling(
    conn: &Connection,
    worker: WorkerId,
) -> Result<Vec<(RunId, ClaimId)>, Error> {
    let (first, last) = ClaimId::range_of(worker);
    let mut asked = conn.prepare_cached(ASKED)?;
    let runs = asked.query_map([first, last], |row| {
        Ok((RunId(row.get(0)?), ClaimId(row.get(1)?)))
    })?;
    Ok(runs.collect::<Result<_, _>>()?)
}

/// What is written instead of an attempt's end, if its run was asked to end: nothing follows any more.
pub(super) fn instead(
    conn: &Connection,
    settlement: &Settlement,
    now: Now,
) -> Result<Option<Settlement>, Error> {
    if let Ending::Done { .. } | Ending::Cancelled { .. } = settlement.ending {
        return Ok(None);
    }
    let keep: Option<Option<Millis>> = conn
        .prepare_cached(KEEP)?
        .query_row([settlement.id.0, settlement.claim.0], |row| row.get(0))
        .optional()?;
    let Some(keep) = keep.flatten() else {
        return Ok(None);
    };
    if let Ending::Retry { outcome, error, .. } | Ending::Failed { outcome, error, .. } =
        &settlement.ending
    {
        record_attempt(conn, settlement, *outcome, error, now)?;
    }
    Ok(Some(Settlement {
        ending: by_a_caller(keep),
        ..*settlement
    }))
}

pub(super) fn by_a_caller(keep: Millis) -> Ending {
    Ending::Cancelled {
        reason: BY_A_CALLER.to_owned(),
        keep,
    }
}
