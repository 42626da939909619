//! Insert: a run enters the store, ready or scheduled, unless a twin keeps it out.

use rusqlite::{Connection, params};

use super::{Kinds, unique};
use crate::clock::{Millis, Now};
use crate::error::Error;
use crate::failpoint;
use crate::run::{RunId, State};
use crate::store::{Due, Effects, Inserted, NewRun};

const INSERT: &str = "
    INSERT INTO afterhours_runs (kind, state, priority, due_wall, due_store, enqueued_at, due_at, options, payload)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

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
    failpoint::reached("in-insert");
    Ok(RunId(conn.last_insert_rowid()))
}
