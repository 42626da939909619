//! Schedules: what they are and where they stand. Their ticks are in `tick`.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::strange::{content, text};
use super::{Kinds, query};
use crate::clock::{Millis, Now};
use crate::codec::sealed_len;
use crate::error::Error;
use crate::job::{Missed, Overlap};
use crate::run::RunId;
use crate::store::{
    Due, Effects, Kind, NewRun, Origin, ScheduleRow, ScheduleView, StoredRule, Unique,
};

/// Without the condition. The columns of the last run are those that `query::status` reads: its row's, or what is
/// remembered of it.
macro_rules! select {
    () => {
        concat!(
            "
    SELECT ",
            query::at_work!(),
            ",
        coalesce(runs.state, last_state) AS state,
        name, origin, every, cron, timezone, overlap, missed, missed_limit, missed_window,
        queue, job, version, signature, schedules.priority, schedules.options,
        iif(length(schedules.payload) <= ?1, schedules.payload, NULL) AS payload, length(schedules.payload) AS size,
        unique_key, unique_for, paused, since, last_tick, last_run, missed_ticks, skipped_ticks, failures,
        coalesce(runs.finished_at, last_ended) AS finished_at, runs.due_wall, runs.due_store,
        coalesce(runs.note, last_note) AS note
    FROM afterhours_schedules AS schedules
    LEFT JOIN afterhours_kinds AS kinds ON kinds.id = schedules.kind
    LEFT JOIN afterhours_runs AS runs ON runs.id = last_run
    LEFT JOIN afterhours_running AS running ON running.run = last_run"
        )
    };
}

const ALL: &str = concat!(select!(), " ORDER BY name");
const ONE: &str = concat!(select!(), " WHERE name = ?2");
const INSERT: &str = "
    INSERT INTO afterhours_schedules (name, origin, every, cron, timezone, overlap, missed, missed_limit, missed_window,
        kind, priority, options, payload, unique_key, unique_for, since)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
    ON CONFLICT (name) DO UPDATE SET origin = excluded.origin, every = excluded.every, cron = excluded.cron,
        timezone = excluded.timezone, overlap = excluded.overlap, missed = excluded.missed,
        missed_limit = excluded.missed_limit, missed_window = excluded.missed_window, kind = excluded.kind,
        priority = excluded.priority, options = excluded.options, payload = excluded.payload,
        unique_key = excluded.unique_key, unique_for = excluded.unique_for, since = excluded.since";
const FORGET_TICK: &str = "UPDATE afterhours_schedules SET last_tick = NULL WHERE name = ?1";
const REMOVE: &str = "DELETE FROM afterhours_schedules WHERE name = ?1";
const PAUSE: &str = "UPDATE afterhours_schedules SET paused = 1 WHERE name = ?1";
const RESUME: &str =
    "UPDATE afterhours_schedules SET paused = 0, since = ?2, last_tick = ?3 WHERE name = ?1";
const CHANGED: &str = "
    INSERT INTO afterhours_meta VALUES ('schedules', 1) ON CONFLICT DO UPDATE SET value = value + 1";
const CHANGES: &str = "SELECT value FROM afterhours_meta WHERE key = 'schedules'";

pub(super) fn define(
    conn: &Connection,
    kinds: &mut Kinds,
    effects: &mut Effects,
    known: Option<&ScheduleView>,
    row: &ScheduleRow,
    now: Now,
) -> Result<bool, Error> {
    if let Some(known) = known {
        if known.row == *row {
            return Ok(true);
        }
        if known.row.origin == Origin::Attribute && row.origin == Origin::Client {
            return Ok(false);
        }
    }
    // An interval goes on from its last tick; of an expression only what comes from now on is this rule's.
    let since = match known {
        Some(known) if known.row.rule == row.rule => known.since,
        _ => row.rule.is_wall().then_some(now.wall),
    };
    write(conn, kinds, row, since)?;
    if known.is_some_and(|known| known.row.rule.is_wall() != row.rule.is_wall()) {
        // It is a moment of the other clock.
        conn.prepare_cached(FORGET_TICK)?.execute([&row.name])?;
    }
    tell(conn, effects)?;
    Ok(true)
}

fn write(
    conn: &Connection,
    kinds: &mut Kinds,
    row: &ScheduleRow,
    since: Option<Millis>,
) -> Result<(), Error> {
    let (every, cron, timezone) = match &row.rule {
        StoredRule::Every(every) => (Some(every), None, None),
        StoredRule::Cron {
            expression,
            timezone,
        } => (None, Some(expression), Some(timezone)),
    };
    let NewRun {
        kind,
        priority,
        payload,
        options,
        unique,
        due: _,
    } = &row.run;
    let kind = kinds.id(conn, kind)?;
    let values = params![
        row.name,
        origin_code(row.origin),
        every,
        cron,
        timezone,
        overlap_code(row.overlap),
        missed_code(row.missed),
        row.missed_limit,
        row.missed_window,
        kind,
        priority,
        options,
        payload,
        unique.as_ref().map(|unique| &unique.key),
        unique.as_ref().and_then(|unique| unique.period),
        since,
    ];
    conn.prepare_cached(INSERT)?.execute(values)?;
    Ok(())
}

/// A number that changes whenever a schedule is added, changed or removed.
pub(crate) fn changes(conn: &Connection) -> Result<Option<i64>, Error> {
    Ok(conn
        .prepare_cached(CHANGES)?
        .query_row([], |row| row.get(0))
        .optional()?)
}

pub(crate) fn all(
    conn: &Connection,
    now: Now,
    max_payload: usize,
) -> Result<Vec<ScheduleView>, Error> {
    let mut select = conn.prepare_cached(ALL)?;
    let mut rows = select.query([most(max_payload)])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(view(row, now)?);
    }
    Ok(all)
}

pub(super) fn one(
    conn: &Connection,
    name: &str,
    now: Now,
    max_payload: usize,
) -> Result<Option<ScheduleView>, Error> {
    let mut select = conn.prepare_cached(ONE)?;
    let mut rows = select.query(params![most(max_payload), name])?;
    let row = rows.next()?;
    row.map(|row| view(row, now)).transpose()
}

fn most(max_payload: usize) -> i64 {
    i64::try_from(sealed_len(max_payload)).unwrap_or(i64::MAX)
}

pub(super) fn remove(conn: &Connection, effects: &mut Effects, name: &str) -> Result<bool, Error> {
    let removed = conn.prepare_cached(REMOVE)?.execute([name])? == 1;
    if removed {
        tell(conn, effects)?;
    }
    Ok(removed)
}

pub(super) fn pause(conn: &Connection, name: &str) -> Result<bool, Error> {
    Ok(conn.prepare_cached(PAUSE)?.execute([name])? == 1)
}

pub(super) fn resume(
    conn: &Connection,
    name: &str,
    since: Option<Millis>,
    last_tick: Option<Millis>,
) -> Result<bool, Error> {
    let resumed = conn
        .prepare_cached(RESUME)?
        .execute(params![name, since, last_tick])?;
    Ok(resumed == 1)
}

/// The schedulers of all processes look at this number.
fn tell(conn: &Connection, effects: &mut Effects) -> Result<(), Error> {
    conn.prepare_cached(CHANGED)?.execute([])?;
    effects.schedules = true;
    Ok(())
}

fn view(row: &Row<'_>, now: Now) -> Result<ScheduleView, Error> {
    let state: Option<i64> = row.get("state")?;
    let last_status = match state {
        Some(_) => Some(query::status(row, query::state(row)?, now)?),
        None => None,
    };
    let count = |column| Ok::<_, rusqlite::Error>(row.get::<_, i64>(column)?.unsigned_abs());
    let (schedule, unreadable) = match content(schedule(row))? {
        Ok(schedule) => (schedule, None),
        Err(reason) => (stand_in(row)?, Some(too_large(row)?.unwrap_or(reason))),
    };
    Ok(ScheduleView {
        row: schedule,
        unreadable,
        is_paused: row.get("paused")?,
        since: row.get("since")?,
        last_tick: row.get("last_tick")?,
        last_run: row.get::<_, Option<i64>>("last_run")?.map(RunId),
        last_status,
        missed: count("missed_ticks")?,
        skipped: count("skipped_ticks")?,
        failures: count("failures")?,
    })
}

fn rule(row: &Row<'_>) -> rusqlite::Result<StoredRule> {
    Ok(match row.get("every")? {
        Some(every) => StoredRule::Every(every),
        // A stranger's text, or none, is no rule: whoever reads it says so.
        None => StoredRule::Cron {
            expression: text(row, "cron")?.unwrap_or_default(),
            timezone: text(row, "timezone")?.unwrap_or_default(),
        },
    })
}

/// What can be told of a row that cannot be read.
fn stand_in(row: &Row<'_>) -> rusqlite::Result<ScheduleRow> {
    let unknown = || Ok::<_, rusqlite::Error>(text(row, "job")?.unwrap_or_default().into());
    Ok(ScheduleRow {
        name: text(row, "name")?.unwrap_or_default(),
        origin: origin(row.get("origin")?),
        rule: rule(row)?,
        overlap: Overlap::Skip,
        missed: Missed::Skip,
        missed_limit: None,
        missed_window: None,
        run: NewRun {
            kind: Kind {
                queue: "".into(),
                job: unknown()?,
                version: 0,
                signature: 0,
            },
            priority: 0,
            due: Due::Now,
            payload: Vec::new(),
            options: None,
            unique: None,
        },
    })
}

/// Its arguments were not even read.
fn too_large(row: &Row<'_>) -> rusqlite::Result<Option<String>> {
    if row.get_ref("payload")? != ValueRef::Null {
        return Ok(None);
    }
    let size: i64 = row.get("size")?;
    Ok(Some(format!(
        "its arguments have {size} bytes, more than `max_payload` of this client's builder"
    )))
}

fn schedule(row: &Row<'_>) -> rusqlite::Result<ScheduleRow> {
    let key: Option<Vec<u8>> = row.get("unique_key")?;
    let period = row.get("unique_for")?;
    Ok(ScheduleRow {
        name: row.get("name")?,
        origin: origin(row.get("origin")?),
        rule: rule(row)?,
        overlap: overlap(row.get("overlap")?),
        missed: missed(row.get("missed")?),
        missed_limit: row.get("missed_limit")?,
        missed_window: row.get("missed_window")?,
        run: NewRun {
            kind: Kind {
                queue: row.get::<_, String>("queue")?.into(),
                job: row.get::<_, String>("job")?.into(),
                version: row.get("version")?,
                signature: row.get("signature")?,
            },
            priority: row.get("priority")?,
            due: Due::Now,
            payload: row.get("payload")?,
            options: row.get("options")?,
            unique: key.map(|key| Unique { key, period }),
        },
    })
}

fn origin_code(origin: Origin) -> i64 {
    match origin {
        Origin::Attribute => 0,
        Origin::Client => 1,
    }
}

fn origin(code: i64) -> Origin {
    match code {
        0 => Origin::Attribute,
        _ => Origin::Client,
    }
}

fn overlap_code(overlap: Overlap) -> i64 {
    match overlap {
        Overlap::Skip => 0,
        Overlap::Allow => 1,
    }
}

fn overlap(code: i64) -> Overlap {
    match code {
        1 => Overlap::Allow,
        _ => Overlap::Skip,
    }
}

fn missed_code(missed: Missed) -> i64 {
    match missed {
        Missed::Skip => 0,
        Missed::RunOnce => 1,
        Missed::RunAll => 2,
    }
}

fn missed(code: i64) -> Missed {
    match code {
        1 => Missed::RunOnce,
        2 => Missed::RunAll,
        _ => Missed::Skip,
    }
}
