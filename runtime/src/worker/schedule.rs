//! One job's schedule: when it ticks. Pure; the scheduler brings the time.

use std::time::Duration;

use afterhours_schedule::{Cron, parse_timezone};
use chrono::{DateTime, Utc};

use crate::clock::{Millis, Now, duration_millis};
use crate::error::Error;
use crate::job::{JobDef, ScheduleDef};

/// A job with the rule that it ticks by.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    pub(super) job: &'static JobDef,
    rule: Rule,
    /// How long this worker leaves a tick to the one that goes first.
    pub(super) handicap: Millis,
}

/// Which worker of how many this is, from 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seat {
    pub(super) index: u32,
    pub(super) total: u32,
}

impl Seat {
    /// Whether this worker goes first: the ticks are spread over the workers by the crc32 of the job's name.
    fn goes_first(self, name: &str) -> bool {
        crc32fast::hash(name.as_bytes()) % self.total + 1 == self.index
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
}

/// A tick found this long after its time, or after half the interval if that is shorter, is late; after that it
/// was missed.
const LATE: Millis = 5 * 60 * 1000;

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
        let handicap = if seat.goes_first(job.name) {
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

    /// The tick after `last`: on time, or late, but none that was missed. A schedule without a last tick starts
    /// now: an interval after `jitter`, an expression at its next match. `None` if there is none before the end of
    /// the calendar.
    pub(super) fn next(&self, last: Option<Millis>, now: Now, jitter: Duration) -> Option<Millis> {
        match (&self.rule, last) {
            (Rule::Every(_), None) => Some(now.store.saturating_add(duration_millis(jitter))),
            (Rule::Every(interval), Some(last)) => Some(next_interval(*interval, last, now.store)),
            (Rule::Cron(cron), None) => next_match(cron, now.wall),
            (Rule::Cron(cron), Some(last)) => next_cron(cron, last, now.wall),
        }
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

fn next_match(cron: &Cron, after: Millis) -> Option<Millis> {
    cron.next_after(DateTime::<Utc>::from_timestamp_millis(after)?)
        .map(|next| next.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Millis = 60_000;
    const HOUR: Millis = 60 * MINUTE;

    fn schedule(def: ScheduleDef) -> Schedule {
        let job = Box::leak(Box::new(JobDef {
            schedule: Some(def),
            ..JobDef::scheduled("job", "file.rs", 1, |_| unreachable!("never started"))
        }));
        Schedule::of(job, Seat { index: 1, total: 1 })
            .unwrap()
            .unwrap()
    }

    fn check(def: ScheduleDef, last: Option<Millis>, now: Millis, expected: Millis) {
        let now = Now {
            wall: now,
            store: now,
        };
        assert_eq!(
            schedule(def).next(last, now, Duration::from_millis(7)),
            Some(expected)
        );
    }

    #[test]
    fn intervals_keep_their_spacing_and_skip_what_was_missed() {
        let hourly = ScheduleDef::Every(Duration::from_secs(3600));
        check(hourly, None, 100, 107);
        check(hourly, Some(0), 1, HOUR);
        check(hourly, Some(0), HOUR, HOUR);
        check(hourly, Some(0), HOUR + 4 * MINUTE, HOUR);
        check(hourly, Some(0), HOUR + 5 * MINUTE, 2 * HOUR);
        check(hourly, Some(0), 5 * HOUR + 30 * MINUTE, 6 * HOUR);
        check(hourly, Some(HOUR), 0, 2 * HOUR);
    }

    #[test]
    fn expressions_follow_the_wall_clock_and_skip_what_was_missed() {
        let hourly = ScheduleDef::Cron {
            expression: "0 * * * *",
            timezone: "UTC",
        };
        check(hourly, None, 1, HOUR);
        check(hourly, None, HOUR, 2 * HOUR);
        check(hourly, Some(0), HOUR + MINUTE, HOUR);
        check(hourly, Some(HOUR), HOUR + MINUTE, 2 * HOUR);
        check(hourly, Some(0), 5 * HOUR + 30 * MINUTE, 6 * HOUR);
        // The clock was set back: silence until it passes the last tick.
        check(hourly, Some(5 * HOUR), HOUR, 6 * HOUR);
        let minutely = ScheduleDef::Cron {
            expression: "* * * * *",
            timezone: "UTC",
        };
        check(minutely, Some(0), 10 * MINUTE + 29_000, 10 * MINUTE);
        check(minutely, Some(0), 10 * MINUTE + 31_000, 11 * MINUTE);
    }

    #[test]
    fn of_all_workers_one_goes_first() {
        let daily = ScheduleDef::Cron {
            expression: "@daily",
            timezone: "UTC",
        };
        for total in 1..=4 {
            let handicap = |index| {
                let job = schedule(daily).job;
                Schedule::of(job, Seat { index, total })
                    .unwrap()
                    .unwrap()
                    .handicap
            };
            let first: Vec<_> = (1..=total).filter(|index| handicap(*index) == 0).collect();
            assert_eq!(first, [crc32fast::hash(b"job") % total + 1]);
        }
    }
}
