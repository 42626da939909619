//! Lists of runs, a page at a time. Each state has a table or an index in whose order its runs are walked through, so a
//! page costs as much as the rows it looks at, and those are bounded too.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::query::{self, at_work};
use super::ready::{self, Place};
use super::strange::{count, text};
use crate::clock::{Millis, Now};
use crate::error::Error;
use crate::options::Options;
use crate::progress::Progress;
use crate::run::{RunId, State};
use crate::store::{ListRequest, Listed, RunRow};

/// Where a page ends: a place in the order of its state. What the numbers are is the order's own business.
pub(crate) type Key = [i64; 4];

/// A page looks at so many rows at most, whether it wants them or not.
const LOOKED_AT: usize = 10_000;
/// Larger arguments are not read to be shown.
const SHOWN: i64 = 64 * 1024;

const BY_ID: &str = "SELECT id FROM afterhours_runs WHERE id < ?1 ORDER BY id DESC";
const RUNNING: &str = "SELECT run FROM afterhours_running WHERE run < ?1 ORDER BY run DESC";
const READY: &str = "
    SELECT run FROM afterhours_ready WHERE suspect = ?1 AND kind = ?2 AND priority = ?3 AND run > ?4 ORDER BY run";
const PARKED: &str = "
    SELECT kind, id FROM afterhours_runs WHERE state = 6 AND (kind, id) > (?1, ?2) ORDER BY kind, id";
const FINISHED: &str = "
    SELECT expires, id FROM afterhours_runs INDEXED BY afterhours_finished
    WHERE state = ?1 AND expires IS NOT NULL AND (expires, id) < (?2, ?3) ORDER BY expires DESC, id DESC";
const DUE_STORE: &str = "
    SELECT due_store, id FROM afterhours_runs WHERE due_store IS NOT NULL AND (due_store, id) > (?1, ?2) ORDER BY due_store, id";
const DUE_WALL: &str = "
    SELECT due_wall, id FROM afterhours_runs WHERE due_wall IS NOT NULL AND (due_wall, id) > (?1, ?2) ORDER BY due_wall, id";
const KINDS: &str = "
    SELECT id FROM afterhours_kinds WHERE (?1 IS NULL OR job = ?1) AND (?2 IS NULL OR queue = ?2)";
const ROW: &str = concat!(
    "SELECT ",
    at_work!(),
    ", runs.kind, state, job, queue, priority, attempts, enqueued_at, due_at, finished_at, due_wall, due_store, note, options,
        coalesce(running.started_at, runs.started_at) AS started, running.done, running.total,
        iif(length(payload) <= ?2, payload, NULL) AS payload,
        (SELECT error FROM afterhours_attempts WHERE run = runs.id ORDER BY seq DESC LIMIT 1) AS error
    FROM afterhours_runs AS runs LEFT JOIN afterhours_running AS running ON running.run = runs.id
    LEFT JOIN afterhours_kinds AS kinds ON kinds.id = runs.kind WHERE runs.id = ?1"
);

/// In one transaction, so that no run is met in two places.
pub(crate) fn list(conn: &Connection, request: &ListRequest, now: Now) -> Result<Listed, Error> {
    let mut page = Page {
        conn,
        request,
        now,
        kinds: wanted_kinds(conn, request)?,
        looked_at: 0,
        listed: Listed::default(),
    };
    match request.state {
        None => page.by_id(BY_ID)?,
        Some(State::Running) => page.by_id(RUNNING)?,
        Some(State::Ready) => page.ready()?,
        Some(State::Scheduled) => page.scheduled()?,
        Some(state @ (State::Done | State::Failed | State::Cancelled)) => page.finished(state)?,
        Some(State::Incompatible) => page.parked()?,
    }
    Ok(page.listed)
}

/// One run.
pub(crate) fn one(conn: &Connection, id: RunId, now: Now) -> Result<Option<RunRow>, Error> {
    Ok(conn
        .prepare_cached(ROW)?
        .query_row(params![id.0, SHOWN], |row| run_row(row, id, now))
        .optional()?)
}

/// `None` if all are wanted.
fn wanted_kinds(conn: &Connection, request: &ListRequest) -> Result<Option<BTreeSet<i64>>, Error> {
    if request.job.is_none() && request.queue.is_none() {
        return Ok(None);
    }
    let mut kinds = conn.prepare_cached(KINDS)?;
    let kinds = kinds.query_map(params![request.job, request.queue], |row| row.get(0))?;
    Ok(Some(kinds.collect::<Result<_, _>>()?))
}

struct Page<'a> {
    conn: &'a Connection,
    request: &'a ListRequest,
    now: Now,
    kinds: Option<BTreeSet<i64>>,
    looked_at: usize,
    listed: Listed,
}

impl Page<'_> {
    fn by_id(&mut self, sql: &str) -> Result<(), Error> {
        let [before, ..] = self.request.after.unwrap_or([i64::MAX; 4]);
        let mut walk = self.conn.prepare_cached(sql)?;
        let mut rows = walk.query([before])?;
        while let Some(row) = rows.next()? {
            let id = row.get(0)?;
            if self.offer(id, [id, 0, 0, 0])? {
                break;
            }
        }
        Ok(())
    }

    /// Those of one job after the other, in the order in which they are claimed.
    fn ready(&mut self) -> Result<(), Error> {
        let key = |place: Place, run| {
            [
                i64::from(place.is_suspect),
                place.kind,
                // Higher goes first.
                place.priority.wrapping_neg(),
                run,
            ]
        };
        let after = self.request.after.unwrap_or([i64::MIN; 4]);
        let mut walk = self.conn.prepare_cached(READY)?;
        for place in ready::places(self.conn)? {
            let is_wanted = self
                .kinds
                .as_ref()
                .is_none_or(|kinds| kinds.contains(&place.kind));
            if !is_wanted || key(place, i64::MAX) < after {
                continue;
            }
            let begins = if key(place, after[3]) == after {
                after[3]
            } else {
                i64::MIN
            };
            let values = params![place.is_suspect, place.kind, place.priority, begins];
            let mut rows = walk.query(values)?;
            while let Some(row) = rows.next()? {
                let run = row.get(0)?;
                if self.offer(run, key(place, run))? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn parked(&mut self) -> Result<(), Error> {
        let [kind, id, ..] = self.request.after.unwrap_or([i64::MIN; 4]);
        let mut walk = self.conn.prepare_cached(PARKED)?;
        let mut rows = walk.query([kind, id])?;
        while let Some(row) = rows.next()? {
            let (kind, id) = (row.get(0)?, row.get(1)?);
            if self.offer(id, [kind, id, 0, 0])? {
                break;
            }
        }
        Ok(())
    }

    /// The one that stays longest first: of runs that are kept equally long, the latest end.
    fn finished(&mut self, state: State) -> Result<(), Error> {
        let [expires, id, ..] = self.request.after.unwrap_or([i64::MAX; 4]);
        let mut walk = self.conn.prepare_cached(FINISHED)?;
        let mut rows = walk.query(params![state.code(), expires, id])?;
        while let Some(row) = rows.next()? {
            let (expires, id) = (row.get(0)?, row.get(1)?);
            if self.offer(id, [expires, id, 0, 0])? {
                break;
            }
        }
        Ok(())
    }

    /// The next to be due first, of both clocks: a key is how far each of them has been walked along.
    fn scheduled(&mut self) -> Result<(), Error> {
        let mut key = self.request.after.unwrap_or([i64::MIN; 4]);
        let ahead = self.now.wall.saturating_sub(self.now.store);
        let (mut store, mut wall) = (
            self.conn.prepare_cached(DUE_STORE)?,
            self.conn.prepare_cached(DUE_WALL)?,
        );
        let due = |row: &Row<'_>| Ok::<(Millis, i64), rusqlite::Error>((row.get(0)?, row.get(1)?));
        let mut store = store.query_map([key[0], key[1]], due)?.peekable();
        let mut wall = wall.query_map([key[2], key[3]], due)?.peekable();
        loop {
            let first = match (store.peek(), wall.peek()) {
                (None, None) => return Ok(()),
                (Some(Ok((store, _))), Some(Ok((wall, _)))) => store.saturating_add(ahead) <= *wall,
                (store, _) => store.is_some(),
            };
            let walk = if first { &mut store } else { &mut wall };
            let Some(due) = walk.next() else {
                return Ok(());
            };
            let (due, id) = due?;
            let at = if first { 0 } else { 2 };
            [key[at], key[at + 1]] = [due, id];
            if self.offer(id, key)? {
                return Ok(());
            }
        }
    }

    /// Takes the run in if it is wanted; true if the page ends here.
    fn offer(&mut self, id: i64, key: Key) -> Result<bool, Error> {
        self.looked_at += 1;
        let mut read = self.conn.prepare_cached(ROW)?;
        let row = read
            .query_row(params![id, SHOWN], |row| {
                let is_wanted = match &self.kinds {
                    Some(kinds) => kinds.contains(&row.get("kind")?),
                    None => true,
                };
                let run = if is_wanted {
                    Some(run_row(row, RunId(id), self.now)?)
                } else {
                    None
                };
                Ok(run)
            })
            .optional()?
            .flatten();
        self.listed.runs.extend(row.filter(|row| self.wants(row)));
        let is_over = self.listed.runs.len() >= self.request.limit || self.looked_at >= LOOKED_AT;
        if is_over {
            self.listed.next = Some(key);
        }
        Ok(is_over)
    }

    fn wants(&self, row: &RunRow) -> bool {
        let ListRequest {
            state, error, tag, ..
        } = self.request;
        // Between a stranger's hands a run can stand in a place that is not its own.
        state.is_none_or(|state| row.state == state)
            && tag.as_ref().is_none_or(|tag| row.tags.contains(tag))
            && error.as_ref().is_none_or(|wanted| {
                let found = row.error.as_deref().unwrap_or_default();
                found.to_lowercase().contains(&wanted.to_lowercase())
            })
    }
}

fn run_row(row: &Row<'_>, id: RunId, now: Now) -> rusqlite::Result<RunRow> {
    let state = query::state(row)?;
    let note = match state {
        State::Failed | State::Cancelled | State::Incompatible => text(row, "note")?,
        State::Ready | State::Scheduled | State::Running | State::Done => None,
    };
    let options = Options::from_stored(text(row, "options")?.as_deref());
    Ok(RunRow {
        id,
        job: text(row, "job")?.unwrap_or_default(),
        queue: text(row, "queue")?.unwrap_or_default(),
        priority: row.get("priority")?,
        state,
        status: query::status(row, state, now)?,
        attempts: count(
            row,
            if state == State::Running {
                "attempt"
            } else {
                "attempts"
            },
        )?,
        enqueued_at: row.get("enqueued_at")?,
        due_at: row.get("due_at")?,
        started_at: row.get("started")?,
        finished_at: row.get("finished_at")?,
        tags: options.tags,
        metadata: options.metadata,
        progress: progress(row)?,
        payload: row.get("payload")?,
        error: match note {
            Some(note) => Some(note),
            None => text(row, "error")?,
        },
    })
}

fn progress(row: &Row<'_>) -> rusqlite::Result<Option<Progress>> {
    let [done, total]: [Option<i64>; 2] = [row.get("done")?, row.get("total")?];
    let steps = |steps: i64| u64::try_from(steps).unwrap_or_default();
    let told = done.zip(total);
    Ok(told.map(|(done, total)| Progress::new(steps(done), steps(total))))
}
