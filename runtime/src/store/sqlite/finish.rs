//! Finish: nothing more will happen to the run. It stays for a while, or goes at once.

use rusqlite::{Connection, params};

use super::many::{Ids, Many, many};
use super::retry::record_attempt;
use super::{prune, ready, running, tick, unique};
use crate::clock::{Millis, Now};
use crate::error::Error;
use crate::run::{RunId, State};
use crate::store::{ClaimId, Ending, Settlement};

const FINISH: &str = "
    UPDATE afterhours_runs
    SET state = ?2, attempts = min(attempts, 1 << 32) + ?3, crashes = 0, started_at = ?4, finished_at = ?5, expires = ?6,
        room = NULL, note = ?7, result = ?8
    WHERE id = ?1";
const UNSCHEDULE: &str =
    "UPDATE afterhours_runs SET due_wall = NULL, due_store = NULL WHERE id = ?1";
/// It stays, so that its id is not given out again; pruning takes it later.
const HIGHEST: &str = "SELECT max(id) FROM afterhours_runs";
const FINISH_ALL: Many = many!(
    "UPDATE afterhours_runs
    SET state = 3, attempts = attempts + (attempts < 1 << 32), crashes = 0, started_at = ?3, finished_at = ?4, expires = ?5,
        room = NULL, note = NULL, result = NULL
    WHERE",
    "id",
    ""
);
/// The row with the highest id stays, so that its id is not given out again; pruning takes it later.
const DELETE: &str = "
    DELETE FROM afterhours_runs
    WHERE id = ?1 AND id < (SELECT max(id) FROM afterhours_runs)";

/// How a run ends, and what stays of it for how long.
struct End<'a> {
    state: State,
    keep: Millis,
    note: Option<&'a str>,
    result: Option<&'a [u8]>,
    /// When the attempt started that ends with it, if one does.
    attempt: Option<Millis>,
}

/// Writes the end of the run, unless the claim was lost.
pub(super) fn finish(conn: &Connection, settlement: &Settlement, now: Now) -> Result<bool, Error> {
    let (state, keep, note, result) = match &settlement.ending {
        Ending::Done { result, keep } => (State::Done, *keep, None, Some(&**result)),
        Ending::Failed {
            outcome,
            error,
            keep,
        } => {
            record_attempt(conn, settlement, *outcome, error, now)?;
            (State::Failed, *keep, Some(&**error), None)
        }
        Ending::Cancelled { reason, keep } => (State::Cancelled, *keep, Some(&**reason), None),
        Ending::Retry { .. } | Ending::Snooze { .. } | Ending::Release | Ending::Park { .. } => {
            return Ok(false);
        }
    };
    let attempt = running::leave(conn, settlement.id, settlement.claim)?;
    if attempt.is_none() {
        return Ok(false);
    }
    let end = End {
        state,
        keep,
        note,
        result,
        attempt,
    };
    write(conn, settlement.id, &end, now)?;
    Ok(true)
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
    ids: Vec<i64>,
    now: Now,
) -> Result<Vec<i64>, Error> {
    let mut finished = Vec::with_capacity(ids.len());
    for ids in Ids::of(ids) {
        if let Some(started_at) = running::leave_all(conn, &ids, plain.claim)? {
            finished.extend(ids.iter());
            let kept = if plain.keep == 0 {
                delete_all(conn, &ids, now)?
            } else {
                vec![ids]
            };
            let expires = now.store.saturating_add(plain.keep);
            for ids in kept {
                let (finish, first, last) = ids.bind(&FINISH_ALL);
                conn.prepare_cached(finish)?
                    .execute(params![first, last, started_at, now.wall, expires])?;
            }
        }
    }
    Ok(finished)
}

/// Returns what stays of them.
fn delete_all(conn: &Connection, ids: &Ids, now: Now) -> Result<Vec<Ids>, Error> {
    let highest: i64 = conn
        .prepare_cached(HIGHEST)?
        .query_row([], |row| row.get(0))?;
    let (gone, kept) = ids.iter().partition(|id| *id < highest);
    for ids in Ids::of(gone) {
        tick::remember_done(conn, &ids, now.wall)?;
        prune::delete(conn, &ids, now)?;
    }
    Ok(Ids::of(kept))
}

/// Ends a run that waits or is parked.
pub(super) fn unclaimed(
    conn: &Connection,
    id: RunId,
    state: State,
    note: &str,
    keep: Millis,
    now: Now,
) -> Result<(), Error> {
    ready::leave(conn, id.0)?;
    conn.prepare_cached(UNSCHEDULE)?.execute([id.0])?;
    let end = End {
        state,
        keep,
        note: Some(note),
        result: None,
        attempt: None,
    };
    write(conn, id, &end, now)
}

fn write(conn: &Connection, RunId(id): RunId, end: &End<'_>, now: Now) -> Result<(), Error> {
    if end.keep == 0 && conn.prepare_cached(DELETE)?.execute([id])? == 1 {
        let run = Ids::one(id);
        prune::delete_attempts(conn, &run)?;
        unique::forget(conn, &run, now)?;
        return tick::remember(conn, id, end.state, now.wall, end.note);
    }
    conn.prepare_cached(FINISH)?.execute(params![
        id,
        end.state.code(),
        i64::from(end.attempt.is_some()),
        end.attempt,
        now.wall,
        now.store.saturating_add(end.keep),
        end.note,
        end.result.filter(|result| !result.is_empty())
    ])?;
    Ok(())
}
