//! Tick: a schedule's due moment becomes one run, whoever notices it first.

use rusqlite::{Connection, OptionalExtension, params};

use super::insert;
use crate::clock::{Millis, Now};
use crate::error::Error;
use crate::job::Overlap;
use crate::store::{Effects, Tick, Ticked};

const LAST: &str = "SELECT last_tick, last_run FROM afterhours_schedules WHERE name = ?1";
const ACTIVE: &str = "SELECT count(*) FROM afterhours_runs WHERE id = ?1 AND state IN (0, 1, 2)";
const WRITE: &str = "
    INSERT INTO afterhours_schedules (name, last_tick, last_run) VALUES (?1, ?2, ?3)
    ON CONFLICT DO UPDATE SET last_tick = excluded.last_tick, last_run = excluded.last_run";

/// Compares with the schedule's last tick and sets it, in one transaction with the run.
pub(super) fn tick(
    conn: &Connection,
    effects: &mut Effects,
    kind: i64,
    tick: &Tick,
    now: Now,
) -> Result<Ticked, Error> {
    let last: Option<(Millis, Option<i64>)> = conn
        .prepare_cached(LAST)?
        .query_row([tick.schedule], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((last_tick, _)) = last.filter(|(last_tick, _)| Some(*last_tick) != tick.after) {
        return Ok(Ticked::Taken(last_tick));
    }
    let last_run = last.and_then(|(_, run)| run);
    if tick.overlap == Overlap::Skip && is_active(conn, last_run)? {
        conn.prepare_cached(WRITE)?
            .execute(params![tick.schedule, tick.at, last_run])?;
        return Ok(Ticked::Overlap);
    }
    let id = insert::insert_due(conn, effects, kind, &tick.run, now, Some(tick.due_at))?;
    conn.prepare_cached(WRITE)?
        .execute(params![tick.schedule, tick.at, id.0])?;
    Ok(Ticked::Fired(id))
}

fn is_active(conn: &Connection, run: Option<i64>) -> Result<bool, Error> {
    Ok(conn
        .prepare_cached(ACTIVE)?
        .query_row([run], |row| row.get(0))?)
}

pub(super) fn last_tick(conn: &Connection, schedule: &str) -> Result<Option<Millis>, Error> {
    Ok(conn
        .prepare_cached(LAST)?
        .query_row([schedule], |row| row.get(0))
        .optional()?)
}
