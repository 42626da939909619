//! Retry and snooze: the run waits for its time again.

use rusqlite::{Connection, OptionalExtension, params};

use super::running;
use crate::clock::Now;
use crate::error::Error;
use crate::run::AttemptOutcome;
use crate::sizes::HISTORY;
use crate::store::{Effects, Ending, Settlement};

const AGAIN: &str = "
    UPDATE afterhours_runs
    SET state = 1, crashes = 0, due_store = ?2, due_wall = NULL, attempts = min(attempts, 1 << 32) + ?3
    WHERE id = ?1";
/// Whatever a stranger has written, the end of an attempt can be: a number that cannot follow counts as none.
const RECORD: &str = "
    INSERT OR REPLACE INTO afterhours_attempts (run, seq, attempt, outcome, error, started_at, ended_at)
    SELECT id, 1 + (SELECT coalesce(max(seq), 0) FROM afterhours_attempts WHERE run = id AND seq BETWEEN 0 AND 1 << 40),
        min(attempts, 1 << 32) + 1, ?3, ?4, running.started_at, ?5
    FROM afterhours_running AS running CROSS JOIN afterhours_runs AS runs ON runs.id = running.run
    WHERE running.run = ?1 AND claim = ?2
    RETURNING seq";
const FORGET: &str = "DELETE FROM afterhours_attempts WHERE run = ?1 AND seq <= ?2";

/// Schedules the run again, unless the claim was lost.
pub(super) fn retry(
    conn: &Connection,
    effects: &mut Effects,
    settlement: &Settlement,
    now: Now,
) -> Result<bool, Error> {
    let (due, attempts) = match &settlement.ending {
        Ending::Retry {
            outcome,
            error,
            due,
        } => {
            record_attempt(conn, settlement, *outcome, error, now)?;
            (*due, 1)
        }
        Ending::Snooze { due } => (*due, 0),
        Ending::Done { .. }
        | Ending::Failed { .. }
        | Ending::Cancelled { .. }
        | Ending::Release
        | Ending::Park { .. } => return Ok(false),
    };
    let held = running::leave(conn, settlement.id, settlement.claim)?.is_some();
    if held {
        conn.prepare_cached(AGAIN)?
            .execute(params![settlement.id.0, due, attempts])?;
        effects.schedule_store(due);
    }
    Ok(held)
}

/// Adds the attempt to the run's history, if the claim still holds; the oldest goes when there are too many.
pub(super) fn record_attempt(
    conn: &Connection,
    settlement: &Settlement,
    outcome: AttemptOutcome,
    error: &str,
    now: Now,
) -> Result<(), Error> {
    let (run, claim) = (settlement.id.0, settlement.claim.0);
    let recorded: Option<i64> = conn
        .prepare_cached(RECORD)?
        .query_row(
            params![run, claim, outcome.code(), error, now.wall],
            |row| row.get(0),
        )
        .optional()?;
    if let Some(seq) = recorded.filter(|seq| *seq > HISTORY) {
        conn.prepare_cached(FORGET)?.execute([run, seq - HISTORY])?;
    }
    Ok(())
}
