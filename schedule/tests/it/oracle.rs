//! Cron as cronie runs it: a clock that is looked at in every step, and a second one that lags behind when it jumps.

use std::collections::BTreeSet;

use afterhours_schedule::{
    chrono::{DateTime, Datelike, NaiveDateTime, TimeDelta, Timelike, Utc},
    chrono_tz::Tz,
};

use crate::support::{FieldCase, clock};

/// An expression with six fields, as sets of values.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) second: FieldCase,
    pub(crate) minute: FieldCase,
    pub(crate) hour: FieldCase,
    pub(crate) day: FieldCase,
    pub(crate) month: FieldCase,
    pub(crate) weekday: FieldCase,
}

impl Job {
    pub(crate) fn text(&self) -> String {
        let Self {
            second,
            minute,
            hour,
            day,
            month,
            weekday,
        } = self;
        let texts = [second, minute, hour, day, month, weekday].map(|field| field.text.as_str());
        texts.join(" ")
    }

    /// The ticks in `(after, until]`, found by looking at every `step`.
    pub(crate) fn ticks(
        &self,
        tz: Tz,
        after: DateTime<Utc>,
        until: DateTime<Utc>,
        step: TimeDelta,
    ) -> Vec<DateTime<Utc>> {
        // Started earlier, so that the lag of a clock set back shortly before is known.
        let mut now = after - step * i32::try_from(4 * 3_600 / step.num_seconds()).unwrap();
        let mut virtual_clock = clock(tz, now);
        let mut ticks = Vec::new();
        while now < until {
            now += step;
            if self.due(clock(tz, now), &mut virtual_clock, step) && now > after {
                ticks.push(now);
            }
        }
        ticks
    }

    fn due(&self, wall: NaiveDateTime, virtual_clock: &mut NaiveDateTime, step: TimeDelta) -> bool {
        let ahead = wall - *virtual_clock;
        let wildcard = self.minute.starred() || self.hour.starred();
        if ahead <= TimeDelta::zero() && ahead >= -TimeDelta::hours(3) {
            return wildcard && self.matches(wall);
        }
        // It is a step ahead of the virtual clock where nothing has jumped.
        let caught_up = ahead > step && ahead - step <= TimeDelta::hours(3);
        let missed = std::iter::successors(Some(wall), |time| Some(*time - step))
            .take_while(|time| *time > *virtual_clock);
        let due = match caught_up && !wildcard {
            true => missed.into_iter().any(|time| self.matches(time)),
            false => self.matches(wall),
        };
        *virtual_clock = wall;
        due
    }

    pub(crate) fn matches(&self, time: NaiveDateTime) -> bool {
        let has = |values: &BTreeSet<u32>, value: u32| values.contains(&value);
        let sunday_too = time.weekday().num_days_from_sunday();
        let day = has(&self.day.values, time.day());
        let weekday = has(&self.weekday.values, sunday_too)
            || (sunday_too == 0 && has(&self.weekday.values, 7));
        let days = match self.day.starred() || self.weekday.starred() {
            true => day && weekday,
            false => day || weekday,
        };
        days && has(&self.second.values, time.second())
            && has(&self.minute.values, time.minute())
            && has(&self.hour.values, time.hour())
            && has(&self.month.values, time.month())
    }
}
