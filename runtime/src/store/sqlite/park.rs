//! Park: the run's arguments do not fit this build; it is kept, visible, until a build that knows them comes along.

use rusqlite::{Connection, OptionalExtension, params};

use super::many::{Ids, Many, many};
use super::prune::count;
use super::{Kinds, ready, running};
use crate::error::Error;
use crate::run::RunId;
use crate::store::{Effects, Ending, Parked, Settlement, Wanted};

const PARK: &str = "UPDATE afterhours_runs SET state = 6, note = ?2 WHERE id = ?1";
/// One seek in the index for each kind that has parked runs, however many runs it has.
const NEXT_KIND: &str =
    "SELECT kind FROM afterhours_runs WHERE state = 6 AND kind >= ?1 ORDER BY kind LIMIT 1";
const NEXT_RUNS: &str =
    "SELECT id FROM afterhours_runs WHERE state = 6 AND kind = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
const UNPARK: Many = many!(
    "UPDATE afterhours_runs SET state = 0, note = NULL WHERE",
    "id",
    ""
);

pub(super) fn park(
    conn: &Connection,
    settlement: &Settlement,
    reason: &str,
) -> Result<bool, Error> {
    let held = running::leave(conn, settlement.id, settlement.claim)?.is_some();
    if held {
        conn.prepare_cached(PARK)?
            .execute(params![settlement.id.0, reason])?;
    }
    Ok(held)
}

/// Parks a run that was ready, and that no worker can claim.
pub(super) fn put_aside(
    conn: &Connection,
    effects: &mut Effects,
    id: i64,
    reason: String,
) -> Result<(), Error> {
    tracing::error!(target: "afterhours", id, reason, "parked as incompatible");
    conn.prepare_cached(PARK)?.execute(params![id, reason])?;
    effects.finished.push((RunId(id), Ending::Park { reason }));
    Ok(())
}

/// Makes ready the next runs that a worker wants, and says where to go on. Each is met once: one that is parked again
/// meanwhile lies behind.
pub(super) fn unpark(
    conn: &Connection,
    kinds: &mut Kinds,
    effects: &mut Effects,
    wanted: &dyn Wanted,
    after: Parked,
    limit: u32,
) -> Result<Option<Parked>, Error> {
    let next: Option<i64> = conn
        .prepare_cached(NEXT_KIND)?
        .query_row([after.kind], |row| row.get(0))
        .optional()?;
    let Some(kind) = next else {
        return Ok(None);
    };
    let next_kind = kind.checked_add(1).map(|kind| Parked { kind, id: 0 });
    let rank = kinds.kind(conn, kind)?.and_then(|kind| wanted.rank(&kind));
    if rank.is_none() {
        return Ok(next_kind);
    }
    let after = if kind == after.kind { after.id } else { 0 };
    let ids: Vec<i64> = conn
        .prepare_cached(NEXT_RUNS)?
        .query_map(params![kind, after, limit], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    effects.ready |= !ids.is_empty();
    let next = match ids.last() {
        Some(&id) if count(ids.len()) == limit => Some(Parked { kind, id }),
        _ => next_kind,
    };
    for ids in Ids::of(ids) {
        let (unpark, first, last) = ids.bind(&UNPARK);
        conn.prepare_cached(unpark)?.execute([first, last])?;
        ready::add_all(conn, &ids)?;
    }
    Ok(next)
}
