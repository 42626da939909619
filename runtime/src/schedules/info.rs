//! A schedule as people see it: what it is, where it stands, when it ticks next.

use std::collections::HashMap;
use std::time::SystemTime;

use super::read;
use crate::clock::{Millis, Now, from_millis};
use crate::job::{Fit, JobDef};
use crate::run::{RunId, Status};
use crate::store::{ScheduleView, StoredRule};
use crate::ticks::Ticks;

/// A schedule of the store, as [`Client::schedules`](crate::Client::schedules) shows it. The example of
/// [`Client::schedule`](crate::Client::schedule) looks at one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Schedule {
    /// Its name; of a job's own schedule the job's.
    pub name: String,
    /// The stored name of the job that it enqueues.
    pub job: String,
    /// When it ticks, for people: `every 1m30s`, or `0 3 * * * (Europe/Paris)`.
    pub rule: String,
    /// Whether it was added by [`Client::schedule`](crate::Client::schedule); else a job's attribute says it.
    pub is_added: bool,
    /// Whether it ticks.
    pub state: ScheduleState,
    /// Its last tick, whatever came of it.
    pub last_tick: Option<SystemTime>,
    /// The run that was enqueued last.
    pub last_run: Option<RunId>,
    /// How that run stands, or how it ended, also when it is not kept any more.
    pub last_outcome: Option<Status>,
    /// How many ticks passed without anybody to fire them, and were not made up for. Of one gap at most 10,000 are
    /// counted.
    pub missed: u64,
    /// How many ticks enqueued nothing because the last run, or a twin, was still active.
    pub skipped: u64,
    /// How often the store has failed to take a tick, which was then tried again.
    pub failures: u64,
    /// The next five ticks, if nothing happens to the wall clock meanwhile; none unless it is active.
    pub next: Vec<SystemTime>,
}

/// Whether a schedule ticks. [`Client::pause_schedule`](crate::Client::pause_schedule) shows it in use.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScheduleState {
    /// It ticks.
    Active,
    /// Its ticks pass without a run until it is resumed.
    Paused,
    /// This program has no job of its name. It ticks if another worker has the job.
    NoJob,
    /// Its arguments do not fit this build's job. It ticks if another worker's job fits.
    Incompatible {
        /// What does not fit.
        reason: String,
    },
    /// This build cannot read its rule.
    Unreadable {
        /// What is wrong with it.
        reason: String,
    },
}

/// The jobs of this program, by each of their names.
type Jobs = HashMap<&'static str, &'static JobDef>;

/// So many ticks are shown.
const SHOWN: usize = 5;

impl Schedule {
    pub(super) fn new(view: ScheduleView, jobs: &Jobs, now: Now) -> Self {
        let rule = read(&view.row.rule);
        let ticks = rule.as_ref().ok().map(Ticks::from);
        let unreadable = view.unreadable.as_ref().or(rule.as_ref().err());
        let state = state(&view, unreadable, jobs);
        let next = match &ticks {
            Some(ticks) if state == ScheduleState::Active => next(ticks, view.base(), now),
            _ => Vec::new(),
        };
        let last_tick = view.last_tick.map(|tick| {
            // Also what no build can read says on which clock it ticks.
            let is_wall = view.row.rule.is_wall();
            let passed = || now.wall.saturating_add(tick.saturating_sub(now.store));
            from_millis(if is_wall { tick } else { passed() })
        });
        Self {
            rule: rule.map_or_else(|_| as_it_stands(&view.row.rule), |rule| rule.to_string()),
            name: view.row.name,
            job: view.row.run.kind.job.into_owned(),
            is_added: view.row.origin == crate::store::Origin::Client,
            state,
            last_tick,
            last_run: view.last_run,
            last_outcome: view.last_status,
            missed: view.missed,
            skipped: view.skipped,
            failures: view.failures,
            next,
        }
    }
}

fn state(view: &ScheduleView, unreadable: Option<&String>, jobs: &Jobs) -> ScheduleState {
    let kind = &view.row.run.kind;
    let job = jobs.get(&*kind.job);
    match (job, unreadable) {
        _ if view.is_paused => ScheduleState::Paused,
        (_, Some(reason)) => ScheduleState::Unreadable {
            reason: reason.clone(),
        },
        (None, None) => ScheduleState::NoJob,
        (Some(job), None) if job.fit_of(kind.version, kind.signature) == Fit::Foreign => {
            ScheduleState::Incompatible {
                reason: job.mismatch(kind.version, kind.signature),
            }
        }
        (Some(_), None) => ScheduleState::Active,
    }
}

fn next(ticks: &Ticks, base: Option<Millis>, now: Now) -> Vec<SystemTime> {
    let time = ticks.time(now);
    let first = match base.filter(|base| !ticks.is_ahead(*base, time)) {
        Some(base) => ticks.next(base, time),
        // An interval that has never ticked begins with the next worker.
        None if !ticks.is_wall() => Some(time),
        None => ticks.following(time),
    };
    std::iter::successors(first, |tick| ticks.following(*tick))
        .take(SHOWN)
        .map(|tick| from_millis(ticks.wall(tick, now)))
        .collect()
}

fn as_it_stands(rule: &StoredRule) -> String {
    match rule {
        StoredRule::Every(millis) => format!("every {millis}ms"),
        StoredRule::Cron {
            expression,
            timezone,
        } => format!("{expression} ({timezone})"),
    }
}
