//! Fires schedules: one task, due-time heaps, asleep until the earliest entry.

use std::sync::Arc;
use std::time::Duration;

use super::schedule::{Part, Schedule, Upcoming};
use super::shared::{Phase, Shared};
use crate::clock::{Millis, Now, until};
use crate::codec::seal;
use crate::error::Error;
use crate::heap::DueHeap;
use crate::store::{Due, Kind, NewRun, Tick, Ticked};

/// A wall clock that was set is noticed this soon.
const CLOCK_LOOK: Duration = Duration::from_secs(1);
/// How long to wait after the store has failed; the tick is not lost.
const AFTER_ERROR: Duration = Duration::from_secs(1);

/// The next tick of a schedule.
#[derive(Debug)]
struct Entry {
    schedule: Schedule,
    /// The last tick that is known of.
    last: Option<Millis>,
    tick: Upcoming,
}

/// What is due, by the clock that it is due on.
struct Agenda {
    store: DueHeap<Entry>,
    wall: DueHeap<Entry>,
}

pub(super) async fn run(shared: Arc<Shared>) {
    let work = async {
        let mut agenda = Agenda {
            store: DueHeap::new(),
            wall: DueHeap::new(),
        };
        for schedule in shared.plan.schedules.clone() {
            let jitter = shared
                .plan
                .startup_jitter
                .unwrap_or_else(|| schedule.spread())
                .mul_f64(shared.random());
            let last = last_tick(&shared, &schedule).await;
            let now = shared.client().now();
            let next = schedule.next(last, now, jitter);
            agenda.add(schedule, last, next, now);
        }
        loop {
            while let Some(entry) = agenda.pop(shared.client().now()) {
                fire(&shared, &mut agenda, entry).await;
            }
            let sleep = agenda.sleep(shared.client().now());
            shared.client().clock().sleep(sleep).await;
        }
    };
    tokio::select! {
        biased;
        () = shared.entered(Phase::Draining) => {}
        () = work => {}
    }
}

impl Agenda {
    fn add(&mut self, schedule: Schedule, last: Option<Millis>, next: Option<Upcoming>, now: Now) {
        let Some(tick) = next else {
            tracing::warn!(target: "afterhours", job = schedule.job.name, "the schedule has no further tick");
            return;
        };
        let entry = Entry {
            schedule,
            last,
            tick,
        };
        self.push(entry, now);
    }

    fn push(&mut self, entry: Entry, now: Now) {
        let due = match entry.tick.part {
            Part::Present => entry.tick.at.saturating_add(entry.schedule.handicap),
            // Behind what is due already, so that a long backlog holds up no other schedule.
            Part::Backlog { .. } => entry.schedule.time(now),
        };
        let heap = if entry.schedule.is_wall() {
            &mut self.wall
        } else {
            &mut self.store
        };
        heap.push(due, entry);
    }

    /// What has been due longest.
    fn pop(&mut self, now: Now) -> Option<Entry> {
        let store = self.store.next_due().map(|due| now.store - due);
        let wall = self.wall.next_due().map(|due| now.wall - due);
        if store >= wall {
            self.store.pop_due(now.store)
        } else {
            self.wall.pop_due(now.wall)
        }
    }

    fn sleep(&self, now: Now) -> Duration {
        const IDLE: Duration = Duration::from_secs(3600);
        let store = self
            .store
            .next_due()
            .map_or(IDLE, |due| until(due, now.store));
        let wall = self
            .wall
            .next_due()
            .map_or(IDLE, |due| until(due, now.wall).min(CLOCK_LOOK));
        store.min(wall)
    }
}

/// The last tick that the store knows of; asks until it answers.
async fn last_tick(shared: &Shared, schedule: &Schedule) -> Option<Millis> {
    let name = schedule.job.name;
    loop {
        match shared
            .client()
            .write(0, move |store| store.last_tick(name))
            .await
        {
            Ok(last) => return last,
            Err(error) => wait_after(shared, &error).await,
        }
    }
}

async fn fire(shared: &Shared, agenda: &mut Agenda, entry: Entry) {
    let now = shared.client().now();
    let Entry {
        ref schedule,
        last: after,
        tick: Upcoming { at, part },
    } = entry;
    if after.is_some() && schedule.has_slept(entry.tick, now) {
        let next = schedule.next(after, now, Duration::ZERO);
        return agenda.add(entry.schedule, after, next, now);
    }
    let job = schedule.job;
    let tick = Tick {
        schedule: job.name,
        after,
        at,
        overlap: schedule.overlap(part),
        run: scheduled_run(schedule),
        due_at: schedule.due_at(at, now),
    };
    let ticked = shared
        .client()
        .write(1, move |store| store.tick(&tick, now))
        .await;
    let last = match ticked {
        Ok(Ticked::Fired(id)) => {
            tracing::debug!(target: "afterhours", job = job.name, %id, "ticked");
            at
        }
        Ok(Ticked::Overlap) => {
            tracing::info!(target: "afterhours", job = job.name, "skipped a tick: the last run is still active");
            at
        }
        Ok(Ticked::Taken(last)) => last,
        Err(error) => {
            agenda.push(entry, now);
            return wait_after(shared, &error).await;
        }
    };
    let next = schedule.go_on(part, last, now);
    agenda.add(entry.schedule, Some(last), next, now);
}

async fn wait_after(shared: &Shared, error: &Error) {
    tracing::error!(target: "afterhours", error = error as &dyn std::error::Error, "the store failed a schedule; trying again");
    shared.client().clock().sleep(AFTER_ERROR).await;
}

fn scheduled_run(schedule: &Schedule) -> NewRun {
    let job = schedule.job;
    let envelope = job.envelope();
    NewRun {
        kind: Kind {
            queue: job.queue.into(),
            job: job.name.into(),
            version: envelope.version,
            signature: envelope.signature,
        },
        priority: job.priority,
        due: Due::Now,
        // Scheduled jobs have no arguments.
        payload: seal(envelope, &[]).unwrap_or_default(),
        options: None,
        // Its ticks know by themselves which of its runs is active.
        unique: None,
    }
}
