//! The next moment at which a job is due.
//!
//! The search runs on the clock of the time zone, where the fields mean what they say, and only its result is turned
//! into real time. The rules for gaps and folds are those of cronie.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::{
    days::Days,
    times::Times,
    zone::{self, Reading},
};

/// A larger change is not daylight saving but another calendar, and holds no job back.
const LARGEST_CHANGE: TimeDelta = TimeDelta::hours(3);

const SECOND: TimeDelta = TimeDelta::seconds(1);

/// An expression, ready to be searched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) days: Days,
    pub(super) times: Times,
    /// Minutes or hours begin with `*`: the job counts clock time and does not mean one moment of the day.
    pub(super) wildcard: bool,
}

impl Plan {
    /// The first tick after `after`.
    pub(super) fn next_after(&self, tz: Tz, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // Ticks are whole seconds.
        let after = DateTime::from_timestamp(after.timestamp(), 0)?;
        let mut from = self.first_candidate(tz, after)?;
        loop {
            let candidate = self.at_or_after(from)?;
            let reading = zone::read(tz, candidate)?;
            // The filter matters only if a zone ever changes twice within hours: time still goes forward.
            if let Some(tick) = self.tick(reading, after).filter(|tick| *tick > after) {
                return Some(tick);
            }
            from = match reading {
                Reading::Missing(gap) => zone::clock(tz, gap.ends)?,
                Reading::Once(_) | Reading::Twice(_) => candidate.checked_add_signed(SECOND)?,
            };
        }
    }

    /// The clock time at which the search begins: a second after `after`, or where the clock is set back to.
    fn first_candidate(&self, tz: Tz, after: DateTime<Utc>) -> Option<NaiveDateTime> {
        let now = zone::clock(tz, after)?;
        let soon = now.checked_add_signed(SECOND)?;
        let fold = match zone::read(tz, now)? {
            Reading::Twice(fold) if fold.first == after && self.follows(fold.size()) => fold,
            _ => return Some(soon),
        };
        let second_pass = zone::clock(tz, zone::seam(tz, fold))?;
        let end = second_pass + fold.size();
        // The clock times already passed come again, but only after those left in the first pass.
        let left = self.at_or_after(soon).is_some_and(|next| next < end);
        Some(if left { soon } else { second_pass })
    }

    /// When the job runs for a clock time that matches; `None` if it does not.
    fn tick(&self, reading: Reading, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match reading {
            Reading::Once(tick) => Some(tick),
            Reading::Twice(fold) if fold.first > after => Some(fold.first),
            Reading::Twice(fold) => self.follows(fold.size()).then_some(fold.second),
            Reading::Missing(gap) => (!self.follows(gap.size)).then_some(gap.ends),
        }
    }

    /// Whether the job takes the clock as it is when it changes by `size`.
    fn follows(&self, size: TimeDelta) -> bool {
        self.wildcard || size > LARGEST_CHANGE
    }

    /// The first clock time that matches and is not before `from`.
    fn at_or_after(&self, from: NaiveDateTime) -> Option<NaiveDateTime> {
        if self.days.contains(from.date())
            && let Some(time) = self.times.at_or_after(from.time())
        {
            return Some(from.date().and_time(time));
        }
        let date = self.days.at_or_after(from.date().succ_opt()?)?;
        Some(date.and_time(self.times.first()?))
    }
}
