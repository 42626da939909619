//! From the clock on the wall to real time and back.

use chrono::{DateTime, MappedLocalTime, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::{GapInfo, Tz, TzOffset};

/// What a time on the clock stands for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reading {
    Once(DateTime<Utc>),
    /// The clock is set back and passes this time again.
    Twice(Fold),
    /// The clock is set forward over this time.
    Missing(Gap),
}

/// A time that comes twice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fold {
    pub(super) first: DateTime<Utc>,
    pub(super) second: DateTime<Utc>,
}

/// A stretch of the clock that is left out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gap {
    pub(super) size: TimeDelta,
    /// The first moment after it.
    pub(super) ends: DateTime<Utc>,
}

impl Fold {
    /// How far the clock is set back.
    pub(super) fn size(self) -> TimeDelta {
        self.second - self.first
    }
}

/// What the clock shows at a moment; `None` outside the calendar type.
pub(super) fn clock(tz: Tz, moment: DateTime<Utc>) -> Option<NaiveDateTime> {
    let utc = moment.naive_utc();
    utc.checked_add_offset(tz.offset_from_utc_datetime(&utc).fix())
}

/// What `local` stands for; `None` outside the calendar type.
pub(super) fn read(tz: Tz, local: NaiveDateTime) -> Option<Reading> {
    let moment = |offset: TzOffset| Some(local.checked_sub_offset(offset.fix())?.and_utc());
    Some(match tz.offset_from_local_datetime(&local) {
        MappedLocalTime::Single(offset) => Reading::Once(moment(offset)?),
        MappedLocalTime::Ambiguous(first, second) => Reading::Twice(Fold {
            first: moment(first)?,
            second: moment(second)?,
        }),
        MappedLocalTime::None => Reading::Missing(gap(tz, local)?),
    })
}

/// The moment at which the clock is set back: it lies between the two moments of a fold.
pub(super) fn seam(tz: Tz, fold: Fold) -> DateTime<Utc> {
    let before = |moment: DateTime<Utc>| offset(tz, moment) == offset(tz, fold.first);
    let (mut early, mut late) = (fold.first, fold.second);
    while late - early > TimeDelta::seconds(1) {
        let middle = early + TimeDelta::seconds((late - early).num_seconds() / 2);
        if before(middle) {
            early = middle;
        } else {
            late = middle;
        }
    }
    late
}

fn offset(tz: Tz, moment: DateTime<Utc>) -> i32 {
    tz.offset_from_utc_datetime(&moment.naive_utc())
        .fix()
        .local_minus_utc()
}

fn gap(tz: Tz, local: NaiveDateTime) -> Option<Gap> {
    let info = GapInfo::new(&local, &tz)?;
    let (begins, _) = info.begin?;
    let ends = info.end?;
    Some(Gap {
        size: ends.naive_local() - begins,
        ends: ends.to_utc(),
    })
}
