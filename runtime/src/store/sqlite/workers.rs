//! Which workers there are. A worker's row is there from before its first claim until after its last settlement.

use rusqlite::{Connection, OptionalExtension, params};

use crate::clock::Now;
use crate::error::Error;
use crate::store::{ClaimId, NewWorker, WorkerId, WorkerRow};

const BY_SLOT: &str = "SELECT id FROM afterhours_workers WHERE lock_file = ?1 AND slot = ?2";
const INSERT: &str = "INSERT INTO afterhours_workers (slot, lock_file, boot, pid, started_at) VALUES (?1, ?2, ?3, ?4, ?5)";
const IS_REGISTERED: &str = "SELECT EXISTS (SELECT 1 FROM afterhours_workers WHERE id = ?1)";
const STOPPING: &str = "UPDATE afterhours_workers SET stopping = 1 WHERE id = ?1";
const IS_STOPPING: &str = "SELECT stopping FROM afterhours_workers WHERE id = ?1";
/// While a claim is left, the row stays and leads to the claimed runs: they are rescued once the worker's lock is free.
const DELETE: &str = "
    DELETE FROM afterhours_workers
    WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM afterhours_running WHERE claim BETWEEN ?2 AND ?3)";
const LIST: &str = "SELECT id, slot, lock_file, boot, pid FROM afterhours_workers ORDER BY id";
/// Of each worker that has some one claim, in one look at all that is running.
const CLAIMS: &str = "SELECT max(claim) FROM afterhours_running GROUP BY claim >> 36";

/// Who is registered with this byte of the lock file.
pub(super) fn holder(conn: &Connection, new: &NewWorker) -> Result<Option<WorkerId>, Error> {
    let holder = conn
        .prepare_cached(BY_SLOT)?
        .query_row([new.lock_file, new.slot], |row| row.get(0))
        .optional()?;
    Ok(holder.map(WorkerId))
}

pub(super) fn register(conn: &Connection, new: &NewWorker, now: Now) -> Result<WorkerId, Error> {
    let NewWorker {
        slot,
        lock_file,
        boot,
        pid,
    } = new;
    conn.prepare_cached(INSERT)?
        .execute(params![slot, lock_file, boot, pid, now.wall])?;
    Ok(WorkerId(conn.last_insert_rowid()))
}

pub(super) fn is_registered(conn: &Connection, worker: WorkerId) -> Result<bool, Error> {
    let mut is_registered = conn.prepare_cached(IS_REGISTERED)?;
    Ok(is_registered.query_row([worker.0], |row| row.get(0))?)
}

pub(super) fn stopping(conn: &Connection, worker: WorkerId) -> Result<(), Error> {
    conn.prepare_cached(STOPPING)?.execute([worker.0])?;
    Ok(())
}

/// Whether it was told to stop.
pub(super) fn is_stopping(conn: &Connection, worker: WorkerId) -> Result<bool, Error> {
    let stopping = conn
        .prepare_cached(IS_STOPPING)?
        .query_row([worker.0], |row| row.get(0))
        .optional()?;
    Ok(stopping.unwrap_or(false))
}

pub(super) fn unregister(conn: &Connection, worker: WorkerId) -> Result<(), Error> {
    let (first, last) = ClaimId::range_of(worker);
    conn.prepare_cached(DELETE)?
        .execute([worker.0, first, last])?;
    Ok(())
}

/// All workers. Works on any connection, also on one that only reads.
pub(crate) fn list(conn: &Connection) -> Result<Vec<WorkerRow>, Error> {
    let mut list = conn.prepare_cached(LIST)?;
    let mut claims = conn.prepare_cached(CLAIMS)?;
    let busy = claims.query_map([], |row| Ok(ClaimId(row.get(0)?).worker()))?;
    let busy: Vec<WorkerId> = busy.collect::<Result<_, _>>()?;
    let rows = list.query_map([], |row| {
        let id = WorkerId(row.get(0)?);
        Ok(WorkerRow {
            id,
            slot: row.get(1)?,
            lock_file: row.get(2)?,
            // What a stranger has written keeps nobody from seeing the others.
            boot: String::from_utf8_lossy(row.get_ref(3)?.as_bytes()?).into_owned(),
            pid: u32::try_from(row.get::<_, i64>(4)?).unwrap_or_default(),
            has_claims: busy.contains(&id),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
