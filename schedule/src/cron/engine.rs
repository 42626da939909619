//! Sets of plain values, built by the `cron` crate.
//!
//! Only its fields are used. It counts weekdays from 1, has no lists of special days, joins the two day fields with
//! "and", and its iterator goes back in time when the clock does; so what it reads is rewritten first, and when a job
//! is due is worked out in `next`.

use std::str::FromStr;

use cron::{Schedule, TimeUnitSpec};

use super::{
    error::Field,
    parts::{Parts, Span},
};

/// The values of each field, one bit per value.
#[derive(Debug)]
pub(super) struct Sets {
    pub(super) seconds: u64,
    pub(super) minutes: u64,
    pub(super) hours: u64,
    pub(super) days_of_month: u64,
    pub(super) months: u64,
    /// Bit 0 is Sunday.
    pub(super) days_of_week: u64,
}

/// The plain values in `fields`, second to day-of-week; `None` only if the `cron` crate reads a field in another way.
pub(super) fn sets(fields: &[Parts; 6]) -> Option<Sets> {
    let schedule = Schedule::from_str(&fields.each_ref().map(rewrite).join(" ")).ok()?;
    // A field without plain values was filled in, because the crate knows no empty field.
    let set = |at: usize, mask: u64| if fields[at].spans.is_empty() { 0 } else { mask };
    Some(Sets {
        seconds: set(0, mask(schedule.seconds())),
        minutes: set(1, mask(schedule.minutes())),
        hours: set(2, mask(schedule.hours())),
        days_of_month: set(3, mask(schedule.days_of_month())),
        months: set(4, mask(schedule.months())),
        days_of_week: set(5, mask(schedule.days_of_week()) >> 1),
    })
}

/// Input: `[5-7]` as day-of-week. Output: `6,7,1`, which the crate reads as Friday, Saturday, Sunday.
fn rewrite(parts: &Parts) -> String {
    if parts.spans.is_empty() {
        return "*".to_owned();
    }
    let texts: Vec<String> = parts
        .spans
        .iter()
        .flat_map(|span| rewrite_span(parts.field, *span))
        .collect();
    texts.join(",")
}

fn rewrite_span(field: Field, Span { first, last, step }: Span) -> Vec<String> {
    if field == Field::DayOfWeek {
        let days = (first..=last).filter(|day| (day - first).is_multiple_of(step));
        return days.map(|day| (day % 7 + 1).to_string()).collect();
    }
    // The crate refuses some steps that lead past the end, such as `*/60`.
    if step > last - first {
        return vec![first.to_string()];
    }
    vec![format!("{first}-{last}/{step}")]
}

fn mask(values: &impl TimeUnitSpec) -> u64 {
    values.iter().fold(0, |mask, value| mask | 1 << value)
}
