//! What is said of queues as a whole: nothing is claimed from one that is paused.

use std::collections::BTreeSet;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, params};

use crate::error::Error;
use crate::store::Effects;

const PAUSED: &str = "SELECT queue FROM afterhours_queues WHERE paused <> 0";
const SET: &str = "
    INSERT INTO afterhours_queues (queue, paused) VALUES (?1, ?2)
    ON CONFLICT DO UPDATE SET paused = excluded.paused";

const READY: &str = "
    SELECT count(*) FROM (
        SELECT 1 FROM afterhours_ready
        WHERE suspect IN (0, 1) AND kind IN (SELECT id FROM afterhours_kinds WHERE queue = ?1) LIMIT ?2)";

/// How many runs of a queue are ready; counts no further than `most`.
pub(crate) fn count_ready(conn: &Connection, queue: &str, most: u64) -> Result<u64, Error> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let count: i64 = conn
        .prepare_cached(READY)?
        .query_row(params![queue, most], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// All that are paused.
pub(super) fn paused(conn: &Connection) -> Result<BTreeSet<String>, Error> {
    let mut paused = conn.prepare_cached(PAUSED)?;
    let paused = paused.query_map([], |row| row.get_ref(0).map(name))?;
    Ok(paused.collect::<Result<_, _>>()?)
}

/// Pauses a queue, or lets it go on.
pub(super) fn pause(
    conn: &Connection,
    effects: &mut Effects,
    queue: &str,
    paused: bool,
) -> Result<(), Error> {
    conn.prepare_cached(SET)?.execute(params![queue, paused])?;
    effects.ready |= !paused;
    Ok(())
}

/// Whatever a stranger has written there.
pub(super) fn name(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    }
}
