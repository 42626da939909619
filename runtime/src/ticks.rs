//! When a rule ticks: both kinds of rule in milliseconds of the clock they count on. Pure; callers bring the time.

use afterhours_schedule::{Cron, Rule};
use chrono::{DateTime, Utc};

use crate::clock::{Millis, Now, duration_millis};

/// A rule, in the store's unit of time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ticks {
    /// On the store's clock, which nobody can set.
    Every(Millis),
    /// On the wall clock of its time zone.
    Cron(Box<Cron>),
}

/// A tick found this long after its time, or after half the interval if that is shorter, is late; after that it
/// was missed.
const LATE: Millis = 5 * 60 * 1000;

/// A last tick this far ahead of its clock is no tick of this clock.
const AHEAD: Millis = 24 * 60 * 60 * 1000;

/// Ticks that nobody saw are counted up to this many at a time.
const COUNTED: u32 = 10_000;

impl From<&Rule> for Ticks {
    fn from(rule: &Rule) -> Self {
        match rule {
            // An interval of less than a millisecond would never move on.
            Rule::Every(every) => Self::Every(duration_millis(every.interval()).max(1)),
            Rule::Cron(cron) => Self::Cron(cron.clone()),
        }
    }
}

impl Ticks {
    /// Whether it ticks on the wall clock; else on the store's.
    pub(crate) fn is_wall(&self) -> bool {
        matches!(self, Self::Cron(_))
    }

    /// The time on the clock that it ticks on.
    pub(crate) fn time(&self, now: Now) -> Millis {
        if self.is_wall() { now.wall } else { now.store }
    }

    /// The wall-clock time of a tick.
    pub(crate) fn wall(&self, tick: Millis, now: Now) -> Millis {
        if self.is_wall() {
            tick
        } else {
            now.wall.saturating_add(tick.saturating_sub(now.store))
        }
    }

    /// The tick after `tick`, which is one itself or, for an expression, any time.
    pub(crate) fn following(&self, tick: Millis) -> Option<Millis> {
        match self {
            Self::Every(interval) => tick.checked_add(*interval),
            Self::Cron(cron) => next_match(cron, tick),
        }
    }

    /// The tick after `last` that is to come, or that is late at the most.
    pub(crate) fn next(&self, last: Millis, time: Millis) -> Option<Millis> {
        match self {
            Self::Every(interval) => Some(next_interval(*interval, last, time)),
            Self::Cron(cron) => next_cron(cron, last, time),
        }
    }

    /// Whether a tick that is found now is not even late.
    pub(crate) fn has_missed(&self, tick: Millis, now: Millis) -> bool {
        let gap = self
            .following(tick)
            .map_or(Millis::MAX, |following| following.saturating_sub(tick));
        tick <= now && now.saturating_sub(tick) >= LATE.min(gap / 2)
    }

    /// Whether a last tick cannot be one of this clock: it was far ahead when somebody set it back.
    pub(crate) fn is_ahead(&self, last: Millis, time: Millis) -> bool {
        let reach = match self {
            Self::Every(interval) => AHEAD.saturating_add(*interval),
            Self::Cron(_) => AHEAD,
        };
        last.saturating_sub(time) > reach
    }

    /// The last tick up to now, of an interval that ticked at `last`.
    pub(crate) fn passed_over(&self, last: Option<Millis>, time: Millis) -> Option<Millis> {
        match (self, last) {
            (Self::Every(interval), Some(last)) if last < time => {
                Some(time - passed(*interval, last, time).1)
            }
            _ => last,
        }
    }

    /// How many ticks lie between two, neither of them counted; no more than [`COUNTED`].
    pub(crate) fn count_between(&self, last: Millis, tick: Millis) -> u32 {
        match self {
            Self::Every(interval) => {
                let between = (tick.saturating_sub(last) / interval)
                    .saturating_sub(1)
                    .max(0);
                u32::try_from(between).unwrap_or(u32::MAX).min(COUNTED)
            }
            Self::Cron(cron) => {
                count_matches(cron, last, tick.saturating_sub(1), COUNTED).unwrap_or(COUNTED)
            }
        }
    }

    /// Of the ticks after `start` and up to `end` the latest, at most `limit` of them: the first of these. `last` is a
    /// tick not after `start`.
    pub(crate) fn first_of_latest(
        &self,
        last: Millis,
        start: Millis,
        end: Millis,
        limit: u32,
    ) -> Option<Millis> {
        match self {
            Self::Every(interval) => {
                let (whole, _) = passed(*interval, last, end);
                let (before, _) = passed(*interval, last, start);
                let first = (before + 1).max(whole - i128::from(limit) + 1);
                let at = i128::from(last) + first * i128::from(*interval);
                Millis::try_from(at).ok().filter(|_| first <= whole)
            }
            Self::Cron(cron) => first_of_latest_matches(cron, start, end, limit),
        }
    }
}

/// How much of an interval that ticked at `last` has passed: whole ones, and the rest. A stranger's last tick may be
/// further away than the numbers of this unit reach.
fn passed(interval: Millis, last: Millis, now: Millis) -> (i128, Millis) {
    let since = (i128::from(now) - i128::from(last)).max(0);
    let interval = i128::from(interval);
    // A rest is smaller than the interval.
    let rest = Millis::try_from(since % interval).unwrap_or_default();
    (since / interval, rest)
}

fn next_interval(interval: Millis, last: Millis, now: Millis) -> Millis {
    let (whole, rest) = passed(interval, last, now);
    let latest = if whole > 0 { now - rest } else { last };
    if whole > 0 && rest < LATE.min(interval / 2) {
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
