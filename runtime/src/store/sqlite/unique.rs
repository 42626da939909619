//! Twins: runs of one job with one key. The first keeps the others out, in the transaction that would insert them.

use rusqlite::{Connection, OptionalExtension, params};

use super::many::{Ids, Many, many};
use crate::clock::Now;
use crate::error::Error;
use crate::run::RunId;
use crate::store::Unique;

/// That a run has ended is read from the run itself, so that ending it costs nothing here.
const TWIN: &str = "
    SELECT run FROM afterhours_unique AS twin
    WHERE job = ?1 AND key = ?2
        AND (until > ?3 OR EXISTS (SELECT 1 FROM afterhours_runs WHERE id = twin.run AND state IN (0, 1)))";
const KEEP_OUT: &str = "
    INSERT INTO afterhours_unique (run, job, key, until) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (job, key) DO UPDATE SET run = excluded.run, until = excluded.until";
/// The runs are deleted. While its period lasts, a key goes on without its run.
const FORGET: Many = many!(
    "DELETE FROM afterhours_unique WHERE",
    "run",
    "AND coalesce(until, ?3) <= ?3"
);
const OVER: &str = "
    SELECT run, EXISTS (SELECT 1 FROM afterhours_runs WHERE id = run)
    FROM afterhours_unique WHERE until <= ?1 ORDER BY until LIMIT ?2";
const END_PERIOD: &str = "UPDATE afterhours_unique SET until = NULL WHERE run = ?1";

/// The run that keeps this one out.
pub(super) fn twin(
    conn: &Connection,
    job: &str,
    unique: &Unique,
    now: Now,
) -> Result<Option<RunId>, Error> {
    let twin = conn
        .prepare_cached(TWIN)?
        .query_row(params![job, unique.key, now.store], |row| row.get(0))
        .optional()?;
    Ok(twin.map(RunId))
}

/// From now on this run keeps its twins out.
pub(super) fn keep_out(
    conn: &Connection,
    job: &str,
    unique: &Unique,
    run: RunId,
    now: Now,
) -> Result<(), Error> {
    let until = unique.period.map(|period| now.store.saturating_add(period));
    conn.prepare_cached(KEEP_OUT)?
        .execute(params![run.0, job, unique.key, until])?;
    Ok(())
}

/// Runs are gone, and so are their keys unless their periods last.
pub(super) fn forget(conn: &Connection, runs: &Ids, now: Now) -> Result<(), Error> {
    let (forget, first, last) = runs.bind(&FORGET);
    conn.prepare_cached(forget)?
        .execute(params![first, last, now.store])?;
    Ok(())
}

/// Ends at most `limit` periods that are over: the key goes with its run, now if that is gone already.
pub(super) fn prune(conn: &Connection, limit: u32, now: Now) -> Result<(), Error> {
    let over: Vec<(i64, bool)> = conn
        .prepare_cached(OVER)?
        .query_map(params![now.store, limit], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<Result<_, _>>()?;
    for (run, exists) in over {
        if exists {
            conn.prepare_cached(END_PERIOD)?.execute([run])?;
        } else {
            forget(conn, &Ids::one(run), now)?;
        }
    }
    Ok(())
}
