//! Looking at runs. Works on any connection, also on one that only reads.

use rusqlite::{Connection, OptionalExtension, Row};

use super::strange::{count, text};
use crate::clock::{Millis, Now, from_millis};
use crate::error::Error;
use crate::run::{AttemptOutcome, AttemptRecord, RunId, State, Status};
use crate::store::RunView;

/// What [`state`] and [`status`] read of a run that may be running.
macro_rules! at_work {
    () => {
        "running.run IS NOT NULL AS is_running, min(runs.attempts, 1 << 32) + 1 AS attempt, running.started_at"
    };
}
pub(super) use at_work;

const RUN: &str = concat!(
    "SELECT ",
    at_work!(),
    ", state, job, finished_at, due_wall, due_store, note, result, expires, version, signature, options
    FROM afterhours_runs AS runs LEFT JOIN afterhours_running AS running ON running.run = runs.id
    LEFT JOIN afterhours_kinds AS kinds ON kinds.id = runs.kind WHERE runs.id = ?1"
);
const ATTEMPTS: &str = "SELECT attempt, outcome, error, started_at, ended_at FROM afterhours_attempts WHERE run = ?1 ORDER BY seq";

pub(crate) fn run(conn: &Connection, id: RunId, now: Now) -> Result<Option<RunView>, Error> {
    Ok(conn
        .prepare_cached(RUN)?
        .query_row([id.0], |row| view(row, now))
        .optional()?)
}

pub(crate) fn attempts(conn: &Connection, id: RunId) -> Result<Vec<AttemptRecord>, Error> {
    let mut statement = conn.prepare_cached(ATTEMPTS)?;
    let records = statement.query_map([id.0], |row| {
        Ok(AttemptRecord {
            attempt: count(row, 0)?,
            outcome: AttemptOutcome::from_code(row.get(1)?),
            error: text(row, 2)?.unwrap_or_default(),
            started_at: from_millis(row.get(3)?),
            ended_at: from_millis(row.get(4)?),
        })
    })?;
    Ok(records.collect::<Result<_, _>>()?)
}

/// A number that changes when another connection has committed; about 3 microseconds.
pub(crate) fn data_version(conn: &Connection) -> Result<i64, Error> {
    Ok(conn
        .prepare_cached("PRAGMA data_version")?
        .query_row([], |row| row.get(0))?)
}

fn view(row: &Row<'_>, now: Now) -> rusqlite::Result<RunView> {
    let state = state(row)?;
    let (state, status, [version, signature]) = match kind(row) {
        Ok(kind) => (state, status(row, state, now)?, kind),
        Err(error) => {
            let reason = format!("nobody can tell what its arguments are: {error}");
            let status = Status::Incompatible { reason };
            (State::Incompatible, status, [0, 0])
        }
    };
    Ok(RunView {
        job: text(row, "job")?.unwrap_or_default(),
        version,
        signature,
        options: text(row, "options")?,
        state,
        status,
        result: row.get("result")?,
        is_expired: expires(row, state)?.is_some_and(|expires| expires <= now.store),
    })
}

pub(super) fn state(row: &Row<'_>) -> rusqlite::Result<State> {
    Ok(match State::from_code(row.get("state")?) {
        State::Ready if row.get("is_running")? => State::Running,
        state => state,
    })
}

/// The version and the signature of its arguments.
fn kind(row: &Row<'_>) -> rusqlite::Result<[u32; 2]> {
    Ok([row.get("version")?, row.get("signature")?])
}

/// Only what has ended can be over.
fn expires(row: &Row<'_>, state: State) -> rusqlite::Result<Option<Millis>> {
    match state {
        State::Done | State::Failed | State::Cancelled => row.get("expires"),
        State::Ready | State::Scheduled | State::Running | State::Incompatible => Ok(None),
    }
}

const PARKED: i64 = State::Incompatible as i64;

pub(super) fn status(row: &Row<'_>, state: State, now: Now) -> rusqlite::Result<Status> {
    let moment = |column| {
        Ok::<_, rusqlite::Error>(from_millis(
            row.get::<_, Option<Millis>>(column)?.unwrap_or_default(),
        ))
    };
    let note = || Ok::<_, rusqlite::Error>(text(row, "note")?.unwrap_or_default());
    Ok(match state {
        State::Ready => Status::Ready,
        State::Scheduled => Status::Scheduled {
            due: due(row, now)?,
        },
        State::Running => Status::Running {
            attempt: count(row, "attempt")?,
            since: moment("started_at")?,
        },
        State::Done => Status::Done {
            at: moment("finished_at")?,
        },
        State::Failed => Status::Failed {
            at: moment("finished_at")?,
            error: note()?,
        },
        State::Cancelled => Status::Cancelled {
            at: moment("finished_at")?,
            reason: note()?,
        },
        State::Incompatible => Status::Incompatible {
            reason: match row.get("state")? {
                PARKED => note()?,
                code => format!("its state is {code}, and this build knows of no such state"),
            },
        },
    })
}

fn due(row: &Row<'_>, now: Now) -> rusqlite::Result<std::time::SystemTime> {
    let due_store: Option<Millis> = row.get("due_store")?;
    let due_wall: Option<Millis> = row.get("due_wall")?;
    Ok(from_millis(
        due_store
            .map(|due| now.wall.saturating_add(due.saturating_sub(now.store)))
            .or(due_wall)
            .unwrap_or(now.wall),
    ))
}
