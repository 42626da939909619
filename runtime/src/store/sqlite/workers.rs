//! Which workers there are. A worker's row is there from before its first claim until after its last settlement.

use rusqlite::{Connection, OptionalExtension, params};

use crate::clock::Now;
use crate::error::Error;
use crate::store::{ClaimId, WorkerId, WorkerRow};

const BY_SLOT: &str = "SELECT id FROM afterhours_workers WHERE slot = ?1";
const INSERT: &str = "INSERT INTO afterhours_workers (slot, pid, started_at) VALUES (?1, ?2, ?3)";
/// While a claim is left, the row stays and leads to the claimed runs: they are rescued once the worker's lock is free.
const DELETE: &str = "
    DELETE FROM afterhours_workers
    WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM afterhours_runs WHERE claim BETWEEN ?2 AND ?3)";
const LIST: &str = "SELECT id, slot FROM afterhours_workers ORDER BY id";

/// Who is registered with this byte of the lock file.
pub(super) fn holder(conn: &Connection, slot: i64) -> Result<Option<WorkerId>, Error> {
    let holder = conn
        .prepare_cached(BY_SLOT)?
        .query_row([slot], |row| row.get(0))
        .optional()?;
    Ok(holder.map(WorkerId))
}

pub(super) fn register(conn: &Connection, slot: i64, now: Now) -> Result<WorkerId, Error> {
    conn.prepare_cached(INSERT)?
        .execute(params![slot, std::process::id(), now.wall])?;
    Ok(WorkerId(conn.last_insert_rowid()))
}

pub(super) fn unregister(conn: &Connection, worker: WorkerId) -> Result<(), Error> {
    let (first, last) = ClaimId::range_of(worker);
    conn.prepare_cached(DELETE)?
        .execute([worker.0, first, last])?;
    Ok(())
}

pub(super) fn list(conn: &Connection) -> Result<Vec<WorkerRow>, Error> {
    let mut list = conn.prepare_cached(LIST)?;
    let rows = list.query_map([], |row| {
        Ok(WorkerRow {
            id: WorkerId(row.get(0)?),
            slot: row.get(1)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
