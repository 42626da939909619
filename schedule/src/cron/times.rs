//! The times of day at which a job is due.

use chrono::{NaiveTime, Timelike};

use super::bits;

/// Seconds, minutes and hours, one bit per value; none of them is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) seconds: u64,
    pub(super) minutes: u64,
    pub(super) hours: u64,
}

impl Times {
    /// The first time of a day.
    pub(super) fn first(&self) -> Option<NaiveTime> {
        self.at_or_after(NaiveTime::MIN)
    }

    /// The first time of a day that is not before `from`.
    pub(super) fn at_or_after(&self, from: NaiveTime) -> Option<NaiveTime> {
        let (hour, minute, second) = (from.hour(), from.minute(), from.second());
        self.in_hour(hour, minute, second).or_else(|| {
            let hour = bits::at_or_after(self.hours, hour + 1)?;
            self.in_hour(hour, 0, 0)
        })
    }

    fn in_hour(&self, hour: u32, minute: u32, second: u32) -> Option<NaiveTime> {
        if !bits::contains(self.hours, hour) {
            return None;
        }
        self.in_minute(hour, minute, second).or_else(|| {
            let minute = bits::at_or_after(self.minutes, minute + 1)?;
            self.in_minute(hour, minute, 0)
        })
    }

    fn in_minute(&self, hour: u32, minute: u32, second: u32) -> Option<NaiveTime> {
        if !bits::contains(self.minutes, minute) {
            return None;
        }
        let second = bits::at_or_after(self.seconds, second)?;
        NaiveTime::from_hms_opt(hour, minute, second)
    }
}
