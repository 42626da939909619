//! Insert: a run enters the store, ready or scheduled, unless a twin keeps it out.

use std::ops::RangeInclusive;
use std::rc::Rc;

use rusqlite::types::Value;
use rusqlite::{Connection, params};

use super::{Kinds, ready, unique};
use crate::clock::{Millis, Now};
use crate::error::Error;
use crate::failpoint;
use crate::run::{RunId, State};
use crate::store::{Due, Effects, Inserted, NewRun};

const INSERT: &str = "
    INSERT INTO afterhours_runs (kind, state, priority, due_wall, due_store, enqueued_at, due_at, options, payload, room)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, zeroblob(19))";

/// Of one kind and priority, ready at once, with nothing set by the call site: as many as a batch mostly has.
const INSERT_MANY: &str = "
    INSERT INTO afterhours_runs (kind, state, priority, enqueued_at, payload, room)
    SELECT ?1, 0, ?2, ?3, value, zeroblob(19) FROM rarray(?4)";
const HIGHEST: &str = "SELECT coalesce(max(id), 0) FROM afterhours_runs";

/// Fewer are inserted one by one.
const MANY: usize = 8;

/// Inserts all, in their order.
pub(super) fn insert_all(
    conn: &Connection,
    kinds: &mut Kinds,
    effects: &mut Effects,
    runs: &[(&NewRun, Now)],
) -> Result<Vec<Inserted>, Error> {
    let mut inserted = Vec::with_capacity(runs.len());
    for alike in runs.chunk_by(are_alike) {
        match insert_many(conn, kinds, effects, alike)? {
            Some(ids) => inserted.extend(ids.map(|id| Inserted {
                id: RunId(id),
                is_duplicate: false,
            })),
            None => {
                for (run, now) in alike {
                    inserted.push(insert(conn, kinds, effects, run, *now, None)?);
                }
            }
        }
    }
    Ok(inserted)
}

fn are_alike((one, at): &(&NewRun, Now), (other, other_at): &(&NewRun, Now)) -> bool {
    is_plain(one)
        && is_plain(other)
        && at.wall == other_at.wall
        && one.priority == other.priority
        && one.kind == other.kind
}

fn is_plain(run: &NewRun) -> bool {
    run.due == Due::Now && run.unique.is_none() && run.options.is_none()
}

/// With one statement, if they are many and the ids that they get can be known.
fn insert_many(
    conn: &Connection,
    kinds: &mut Kinds,
    effects: &mut Effects,
    alike: &[(&NewRun, Now)],
) -> Result<Option<RangeInclusive<i64>>, Error> {
    let [(first, now), ..] = alike else {
        return Ok(None);
    };
    if alike.len() < MANY || !is_plain(first) {
        return Ok(None);
    }
    // SQLite gives each the number after the highest. Behind the very last number it would choose by chance.
    let highest: i64 = conn
        .prepare_cached(HIGHEST)?
        .query_row([], |row| row.get(0))?;
    let count = i64::try_from(alike.len()).unwrap_or(i64::MAX);
    let Some(last) = highest.checked_add(count) else {
        return Ok(None);
    };
    let kind = kinds.id(conn, &first.kind)?;
    let payloads = alike
        .iter()
        .map(|(run, _)| Value::Blob(run.payload.clone()));
    let payloads = Rc::new(payloads.collect::<Vec<_>>());
    conn.prepare_cached(INSERT_MANY)?
        .execute(params![kind, first.priority, now.wall, payloads])?;
    ready::add_new(conn, kind, first.priority, (highest + 1, last))?;
    failpoint::reached("in-insert");
    effects.ready = true;
    Ok(Some(highest + 1..=last))
}

/// `tick` is another moment than the one at which the run may start: the tick it is for.
pub(super) fn insert(
    conn: &Connection,
    kinds: &mut Kinds,
    effects: &mut Effects,
    run: &NewRun,
    now: Now,
    tick: Option<Millis>,
) -> Result<Inserted, Error> {
    let unique = run.unique.as_ref().map(|unique| (&*run.kind.job, unique));
    if let Some((job, unique)) = unique
        && let Some(id) = unique::twin(conn, job, unique, now)?
    {
        return Ok(Inserted {
            id,
            is_duplicate: true,
        });
    }
    let kind = kinds.id(conn, &run.kind)?;
    let id = insert_due(conn, effects, kind, run, now, tick)?;
    if let Some((job, unique)) = unique {
        unique::keep_out(conn, job, unique, id, now)?;
    }
    Ok(Inserted {
        id,
        is_duplicate: false,
    })
}

fn insert_due(
    conn: &Connection,
    effects: &mut Effects,
    kind: i64,
    run: &NewRun,
    now: Now,
    tick: Option<Millis>,
) -> Result<RunId, Error> {
    let (state, due_wall, due_store, due_at) = match run.due {
        Due::Wall(due) if due > now.wall => {
            effects.schedule_wall(due);
            (State::Scheduled, Some(due), None, Some(due))
        }
        Due::Store(due) if due > now.store => {
            effects.schedule_store(due);
            (
                State::Scheduled,
                None,
                Some(due),
                Some(now.wall.saturating_add(due - now.store)),
            )
        }
        Due::Wall(passed) => {
            effects.ready = true;
            (State::Ready, None, None, Some(passed))
        }
        Due::Now | Due::Store(_) => {
            effects.ready = true;
            (State::Ready, None, None, None)
        }
    };
    let due_at = tick.or(due_at);
    let values = params![
        kind,
        state.code(),
        run.priority,
        due_wall,
        due_store,
        now.wall,
        due_at,
        run.options,
        run.payload
    ];
    conn.prepare_cached(INSERT)?.execute(values)?;
    let id = conn.last_insert_rowid();
    failpoint::reached("in-insert");
    if state == State::Ready {
        ready::add(conn, kind, run.priority, id)?;
    }
    Ok(RunId(id))
}
