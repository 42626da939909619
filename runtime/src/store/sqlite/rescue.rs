//! Rescue: what a lost worker had claimed becomes ready again, or ends if it was asked to or has crashed too often.

use rusqlite::{Connection, Row, params};

use super::cancel::by_a_caller;
use super::finish::finish;
use super::many::Ids;
use super::prune::count;
use super::workers::is_stopping;
use super::{ready, running};
use crate::clock::{Millis, Now, duration_millis};
use crate::error::Error;
use crate::failpoint;
use crate::run::{AttemptOutcome, KEEP_FAILED, RunId};
use crate::store::{ClaimId, Effects, Ending, Loss, MOST_CRASHES, Settlement, WorkerId};

/// Looks at all that is running.
const CLAIMED: &str = "
    SELECT run, claim, cancel_keep, crashes
    FROM afterhours_running CROSS JOIN afterhours_runs ON afterhours_runs.id = run
    WHERE claim BETWEEN ?1 AND ?2 ORDER BY run LIMIT ?3";
/// A run that is gone needs no rescue.
const FORGET: &str = "DELETE FROM afterhours_running WHERE claim BETWEEN ?1 AND ?2";
const RECORD: &str = "
    INSERT OR REPLACE INTO afterhours_attempts (run, seq, attempt, outcome, error, started_at, ended_at)
    SELECT id, 1 + (SELECT coalesce(max(seq), 0) FROM afterhours_attempts WHERE run = id AND seq BETWEEN 0 AND 1 << 40),
        min(attempts, 1 << 32) + 1, ?2, ?3, running.started_at, ?4
    FROM afterhours_running AS running CROSS JOIN afterhours_runs AS runs ON runs.id = running.run
    WHERE running.run = ?1";
const RESCUE: &str = "
    UPDATE afterhours_runs
    SET attempts = min(attempts, 1 << 32) + 1, lost = min(lost, 1 << 30) + 1, crashes = ?2
    WHERE id = ?1";
const CRASHED: &str =
    "UPDATE afterhours_runs SET lost = min(lost, 1 << 30) + 1, crashes = ?2 WHERE id = ?1";

/// A run that was at work.
struct Left {
    id: i64,
    claim: i64,
    cancel_keep: Option<Millis>,
    crashes: u32,
}

/// The caller holds the dead worker's lock, or has seen it frozen.
pub(super) fn rescue(
    conn: &Connection,
    effects: &mut Effects,
    worker: WorkerId,
    loss: Loss,
    limit: u32,
    now: Now,
) -> Result<u32, Error> {
    let (first, last) = ClaimId::range_of(worker);
    let left: Vec<Left> = conn
        .prepare_cached(CLAIMED)?
        .query_map(params![first, last, limit], left)?
        .collect::<Result<_, _>>()?;
    let accuses = loss == Loss::Died && !is_stopping(conn, worker)?;
    for run in &left {
        let crashes = run.crashes.saturating_add(u32::from(accuses));
        match end_of(run, crashes) {
            Some(ending) => end(conn, effects, run, ending, now)?,
            None => {
                record(conn, run, now)?;
                running::leave(conn, RunId(run.id), ClaimId(run.claim))?;
                conn.prepare_cached(RESCUE)?
                    .execute(params![run.id, crashes])?;
                ready::add_all(conn, &Ids::one(run.id))?;
                effects.ready = true;
            }
        }
        failpoint::reached("in-rescue");
    }
    if count(left.len()) < limit {
        conn.prepare_cached(FORGET)?.execute([first, last])?;
    }
    Ok(count(left.len()))
}

/// How it ends, if this was its last attempt.
fn end_of(run: &Left, crashes: u32) -> Option<Ending> {
    if let Some(keep) = run.cancel_keep {
        return Some(by_a_caller(keep));
    }
    (crashes >= MOST_CRASHES).then(|| Ending::Failed {
        outcome: AttemptOutcome::WorkerLost,
        error: format!("its worker died {crashes} times in a row while it was at work, the last time as the only suspect"),
        keep: duration_millis(KEEP_FAILED),
    })
}

fn end(
    conn: &Connection,
    effects: &mut Effects,
    run: &Left,
    ending: Ending,
    now: Now,
) -> Result<(), Error> {
    let has_crashed = matches!(ending, Ending::Failed { .. });
    // The end of one that fails has its entry in the history.
    if !has_crashed {
        record(conn, run, now)?;
    }
    let settlement = Settlement {
        id: RunId(run.id),
        claim: ClaimId(run.claim),
        ending,
    };
    finish(conn, &settlement, now)?;
    if has_crashed {
        conn.prepare_cached(CRASHED)?
            .execute(params![run.id, MOST_CRASHES])?;
    }
    effects.finished.push((settlement.id, settlement.ending));
    Ok(())
}

fn record(conn: &Connection, run: &Left, now: Now) -> Result<(), Error> {
    conn.prepare_cached(RECORD)?.execute(params![
        run.id,
        AttemptOutcome::WorkerLost.code(),
        "worker lost",
        now.wall
    ])?;
    Ok(())
}

fn left(row: &Row<'_>) -> rusqlite::Result<Left> {
    Ok(Left {
        id: row.get(0)?,
        claim: row.get(1)?,
        cancel_keep: row.get(2)?,
        // Of what a stranger has written nothing is known.
        crashes: u32::try_from(row.get::<_, i64>(3)?).unwrap_or_default(),
    })
}
