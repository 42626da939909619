//! What is due next, of all schedules of a worker, on the two clocks. Pure; the scheduler brings the time.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::schedule::{Part, Schedule, Upcoming};
use crate::clock::{Millis, Now, duration_millis, until};
use crate::heap::DueHeap;
#[cfg(feature = "testing")]
use crate::store::NextDue;
use crate::store::{Kind, ScheduleRow, ScheduleView, Tick, Ticked};

/// A wall clock that was set is noticed this soon.
const CLOCK_LOOK: Duration = Duration::from_secs(1);
/// A difference between the clocks that changes by less is that of clocks that are kept right.
const JUMP: Millis = 1000;

/// The next tick of a schedule.
#[derive(Debug)]
pub(super) struct Entry {
    schedule: Schedule,
    /// The last tick that is known of.
    last: Option<Millis>,
    /// Where its ticks count from: the last one, or when its rule was made.
    base: Option<Millis>,
    next: Upcoming,
    /// How often the store has failed to take this tick.
    failures: u32,
    /// Of which plan it is part; an older one is void.
    plan: u64,
}

/// Next ticks by the clock that they are due on.
#[derive(Debug)]
pub(super) struct Agenda {
    store: DueHeap<Entry>,
    wall: DueHeap<Entry>,
    planned: HashMap<Arc<str>, Planned>,
    plans: u64,
    /// How far the wall clock was ahead of the store's when somebody last looked.
    ahead: Millis,
}

/// A schedule whose ticks are on the agenda.
#[derive(Debug)]
struct Planned {
    row: ScheduleRow,
    plan: u64,
}

impl Entry {
    pub(super) fn name(&self) -> &str {
        &self.schedule.name
    }

    /// What its ticks enqueue.
    pub(super) fn kind(&self) -> &Kind {
        &self.schedule.run.kind
    }

    /// Whether it has waited so long that it was missed.
    pub(super) fn has_slept(&self, now: Now) -> bool {
        self.base.is_some() && self.schedule.has_slept(self.next, now)
    }

    pub(super) fn tick(&self, now: Now) -> Tick {
        let Upcoming { at, part } = self.next;
        Tick {
            schedule: Arc::clone(&self.schedule.name),
            after: self.last,
            at,
            overlap: self.schedule.overlap(part),
            run: Arc::clone(&self.schedule.run),
            due_at: self.schedule.due_at(at, now),
            missed: self.schedule.missed_before(self.base, at),
            failures: self.failures,
        }
    }
}

impl Agenda {
    pub(super) fn new(now: Now) -> Self {
        Self {
            store: DueHeap::new(),
            wall: DueHeap::new(),
            planned: HashMap::new(),
            plans: 0,
            ahead: now.wall - now.store,
        }
    }

    /// Whether the ticks of this very schedule are planned.
    pub(super) fn knows(&self, row: &ScheduleRow) -> bool {
        let planned = self.planned.get(row.name.as_str());
        planned.is_some_and(|planned| planned.row == *row)
    }

    /// Forgets the schedules that are not among these.
    pub(super) fn keep_only(&mut self, views: &[ScheduleView]) {
        let names: HashSet<&str> = views.iter().map(|view| view.row.name.as_str()).collect();
        self.planned.retain(|name, _| names.contains(&**name));
    }

    /// Plans the next tick of a schedule; what was planned of one of its name before is void.
    pub(super) fn add(
        &mut self,
        view: &ScheduleView,
        schedule: Schedule,
        jitter: Duration,
        now: Now,
    ) {
        self.plans += 1;
        let planned = Planned {
            row: view.row.clone(),
            plan: self.plans,
        };
        self.planned.insert(Arc::clone(&schedule.name), planned);
        let base = view.base();
        let next = schedule.next(base, now, jitter);
        let entry = |next| Entry {
            schedule,
            last: view.last_tick,
            base,
            next,
            failures: 0,
            plan: self.plans,
        };
        match next {
            Some(next) => self.push(entry(next), now),
            None => warn_of_the_end(&view.row.name),
        }
    }

    /// Plans what comes after a tick.
    pub(super) fn go_on(&mut self, entry: Entry, ticked: Ticked, now: Now) {
        let last = match ticked {
            Ticked::Fired(_) | Ticked::Overlap | Ticked::Paused => Some(entry.next.at),
            Ticked::Taken(last) => last,
            Ticked::Gone => {
                self.planned.remove(&entry.schedule.name);
                return;
            }
        };
        let base = last.or(entry.base);
        let next = match base {
            Some(base) => entry.schedule.go_on(entry.next.part, base, now),
            None => entry.schedule.next(None, now, Duration::ZERO),
        };
        let failures = if matches!(ticked, Ticked::Taken(_)) {
            // Nothing was written, also not how often it failed.
            entry.failures
        } else {
            0
        };
        self.follow(
            Entry {
                last,
                base,
                failures,
                ..entry
            },
            next,
            now,
        );
    }

    /// Plans a tick anew, by what is known and the time as it is.
    pub(super) fn plan_again(&mut self, entry: Entry, now: Now) {
        let next = entry.schedule.next(entry.base, now, Duration::ZERO);
        self.follow(entry, next, now);
    }

    /// The store did not take it. Others come first meanwhile.
    pub(super) fn try_again(&mut self, entry: Entry, now: Now, pause: Duration) {
        let due = entry
            .schedule
            .time(now)
            .saturating_add(duration_millis(pause));
        let failures = entry.failures.saturating_add(1);
        self.push_at(due, Entry { failures, ..entry });
    }

    fn follow(&mut self, entry: Entry, next: Option<Upcoming>, now: Now) {
        match next {
            Some(next) => self.push(Entry { next, ..entry }, now),
            None => warn_of_the_end(&entry.schedule.name),
        }
    }

    fn push(&mut self, entry: Entry, now: Now) {
        let due = match entry.next.part {
            Part::Present => entry.next.at.saturating_add(entry.schedule.handicap),
            // Behind what is due already, so that a long backlog holds up no other schedule.
            Part::Backlog { .. } => entry.schedule.time(now),
        };
        self.push_at(due, entry);
    }

    fn push_at(&mut self, due: Millis, entry: Entry) {
        let heap = if entry.schedule.is_wall() {
            &mut self.wall
        } else {
            &mut self.store
        };
        heap.push(due, entry);
    }

    /// What has been due longest, at most so many.
    pub(super) fn pop(&mut self, most: usize, now: Now) -> Vec<Entry> {
        let mut due = Vec::new();
        while due.len() < most
            && let Some(entry) = self.pop_one(now)
        {
            let planned = self.planned.get(&entry.schedule.name);
            if planned.is_some_and(|planned| planned.plan == entry.plan) {
                due.push(entry);
            }
        }
        due
    }

    fn pop_one(&mut self, now: Now) -> Option<Entry> {
        let store = self
            .store
            .next_due()
            .map(|due| now.store.saturating_sub(due));
        let wall = self.wall.next_due().map(|due| now.wall.saturating_sub(due));
        if store >= wall {
            self.store.pop_due(now.store)
        } else {
            self.wall.pop_due(now.wall)
        }
    }

    /// After the wall clock was set, what is due on it is planned by the new time.
    pub(super) fn follow_the_clock(&mut self, now: Now) {
        let ahead = now.wall - now.store;
        let jump = ahead - std::mem::replace(&mut self.ahead, ahead);
        if jump.abs() < JUMP {
            return;
        }
        tracing::info!(target: "afterhours", milliseconds = jump, "the wall clock was set: cron schedules follow it");
        for entry in std::mem::replace(&mut self.wall, DueHeap::new()).into_values() {
            self.plan_again(entry, now);
        }
    }

    /// When the next tick is due, on either clock.
    #[cfg(feature = "testing")]
    pub(super) fn next(&self) -> NextDue {
        NextDue {
            wall: self.wall.next_due(),
            store: self.store.next_due(),
        }
    }

    /// How long nothing will be due.
    pub(super) fn sleep(&self, now: Now) -> Duration {
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

fn warn_of_the_end(schedule: &str) {
    tracing::warn!(target: "afterhours", schedule, "the schedule has no further tick");
}
