//! One schedule as a worker follows it: which tick comes next, and what is made up for. Pure; the scheduler brings the
//! time.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Millis, Now, duration_millis};
use crate::job::{Missed, Overlap};
use crate::store::{NewRun, ScheduleRow};
use crate::ticks::Ticks;

/// A schedule with the rule that it ticks by.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    pub(super) name: Arc<str>,
    ticks: Ticks,
    overlap: Overlap,
    missed: Missed,
    missed_limit: Option<u32>,
    missed_window: Option<Millis>,
    /// How long this worker leaves a tick to the one that goes first.
    pub(super) handicap: Millis,
    /// What a tick enqueues.
    pub(super) run: Arc<NewRun>,
}

/// A tick that is to be fired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Upcoming {
    pub(super) at: Millis,
    pub(super) part: Part,
}

/// What a tick is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The schedule as it goes on: on time, or late.
    Present,
    /// What was missed, of which `until` is the latest.
    Backlog { until: Millis },
}

/// Which worker of how many this is, from 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seat {
    pub(crate) index: u32,
    pub(crate) total: u32,
}

impl Seat {
    /// Whether this worker goes first: the schedule names a worker, or the ticks are spread over the workers by the
    /// crc32 of the schedule's name.
    pub(super) fn goes_first(self, schedule: &str, pinned: Option<u32>) -> bool {
        let workers = 1..=self.total;
        let named = pinned.filter(|worker| workers.contains(worker));
        if let (Some(worker), None) = (pinned, named) {
            tracing::warn!(
                target: "afterhours", schedule, worker, total = self.total,
                "the schedule names a worker that is not among the workers; its ticks go by its name",
            );
        }
        let spread = || crc32fast::hash(schedule.as_bytes()) % self.total + 1;
        named.unwrap_or_else(spread) == self.index
    }
}

/// Long enough for the worker that goes first, and short enough that a second worker takes over within a second.
fn handicap(ticks: &Ticks) -> Millis {
    const LONGEST: Millis = 750;
    match ticks {
        Ticks::Every(interval) => LONGEST.min(interval / 2),
        Ticks::Cron(_) => LONGEST,
    }
}

/// So many missed ticks get a run each, where the job sets no limit.
const MISSED_LIMIT: u32 = 100;

impl Schedule {
    /// The schedule in a row of the store, by the rule in it.
    pub(super) fn new(row: &ScheduleRow, ticks: Ticks, goes_first: bool) -> Self {
        Self {
            name: row.name.as_str().into(),
            handicap: if goes_first { 0 } else { handicap(&ticks) },
            ticks,
            overlap: row.overlap,
            missed: row.missed,
            missed_limit: row.missed_limit,
            missed_window: row.missed_window,
            run: Arc::new(row.run.clone()),
        }
    }

    /// Whether it ticks on the wall clock; else on the store's.
    pub(super) fn is_wall(&self) -> bool {
        self.ticks.is_wall()
    }

    /// The tick after `last`: on time, or late, or missed if the job wants those. A schedule without a last tick
    /// starts now and has missed nothing: an interval after `jitter`, an expression at its next match. `None` if there
    /// is none before the end of the calendar.
    pub(super) fn next(
        &self,
        last: Option<Millis>,
        now: Now,
        jitter: Duration,
    ) -> Option<Upcoming> {
        let time = self.time(now);
        let last = last.filter(|last| !self.resets(*last, time));
        let at = match (last, &self.ticks) {
            (None, Ticks::Every(_)) => time.saturating_add(duration_millis(jitter)),
            (None, Ticks::Cron(_)) => self.ticks.following(time)?,
            (Some(last), ticks) => match self.missed(last, time) {
                Some(missed) => return Some(missed),
                None => ticks.next(last, time)?,
            },
        };
        Some(Upcoming {
            at,
            part: Part::Present,
        })
    }

    /// The tick after `last`, the outcome of a tick that was part of `part`.
    pub(super) fn go_on(&self, part: Part, last: Millis, now: Now) -> Option<Upcoming> {
        // A backlog is bounded once, when it is found: what it has left is not counted again at each of its ticks.
        if let Part::Backlog { until } = part
            && let Some(at) = self.ticks.following(last).filter(|at| *at <= until)
        {
            return Some(Upcoming { at, part });
        }
        self.next(Some(last), now, Duration::ZERO)
    }

    /// Whether a tick of the present has waited so long that it was missed: the machine slept, or the store failed.
    /// The worker that does not go first is late by its handicap, and one that is merely busy is forgiven.
    pub(super) fn has_slept(&self, tick: Upcoming, now: Now) -> bool {
        const FORGIVEN: Millis = 5000;
        let time = self.time(now).saturating_sub(self.handicap);
        tick.part == Part::Present
            && time.saturating_sub(tick.at) > FORGIVEN
            && self.ticks.has_missed(tick.at, time)
    }

    /// Whether a tick enqueues beside an active run. Under `run_all` each tick of the backlog does, whatever the job
    /// says of overlap: they come all at once, so the first would swallow the others. The ticks after the backlog
    /// follow the job's rule again, and then the backlog's latest run is the one that may be active. A job whose
    /// backlog must be worked off one by one has `concurrency = 1`.
    pub(super) fn overlap(&self, part: Part) -> Overlap {
        match (part, self.missed) {
            (Part::Backlog { .. }, Missed::RunAll) => Overlap::Allow,
            _ => self.overlap,
        }
    }

    /// A last tick that cannot be one of this clock is forgotten, loudly: silence until the clock passes it could last
    /// for years.
    fn resets(&self, last: Millis, time: Millis) -> bool {
        let is_ahead = self.ticks.is_ahead(last, time);
        if is_ahead {
            tracing::warn!(
                target: "afterhours", schedule = &*self.name, last, now = time,
                "the last tick of this schedule is more than a day ahead of the clock: it starts anew from now",
            );
        }
        is_ahead
    }

    /// The first tick of what was missed after `last` and is to be made up for. If nothing but a tick that is late has
    /// passed, that is the present; behind missed ones, a late one belongs to the backlog.
    fn missed(&self, last: Millis, now: Millis) -> Option<Upcoming> {
        let limit = match self.missed {
            Missed::Skip => return None,
            Missed::RunOnce => 1,
            Missed::RunAll => self.missed_limit.unwrap_or(MISSED_LIMIT),
        };
        if !self.ticks.has_missed(self.ticks.following(last)?, now) {
            return None;
        }
        // A window of two hours holds two ticks of an hourly job, never three.
        let start = self
            .missed_window
            .map_or(last, |window| last.max(now.saturating_sub(window)));
        let at = self.ticks.first_of_latest(last, start, now, limit)?;
        let until = self.ticks.first_of_latest(last, start, now, 1)?;
        // A late tick fires in any case, and is then the one run.
        if self.missed == Missed::RunOnce && !self.ticks.has_missed(until, now) {
            return None;
        }
        Some(Upcoming {
            at,
            part: Part::Backlog { until },
        })
    }

    /// The time on the clock that it ticks on.
    pub(super) fn time(&self, now: Now) -> Millis {
        self.ticks.time(now)
    }

    /// The wall-clock time of a tick.
    pub(super) fn due_at(&self, tick: Millis, now: Now) -> Millis {
        self.ticks.wall(tick, now)
    }

    /// How many ticks nobody will fire when, after `last`, this one is fired.
    pub(super) fn missed_before(&self, last: Option<Millis>, tick: Millis) -> u32 {
        last.map_or(0, |last| self.ticks.count_between(last, tick))
    }

    /// At most this much chance is added to the first tick.
    pub(super) fn spread(&self) -> Duration {
        const LONGEST: u64 = 5000;
        match &self.ticks {
            Ticks::Every(interval) => Duration::from_millis(interval.unsigned_abs().min(LONGEST)),
            Ticks::Cron(_) => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests;
