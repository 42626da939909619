//! Which runs are ready, in the order in which they are claimed. A table of its own, beside which the run's row stays as
//! it is: a claim that wrote to the runs would write each of these wide rows once more.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::many::{Ids, Many, many};
use crate::error::Error;
use crate::store::SUSPECT_CRASHES;

const ADD: &str =
    "INSERT INTO afterhours_ready (suspect, kind, priority, run) VALUES (0, ?1, ?2, ?3)";
const ADD_NEW: &str = "
    INSERT INTO afterhours_ready (suspect, kind, priority, run)
    SELECT 0, ?1, ?2, id FROM afterhours_runs WHERE id BETWEEN ?3 AND ?4";
/// What is ready already, or runs, stays as it is: a stranger may have made it due.
const ADD_ALL: Many = many!(
    "INSERT OR IGNORE INTO afterhours_ready (suspect, kind, priority, run)
    SELECT crashes >= ?3, kind, priority, id FROM afterhours_runs
    WHERE state = 0 AND NOT EXISTS (SELECT 1 FROM afterhours_running WHERE run = id) AND",
    "id",
    ""
);
const TAKE: Many = many!(
    "DELETE FROM afterhours_ready WHERE suspect = ?3 AND kind = ?4 AND priority = ?5 AND",
    "run",
    ""
);
const LEAVE: &str = "
    DELETE FROM afterhours_ready
    WHERE (suspect, kind, priority, run) = (SELECT crashes >= ?2, kind, priority, id FROM afterhours_runs WHERE id = ?1)";

const LOWER: &str = "
    SELECT suspect, kind, priority FROM afterhours_ready
    WHERE suspect = ?1 AND kind = ?2 AND priority < ?3 ORDER BY priority DESC LIMIT 1";
const NEXT: &str = "
    SELECT suspect, kind, priority FROM afterhours_ready
    WHERE suspect = ?1 AND kind > ?2 ORDER BY kind, priority DESC LIMIT 1";

/// Where in the order some ready runs stand; among each other they go by their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) is_suspect: bool,
    pub(super) kind: i64,
    pub(super) priority: i64,
}

/// All places in which runs are ready, in the order of the table: one seek for each.
pub(super) fn places(conn: &Connection) -> Result<Vec<Place>, Error> {
    let mut places = Vec::new();
    let (mut lower, mut next) = (conn.prepare_cached(LOWER)?, conn.prepare_cached(NEXT)?);
    let place = |row: &Row<'_>| {
        Ok(Place {
            is_suspect: row.get::<_, i64>(0)? != 0,
            kind: row.get(1)?,
            priority: row.get(2)?,
        })
    };
    for suspect in [false, true] {
        let mut found = next
            .query_row(params![suspect, i64::MIN], place)
            .optional()?;
        while let Some(at) = found {
            places.push(at);
            found = lower
                .query_row(params![suspect, at.kind, at.priority], place)
                .optional()?;
            if found.is_none() {
                found = next
                    .query_row(params![suspect, at.kind], place)
                    .optional()?;
            }
        }
    }
    Ok(places)
}

/// A run that never had an attempt.
pub(super) fn add(conn: &Connection, kind: i64, priority: i32, run: i64) -> Result<(), Error> {
    conn.prepare_cached(ADD)?
        .execute(params![kind, priority, run])?;
    Ok(())
}

/// As [`add`], for all with these ids.
pub(super) fn add_new(
    conn: &Connection,
    kind: i64,
    priority: i32,
    (first, last): (i64, i64),
) -> Result<(), Error> {
    conn.prepare_cached(ADD_NEW)?
        .execute(params![kind, priority, first, last])?;
    Ok(())
}

/// Runs whose rows say that they are ready.
pub(super) fn add_all(conn: &Connection, runs: &Ids) -> Result<(), Error> {
    let (add, first, last) = runs.bind(&ADD_ALL);
    conn.prepare_cached(add)?
        .execute(params![first, last, SUSPECT_CRASHES])?;
    Ok(())
}

/// They are claimed.
pub(super) fn take(conn: &Connection, place: Place, runs: Vec<i64>) -> Result<(), Error> {
    let Place {
        is_suspect,
        kind,
        priority,
    } = place;
    for runs in Ids::of(runs) {
        let (take, first, last) = runs.bind(&TAKE);
        conn.prepare_cached(take)?
            .execute(params![first, last, is_suspect, kind, priority])?;
    }
    Ok(())
}

/// It is not ready any more, if it was.
pub(super) fn leave(conn: &Connection, run: i64) -> Result<(), Error> {
    conn.prepare_cached(LEAVE)?
        .execute(params![run, SUSPECT_CRASHES])?;
    Ok(())
}
