//! What a person decides about a run that no attempt is at work on: once more, or never again.

use rusqlite::{Connection, OptionalExtension};

use super::many::Ids;
use super::{finish, ready};
use crate::clock::{Now, duration_millis};
use crate::error::Error;
use crate::run::{AttemptOutcome, DISCARDED, KEEP_FAILED, RunId, State};
use crate::store::{Effects, Ending};

const STATE: &str = "
    SELECT state, EXISTS (SELECT 1 FROM afterhours_running WHERE run = id) FROM afterhours_runs WHERE id = ?1";
/// What it has come to before is in its history.
const AGAIN: &str = "
    UPDATE afterhours_runs
    SET state = 0, crashes = 0, due_wall = NULL, due_store = NULL, started_at = NULL, finished_at = NULL, expires = NULL,
        note = NULL, result = NULL
    WHERE id = ?1";

/// Makes a run ready that waits for its time, has not succeeded, or is parked; false if it is none of these.
pub(super) fn retry(conn: &Connection, effects: &mut Effects, id: RunId) -> Result<bool, Error> {
    match state(conn, id)? {
        Some(State::Scheduled | State::Failed | State::Cancelled | State::Incompatible) => {
            conn.prepare_cached(AGAIN)?.execute([id.0])?;
            ready::add_all(conn, &Ids::one(id.0))?;
            effects.ready = true;
            Ok(true)
        }
        Some(State::Ready | State::Running | State::Done) | None => Ok(false),
    }
}

/// Fails a run that waits or is parked; false if it is none of these.
pub(super) fn discard(
    conn: &Connection,
    effects: &mut Effects,
    id: RunId,
    now: Now,
) -> Result<bool, Error> {
    match state(conn, id)? {
        Some(State::Ready | State::Scheduled | State::Incompatible) => {
            let keep = duration_millis(KEEP_FAILED);
            finish::unclaimed(conn, id, State::Failed, DISCARDED, keep, now)?;
            let failed = Ending::Failed {
                outcome: AttemptOutcome::Error,
                error: DISCARDED.to_owned(),
                keep,
            };
            effects.finished.push((id, failed));
            Ok(true)
        }
        Some(State::Running | State::Done | State::Failed | State::Cancelled) | None => Ok(false),
    }
}

fn state(conn: &Connection, id: RunId) -> Result<Option<State>, Error> {
    let found: Option<(i64, bool)> = conn
        .prepare_cached(STATE)?
        .query_row([id.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(
        found.map(|(code, is_running)| match State::from_code(code) {
            State::Ready if is_running => State::Running,
            state => state,
        }),
    )
}
