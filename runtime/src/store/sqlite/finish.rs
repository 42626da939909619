//! Finish: nothing more will happen to the run. It stays for a while, or goes at once.

use rusqlite::{Connection, params};

use super::many::{Ids, Many, many};
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
const UNSCHEDULE: &str =
    "UPDATE afterhours_runs SET due_wall = NULL, due_store = NULL WHERE id = ?1";
/// With nothing to be cleared, as most are: what is not written needs no look at its indexes.
const HELD: Many = many!(
    "SELECT id FROM afterhours_runs WHERE",
    "id",
    "AND claim = ?3 AND crashes = 0 AND suspect = 0 AND cancel_keep IS NULL AND note IS NULL AND result IS NULL"
);
/// It stays, so that its id is not given out again; pruning takes it later.
const HIGHEST: &str = "SELECT max(id) FROM afterhours_runs";
const FINISH_ALL: Many = many!(
    "UPDATE afterhours_runs SET state = 3, claim = NULL, finished_at = ?3, expires = ?4 WHERE",
    "id",
    ""
);
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

/// Runs of one claim that are done without a result, as most are, and stay for the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Plain {
    pub(super) claim: ClaimId,
    keep: Millis,
}

impl Plain {
    pub(super) fn of(settlement: &Settlement) -> Option<Self> {
        match &settlement.ending {
            Ending::Done { result, keep } if result.is_empty() => Some(Self {
                claim: settlement.claim,
                keep: *keep,
            }),
            _ => None,
        }
    }
}

/// As [`finish`] for many at once; returns those that it has finished. Of the others some may hold their claim.
pub(super) fn finish_all(
    conn: &Connection,
    plain: Plain,
    ids: impl Iterator<Item = i64>,
    now: Now,
) -> Result<Vec<i64>, Error> {
    let mut held = Vec::new();
    for ids in Ids::of(ids.collect()) {
        let (select, first, last) = ids.bind(&HELD);
        let mut select = conn.prepare_cached(select)?;
        for id in select.query_map(params![first, last, plain.claim.0], |row| row.get(0))? {
            held.push(id?);
        }
    }
    let (gone, kept): (Vec<i64>, Vec<i64>) = if plain.keep == 0 {
        let highest: i64 = conn
            .prepare_cached(HIGHEST)?
            .query_row([], |row| row.get(0))?;
        held.iter().partition(|id| **id < highest)
    } else {
        (Vec::new(), held.clone())
    };
    for ids in Ids::of(gone) {
        tick::remember_done(conn, &ids, now.wall)?;
        prune::delete(conn, &ids, now)?;
    }
    let expires = now.store.saturating_add(plain.keep);
    for ids in Ids::of(kept) {
        let (finish, first, last) = ids.bind(&FINISH_ALL);
        conn.prepare_cached(finish)?
            .execute(params![first, last, now.wall, expires])?;
    }
    Ok(held)
}

/// Ends a run that no worker holds.
pub(super) fn cancelled(
    conn: &Connection,
    id: RunId,
    reason: &str,
    keep: Millis,
    now: Now,
) -> Result<bool, Error> {
    conn.prepare_cached(UNSCHEDULE)?.execute([id.0])?;
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
        let run = Ids::one(id);
        prune::delete_attempts(conn, &run)?;
        unique::forget(conn, &run, now)?;
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
