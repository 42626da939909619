//! One job's schedule: when it ticks. Pure; the scheduler brings the time.

use std::time::Duration;

use afterhours_schedule::{Cron, parse_timezone};
use chrono::{DateTime, Utc};

use crate::clock::{Millis, Now, duration_millis};
use crate::error::Error;
use crate::job::{JobDef, Missed, Overlap, ScheduleDef};

/// A job with the rule that it ticks by.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    pub(super) job: &'static JobDef,
    rule: Rule,
    /// How long this worker leaves a tick to the one that goes first.
    pub(super) handicap: Millis,
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
pub(super) struct Seat {
    pub(super) index: u32,
    pub(super) total: u32,
}

impl Seat {
    /// Whether this worker goes first: the job names a worker, or the ticks are spread over the workers by the crc32
    /// of the job's name.
    fn goes_first(self, job: &JobDef) -> bool {
        let workers = 1..=self.total;
        let named = job.worker.filter(|worker| workers.contains(worker));
        if let (Some(worker), None) = (job.worker, named) {
            tracing::warn!(
                target: "afterhours", job = job.name, worker, total = self.total,
                "the schedule names a worker that is not among the workers; its ticks go by the job's name",
            );
        }
        let spread = || crc32fast::hash(job.name.as_bytes()) % self.total + 1;
        named.unwrap_or_else(spread) == self.index
    }
}

#[derive(Debug, Clone)]
enum Rule {
    /// On the store's clock, which nobody can set.
    Every(Millis),
    /// On the wall clock of its time zone.
    Cron(Box<Cron>),
}

impl Rule {
    /// Long enough for the worker that goes first, and short enough that a second worker takes over within a second.
    fn handicap(&self) -> Millis {
        const LONGEST: Millis = 750;
        match self {
            Self::Every(interval) => LONGEST.min(interval / 2),
            Self::Cron(_) => LONGEST,
        }
    }

    /// The tick after `tick`, which is one itself or, for an expression, any time.
    fn following(&self, tick: Millis) -> Option<Millis> {
        match self {
            Self::Every(interval) => tick.checked_add(*interval),
            Self::Cron(cron) => next_match(cron, tick),
        }
    }

    /// Whether a tick that is found now is not even late.
    fn has_missed(&self, tick: Millis, now: Millis) -> bool {
        let gap = self
            .following(tick)
            .map_or(Millis::MAX, |following| following - tick);
        tick <= now && now - tick >= LATE.min(gap / 2)
    }

    /// Of the ticks after `start` and up to `end` the latest, at most `limit` of them: the first of these. `last` is a
    /// tick not after `start`.
    fn first_of_latest(
        &self,
        last: Millis,
        start: Millis,
        end: Millis,
        limit: u32,
    ) -> Option<Millis> {
        match self {
            Self::Every(interval) => {
                let passed = (end - last) / interval;
                let first = ((start - last) / interval + 1).max(passed - Millis::from(limit) + 1);
                (first <= passed).then(|| last + first * interval)
            }
            Self::Cron(cron) => first_of_latest_matches(cron, start, end, limit),
        }
    }
}

/// A tick found this long after its time, or after half the interval if that is shorter, is late; after that it
/// was missed.
const LATE: Millis = 5 * 60 * 1000;

/// So many missed ticks get a run each, where the job sets no limit.
const MISSED_LIMIT: u32 = 100;

impl Schedule {
    /// The schedule of a job that has one.
    pub(super) fn of(job: &'static JobDef, seat: Seat) -> Result<Option<Self>, Error> {
        let wrong = |reason: String| Error::Schedule {
            job: job.name,
            reason,
        };
        let rule = match job.schedule {
            None => return Ok(None),
            Some(ScheduleDef::Every(interval)) if interval.is_zero() => {
                return Err(wrong("`every` must be above 0".to_owned()));
            }
            Some(ScheduleDef::Every(interval)) => Rule::Every(duration_millis(interval)),
            Some(ScheduleDef::Cron {
                expression,
                timezone,
            }) => {
                let timezone =
                    parse_timezone(timezone).map_err(|error| wrong(error.to_string()))?;
                Rule::Cron(Box::new(
                    Cron::parse(expression, timezone).map_err(|error| wrong(error.to_string()))?,
                ))
            }
        };
        let handicap = if seat.goes_first(job) {
            0
        } else {
            rule.handicap()
        };
        Ok(Some(Self {
            job,
            rule,
            handicap,
        }))
    }

    /// Whether it ticks on the wall clock; else on the store's.
    pub(super) fn is_wall(&self) -> bool {
        matches!(self.rule, Rule::Cron(_))
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
        let at = match (&self.rule, last) {
            (Rule::Every(_), None) => time.saturating_add(duration_millis(jitter)),
            (Rule::Cron(cron), None) => next_match(cron, time)?,
            (rule, Some(last)) => {
                if let Some(missed) = self.missed(last, time) {
                    return Some(missed);
                }
                match rule {
                    Rule::Every(interval) => next_interval(*interval, last, time),
                    Rule::Cron(cron) => next_cron(cron, last, time)?,
                }
            }
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
            && let Some(at) = self.rule.following(last).filter(|at| *at <= until)
        {
            return Some(Upcoming { at, part });
        }
        self.next(Some(last), now, Duration::ZERO)
    }

    /// Whether a tick of the present has waited so long that it was missed: the machine slept, or the store failed.
    /// The worker that does not go first is late by its handicap, and one that is merely busy is forgiven.
    pub(super) fn has_slept(&self, tick: Upcoming, now: Now) -> bool {
        const FORGIVEN: Millis = 5000;
        let time = self.time(now) - self.handicap;
        tick.part == Part::Present
            && time - tick.at > FORGIVEN
            && self.rule.has_missed(tick.at, time)
    }

    /// Whether a tick enqueues beside an active run. Under `run_all` each tick of the backlog does, whatever the job
    /// says of overlap: they come all at once, so the first would swallow the others. The ticks after the backlog
    /// follow the job's rule again, and then the backlog's latest run is the one that may be active. A job whose
    /// backlog must be worked off one by one has `concurrency = 1`.
    pub(super) fn overlap(&self, part: Part) -> Overlap {
        match (part, self.job.missed) {
            (Part::Backlog { .. }, Missed::RunAll) => Overlap::Allow,
            _ => self.job.overlap,
        }
    }

    /// The first tick of what was missed after `last` and is to be made up for. If nothing but a tick that is late has
    /// passed, that is the present; behind missed ones, a late one belongs to the backlog.
    fn missed(&self, last: Millis, now: Millis) -> Option<Upcoming> {
        let limit = match self.job.missed {
            Missed::Skip => return None,
            Missed::RunOnce => 1,
            Missed::RunAll => self.job.missed_limit.unwrap_or(MISSED_LIMIT),
        };
        if !self.rule.has_missed(self.rule.following(last)?, now) {
            return None;
        }
        // A window of two hours holds two ticks of an hourly job, never three.
        let start = self.job.missed_window.map_or(last, |window| {
            last.max(now.saturating_sub(duration_millis(window)))
        });
        let at = self.rule.first_of_latest(last, start, now, limit)?;
        let until = self.rule.first_of_latest(last, start, now, 1)?;
        // A late tick fires in any case, and is then the one run.
        if self.job.missed == Missed::RunOnce && !self.rule.has_missed(until, now) {
            return None;
        }
        Some(Upcoming {
            at,
            part: Part::Backlog { until },
        })
    }

    /// The time on the clock that it ticks on.
    pub(super) fn time(&self, now: Now) -> Millis {
        if self.is_wall() { now.wall } else { now.store }
    }

    /// The wall-clock time of a tick.
    pub(super) fn due_at(&self, tick: Millis, now: Now) -> Millis {
        if self.is_wall() {
            tick
        } else {
            now.wall + (tick - now.store)
        }
    }

    /// At most this much chance is added to the first tick.
    pub(super) fn spread(&self) -> Duration {
        const LONGEST: u64 = 5000;
        match &self.rule {
            Rule::Every(interval) => Duration::from_millis(interval.unsigned_abs().min(LONGEST)),
            Rule::Cron(_) => Duration::ZERO,
        }
    }
}

fn next_interval(interval: Millis, last: Millis, now: Millis) -> Millis {
    let passed = now.saturating_sub(last).max(0) / interval;
    let latest = last + passed * interval;
    if passed > 0 && now - latest < LATE.min(interval / 2) {
        latest
    } else {
        latest.saturating_add(interval)
    }
}

fn next_cron(cron: &Cron, last: Millis, now: Millis) -> Option<Millis> {
    let mut tick = next_match(cron, last.max(now.saturating_sub(LATE)))?;
    while tick <= now {
        let next = next_match(cron, tick)?;
        if now - tick < LATE.min((next - tick) / 2) {
            return Some(tick);
        }
        tick = next;
    }
    Some(tick)
}

/// The walk is bounded whatever has passed since `start`: at most `limit` + 1 matches, and, if there are more, as many
/// again for each halving of the time between, down to a second.
fn first_of_latest_matches(
    cron: &Cron,
    start: Millis,
    end: Millis,
    mut limit: u32,
) -> Option<Millis> {
    /// No two matches are closer.
    const RESOLUTION: Millis = 1000;
    if limit == 0 {
        return None;
    }
    // Invariant: `limit` matches are wanted up to `to`, those after it are wanted all; after `from` there are more.
    let (mut from, mut to) = (start, end);
    match count_matches(cron, from, to, limit) {
        Some(_) => to = from,
        None => {
            while to - from > RESOLUTION {
                let middle = from + (to - from) / 2;
                match count_matches(cron, middle, to, limit) {
                    Some(count) => {
                        limit -= count;
                        to = middle;
                    }
                    None => from = middle,
                }
            }
        }
    }
    next_match(cron, to).filter(|first| *first <= end)
}

/// How many matches there are after `start` and up to `end`; `None` if more than `limit`.
fn count_matches(cron: &Cron, start: Millis, end: Millis, limit: u32) -> Option<u32> {
    let mut count = 0;
    let mut last = start;
    while let Some(tick) = next_match(cron, last).filter(|tick| *tick <= end) {
        if count == limit {
            return None;
        }
        count += 1;
        last = tick;
    }
    Some(count)
}

fn next_match(cron: &Cron, after: Millis) -> Option<Millis> {
    cron.next_after(DateTime::<Utc>::from_timestamp_millis(after)?)
        .map(|next| next.timestamp_millis())
}

#[cfg(test)]
mod tests;
