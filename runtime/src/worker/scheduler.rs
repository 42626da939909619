//! Fires schedules: one task, asleep until the earliest tick or until a schedule changes.

use std::sync::Arc;
use std::time::Duration;

use super::agenda::{Agenda, Entry};
use super::looker::Changes;
use super::schedule::Schedule;
use super::shared::{Phase, Shared};
use crate::clock::Now;
use crate::counters::Count;
use crate::error::Error;
use crate::job::Fit;
use crate::schedules::read;
use crate::store::{Kind, Origin, ScheduleRow, ScheduleView, Store, Tick, Ticked};
use crate::ticks::Ticks;

/// How long to wait after the store has failed.
const AFTER_ERROR: Duration = Duration::from_secs(1);
/// Ticks that are due together are written in one transaction, so many at a time.
const BATCH: usize = 256;

/// A schedule of one of this worker's jobs, by its attribute.
#[derive(Debug, Clone)]
pub(super) struct Own {
    pub(super) row: ScheduleRow,
    pub(super) goes_first: bool,
}

pub(super) async fn run(shared: Arc<Shared>) {
    let work = async {
        // Listens before the first look, so that nothing falls in between.
        let mut changes = Changes::new(&shared);
        let mut agenda = begin(&shared).await;
        loop {
            fire_due(&shared, &mut agenda).await;
            let sleep = agenda.sleep(shared.client().now());
            tokio::select! {
                biased;
                () = changes.something() => plan(&shared, &mut agenda).await,
                () = shared.client().clock().sleep(sleep) => {}
            }
        }
    };
    tokio::select! {
        biased;
        () = shared.entered(Phase::Draining) => {}
        () = work => {}
    }
}

/// All schedules of this worker, with their next ticks.
pub(super) async fn begin(shared: &Shared) -> Agenda {
    define(shared).await;
    let mut agenda = Agenda::new(shared.client().now());
    plan(shared, &mut agenda).await;
    agenda
}

/// Fires what is due.
pub(super) async fn fire_due(shared: &Shared, agenda: &mut Agenda) {
    agenda.follow_the_clock(shared.client().now());
    loop {
        let due = agenda.pop(BATCH, shared.client().now());
        if due.is_empty() {
            return;
        }
        fire(shared, agenda, due).await;
    }
}

/// Says in the store what this build's attributes say.
async fn define(shared: &Shared) {
    let rows: Arc<[ScheduleRow]> = shared
        .plan
        .schedules
        .values()
        .map(|own| own.row.clone())
        .collect();
    if rows.is_empty() {
        return;
    }
    let define = |rows: Arc<[ScheduleRow]>, now: Now| {
        move |store: &mut dyn Store| {
            rows.iter()
                .try_for_each(|row| store.define(row, now).map(drop))
        }
    };
    loop {
        let now = shared.client().now();
        let defined = shared
            .client()
            .write(rows.len(), define(Arc::clone(&rows), now))
            .await;
        match defined {
            Ok(()) => return,
            Err(error) => wait_after(shared, &error).await,
        }
    }
}

/// Reads the schedules of the store; asks until it answers.
pub(super) async fn plan(shared: &Shared, agenda: &mut Agenda) {
    let views = loop {
        match shared.client().schedule_views().await {
            Ok(views) => break views,
            Err(error) => wait_after(shared, &error).await,
        }
    };
    agenda.keep_only(&views);
    for view in views {
        if agenda.knows(&view.row) {
            continue;
        }
        if let Some(schedule) = mine(shared, &view) {
            let jitter = shared
                .plan
                .startup_jitter
                .unwrap_or_else(|| schedule.spread())
                .mul_f64(shared.random());
            agenda.add(&view, schedule, jitter, shared.client().now());
        }
    }
}

/// The schedule, if this worker is one that fires it.
fn mine(shared: &Shared, view: &ScheduleView) -> Option<Schedule> {
    let ScheduleRow { name, run, .. } = &view.row;
    match view.row.origin {
        Origin::Attribute => {
            // What its own attribute says, even if another build has written another word.
            let own = shared.plan.schedules.get(name)?;
            let rule = read(&own.row.rule).ok()?;
            Some(Schedule::new(&own.row, Ticks::from(&rule), own.goes_first))
        }
        Origin::Client => {
            if let Some(reason) = &view.unreadable {
                tracing::error!(target: "afterhours", schedule = name, reason, "this build cannot read this schedule");
                return None;
            }
            let job = shared.plan.registry.get(&run.kind.job)?;
            if job.fit_of(run.kind.version, run.kind.signature) == Fit::Foreign {
                tracing::warn!(target: "afterhours", schedule = name, job = job.name, "this build cannot run the arguments of this schedule: it leaves it to others");
                return None;
            }
            match read(&view.row.rule) {
                Ok(rule) => {
                    let goes_first = shared.plan.seat.goes_first(name, None);
                    Some(Schedule::new(&view.row, Ticks::from(&rule), goes_first))
                }
                Err(reason) => {
                    tracing::error!(target: "afterhours", schedule = name, reason, "this build cannot read the rule of this schedule");
                    None
                }
            }
        }
    }
}

async fn fire(shared: &Shared, agenda: &mut Agenda, due: Vec<Entry>) {
    let now = shared.client().now();
    let (slept, due): (Vec<_>, Vec<_>) = due.into_iter().partition(|entry| entry.has_slept(now));
    for entry in slept {
        agenda.plan_again(entry, now);
    }
    if due.is_empty() {
        return;
    }
    let ticks: Arc<[Tick]> = due.iter().map(|entry| entry.tick(now)).collect();
    let outcomes = write(shared, ticks, now).await;
    for (entry, outcome) in due.into_iter().zip(outcomes) {
        match outcome {
            Ok(ticked) => {
                if ticked == Ticked::Overlap {
                    let Kind { job, queue, .. } = entry.kind();
                    if let Some(job) = shared.plan.registry.get(job) {
                        let metrics = shared.client().metrics();
                        metrics.of(job.name, queue, |series| series.count(Count::Skipped));
                        shared.count(Count::Skipped, 1);
                    }
                }
                tell(&entry, ticked);
                agenda.go_on(entry, ticked, now);
            }
            Err(error) => {
                tracing::error!(target: "afterhours", schedule = entry.name(), error = &error as &dyn std::error::Error, "the store failed to take a tick; trying again");
                agenda.try_again(entry, now, AFTER_ERROR);
            }
        }
    }
}

/// In one transaction; if that fails, each in one of its own, so that a bad one does not stop the others.
async fn write(shared: &Shared, ticks: Arc<[Tick]>, now: Now) -> Vec<Result<Ticked, Error>> {
    let together = Arc::clone(&ticks);
    let written = shared.client().write(ticks.len(), move |store| {
        let ticked = together.iter().map(|tick| store.tick(tick, now));
        ticked.collect::<Result<Vec<_>, _>>()
    });
    match written.await {
        Ok(ticked) => return ticked.into_iter().map(Ok).collect(),
        Err(error) if ticks.len() == 1 => return vec![Err(error)],
        Err(_) => {}
    }
    let mut apart = Vec::new();
    for at in 0..ticks.len() {
        let ticks = Arc::clone(&ticks);
        let written = shared
            .client()
            .write(1, move |store| store.tick(&ticks[at], now));
        apart.push(written.await);
    }
    apart
}

fn tell(entry: &Entry, ticked: Ticked) {
    let schedule = entry.name();
    match ticked {
        Ticked::Fired(id) => tracing::debug!(target: "afterhours", schedule, %id, "ticked"),
        Ticked::Overlap => {
            tracing::info!(target: "afterhours", schedule, "skipped a tick: the last run is still active");
        }
        Ticked::Gone => tracing::info!(target: "afterhours", schedule, "the schedule was removed"),
        Ticked::Paused | Ticked::Taken(_) => {}
    }
}

async fn wait_after(shared: &Shared, error: &Error) {
    tracing::error!(target: "afterhours", error = error as &dyn std::error::Error, "the store failed the schedules; trying again");
    shared.client().clock().sleep(AFTER_ERROR).await;
}
