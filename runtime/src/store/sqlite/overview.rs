//! How much there is of everything: counts that an index or a narrow table gives, without a look at the rows.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, Row};

use super::queues;
use crate::clock::Millis;
use crate::error::Error;
use crate::store::{Overview, QueueCounts};

/// And since when the first of each has waited: it is the next to be claimed.
const READY: &str = "
    SELECT queue, count, coalesce(due_at, enqueued_at) FROM (
        SELECT kind, count(*) AS count, min(run) AS first FROM afterhours_ready GROUP BY suspect, kind, priority) AS ready
    LEFT JOIN afterhours_kinds AS kinds ON kinds.id = ready.kind
    LEFT JOIN afterhours_runs AS runs ON runs.id = first";
const RUNNING: &str = "
    SELECT queue, count(*) FROM afterhours_running AS running
    CROSS JOIN afterhours_runs AS runs ON runs.id = running.run
    LEFT JOIN afterhours_kinds AS kinds ON kinds.id = runs.kind GROUP BY queue";
const SCHEDULED: &str = "
    SELECT (SELECT count(*) FROM afterhours_runs WHERE due_store IS NOT NULL)
        + (SELECT count(*) FROM afterhours_runs WHERE due_wall IS NOT NULL)";
const DONE: &str = "SELECT count(*) FROM afterhours_runs WHERE state = 3 AND expires IS NOT NULL";
const FAILED: &str = "SELECT count(*) FROM afterhours_runs WHERE state = 4 AND expires IS NOT NULL";
const CANCELLED: &str =
    "SELECT count(*) FROM afterhours_runs WHERE state = 5 AND expires IS NOT NULL";
const PARKED: &str = "SELECT count(*) FROM afterhours_runs WHERE state = 6";
const WORKERS: &str = "SELECT count(*) FROM afterhours_workers";
const QUEUES: &str = "SELECT DISTINCT queue FROM afterhours_kinds";

/// In one transaction, so that no run is counted in two places.
pub(crate) fn overview(conn: &Connection) -> Result<Overview, Error> {
    let count = |sql| -> Result<u64, Error> {
        let mut count = conn.prepare_cached(sql)?;
        Ok(count.query_row([], |row| number(row, 0))?)
    };
    let mut overview = Overview {
        scheduled: count(SCHEDULED)?,
        done: count(DONE)?,
        failed: count(FAILED)?,
        cancelled: count(CANCELLED)?,
        incompatible: count(PARKED)?,
        workers: count(WORKERS)?,
        ready_since: None,
        queues: named(conn)?,
    };
    let mut ready = conn.prepare_cached(READY)?;
    let mut rows = ready.query([])?;
    while let Some(row) = rows.next()? {
        let since: Option<Millis> = row.get(2)?;
        overview.ready_since = match (overview.ready_since, since) {
            (Some(known), Some(since)) => Some(known.min(since)),
            (known, since) => known.or(since),
        };
        if let Some(counts) = counts_of(&mut overview.queues, row)? {
            counts.ready += number(row, 1)?;
        }
    }
    let mut running = conn.prepare_cached(RUNNING)?;
    let mut rows = running.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(counts) = counts_of(&mut overview.queues, row)? {
            counts.running += number(row, 1)?;
        }
    }
    Ok(overview)
}

/// Every queue that was ever used, and those that are paused.
fn named(conn: &Connection) -> Result<BTreeMap<String, QueueCounts>, Error> {
    let mut queues = conn.prepare_cached(QUEUES)?;
    let used = queues.query_map([], |row| row.get_ref(0).map(queues::name))?;
    let used: BTreeSet<String> = used.collect::<Result<_, _>>()?;
    let paused = queues::paused(conn)?;
    let all = used.union(&paused).map(|queue| {
        let counts = QueueCounts {
            is_paused: paused.contains(queue),
            ..QueueCounts::default()
        };
        (queue.clone(), counts)
    });
    Ok(all.collect())
}

/// A count.
fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(column)?.unsigned_abs())
}

/// `None` for what a stranger has made, of a kind that does not exist.
fn counts_of<'a>(
    queues: &'a mut BTreeMap<String, QueueCounts>,
    row: &Row<'_>,
) -> Result<Option<&'a mut QueueCounts>, Error> {
    Ok(queues.get_mut(&queues::name(row.get_ref(0)?)))
}
