//! The days on which a job is due.

use chrono::{Datelike, NaiveDate};

use super::bits;

/// The Gregorian calendar repeats after 400 years, weekdays included: a day not found by then never comes.
const CALENDAR_MONTHS: u32 = 400 * 12;

/// A day that is counted within its month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MonthDay {
    /// `L`, or `L-3` for the third day before it.
    Last { before: u32 },
    /// `LW`: the last day from Monday to Friday.
    LastWorkday,
    /// `15W`: the day from Monday to Friday that is nearest, in the same month.
    NearestWorkday(u32),
}

/// A weekday that is counted within its month; 0 is Sunday.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weekday {
    /// `2#1`: the first Tuesday.
    Nth { day: u32, nth: u32 },
    /// `5L`: the last Friday.
    Last { day: u32 },
}

/// How the two day fields are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Join {
    /// A day has to be in both fields, because one of them begins with `*`.
    Both,
    /// A day in one of the fields is enough, because both are restricted.
    Either,
}

/// What the fields day-of-month, month and day-of-week ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Days {
    pub(super) months: u64,
    pub(super) of_month: u64,
    pub(super) month_days: Vec<MonthDay>,
    pub(super) of_week: u64,
    pub(super) weekdays: Vec<Weekday>,
    pub(super) join: Join,
}

/// The shape of one month.
#[derive(Clone, Copy)]
struct Month {
    days: u32,
    /// The weekday of the 1st; 0 is Sunday.
    begins: u32,
}

impl Days {
    /// Whether `date` is one of the days.
    pub(super) fn contains(&self, date: NaiveDate) -> bool {
        self.in_month(date.year(), date.month())
            .is_some_and(|days| bits::contains(days, date.day()))
    }

    /// The first of the days that is not before `from`; `None` when the calendar type ends first, or no day is left.
    pub(super) fn at_or_after(&self, from: NaiveDate) -> Option<NaiveDate> {
        let (mut year, mut month, mut day) = (from.year(), from.month(), from.day());
        for _ in 0..=CALENDAR_MONTHS {
            if let Some(day) = bits::at_or_after(self.in_month(year, month)?, day) {
                return NaiveDate::from_ymd_opt(year, month, day);
            }
            (year, month) = if month == 12 {
                (year + 1, 1)
            } else {
                (year, month + 1)
            };
            day = 1;
        }
        None
    }

    /// Whether any of the days ever comes.
    pub(super) fn ever_come(&self) -> bool {
        NaiveDate::from_ymd_opt(2000, 1, 1)
            .and_then(|from| self.at_or_after(from))
            .is_some()
    }

    /// The days within one month, one bit each; `None` outside the calendar type.
    fn in_month(&self, year: i32, month: u32) -> Option<u64> {
        if !bits::contains(self.months, month) {
            return Some(0);
        }
        let month = Month::of(year, month)?;
        let special = |mask: u64, day: Option<u32>| mask | day.map_or(0, |day| 1 << day);
        let by_month = self
            .month_days
            .iter()
            .map(|day| month.find(*day))
            .fold(self.of_month, special);
        let by_week = self.weekdays.iter().map(|day| month.find_weekday(*day));
        let by_week = by_week.fold(month.on_weekdays(self.of_week), special);
        let joined = match self.join {
            Join::Both => by_month & by_week,
            Join::Either => by_month | by_week,
        };
        Some(joined & month.all())
    }
}

impl Month {
    fn of(year: i32, month: u32) -> Option<Self> {
        let first = NaiveDate::from_ymd_opt(year, month, 1)?;
        let days = match month {
            2 if first.leap_year() => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        Some(Self {
            days,
            begins: first.weekday().num_days_from_sunday(),
        })
    }

    fn all(self) -> u64 {
        bits::between(1, self.days)
    }

    fn weekday(self, day: u32) -> u32 {
        (self.begins + day - 1) % 7
    }

    fn on_weekdays(self, weekdays: u64) -> u64 {
        let days = (1..=self.days).filter(|day| bits::contains(weekdays, self.weekday(*day)));
        days.fold(0, |set, day| set | 1 << day)
    }

    fn find(self, wanted: MonthDay) -> Option<u32> {
        match wanted {
            MonthDay::Last { before } => self.days.checked_sub(before).filter(|day| *day > 0),
            MonthDay::LastWorkday => self.workday_near(self.days),
            MonthDay::NearestWorkday(day) => self.workday_near(day),
        }
    }

    /// The 1st on a Saturday moves to Monday and the last day on a Sunday moves to Friday, to stay in the month.
    fn workday_near(self, day: u32) -> Option<u32> {
        if day > self.days {
            return None;
        }
        Some(match self.weekday(day) {
            0 if day == self.days => day - 2,
            0 => day + 1,
            6 if day == 1 => day + 2,
            6 => day - 1,
            _ => day,
        })
    }

    fn find_weekday(self, wanted: Weekday) -> Option<u32> {
        let first = |weekday: u32| (weekday + 7 - self.begins) % 7 + 1;
        match wanted {
            Weekday::Nth { day, nth } => {
                Some(first(day) + (nth - 1) * 7).filter(|day| *day <= self.days)
            }
            Weekday::Last { day } => Some(first(day) + (self.days - first(day)) / 7 * 7),
        }
    }
}
