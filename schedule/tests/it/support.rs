//! Helpers that several modules use.

use std::{collections::BTreeSet, fmt, ops::RangeInclusive};

use afterhours_schedule::{
    Cron,
    chrono::{DateTime, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc},
    chrono_tz::{TZ_VARIANTS, Tz},
    parse_timezone,
};
use proptest::{prelude::*, sample::select};

/// So many random cases, or as many as `PROPTEST_CASES` says. A failure found belongs in a test of its own.
pub(crate) fn cases(cases: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    ProptestConfig {
        cases: if asked { default.cases } else { cases },
        failure_persistence: None,
        ..default
    }
}

/// A moment, from RFC 3339 text.
pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// An expression that must be right, in the named zone.
pub(crate) fn cron(expr: &str, tz: &str) -> Cron {
    Cron::parse(expr, parse_timezone(tz).unwrap()).unwrap_or_else(|error| panic!("{expr}: {error}"))
}

/// The ticks after `after`, `expected.len()` of them, must be `expected`.
pub(crate) fn check(expr: &str, tz: &str, after: &str, expected: &[&str]) {
    let found: Vec<_> = ticks(&cron(expr, tz), at(after))
        .take(expected.len())
        .collect();
    let expected: Vec<_> = expected.iter().map(|text| at(text)).collect();
    assert_eq!(found, expected, "{expr} in {tz} after {after}");
}

/// One tick after the other.
pub(crate) fn ticks(cron: &Cron, after: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
    std::iter::successors(cron.next_after(after), |tick| cron.next_after(*tick))
}

/// What the clock shows.
pub(crate) fn clock(tz: Tz, moment: DateTime<Utc>) -> NaiveDateTime {
    moment.with_timezone(&tz).naive_local()
}

/// A field as text and as the values it stands for.
#[derive(Clone)]
pub(crate) struct FieldCase {
    pub(crate) text: String,
    pub(crate) values: BTreeSet<u32>,
}

impl fmt::Debug for FieldCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FieldCase {
    pub(crate) fn starred(&self) -> bool {
        self.text.starts_with('*')
    }
}

/// Any plain field: `*`, a step, or a list of values, ranges and stepped ranges.
pub(crate) fn field(range: RangeInclusive<u32>) -> BoxedStrategy<FieldCase> {
    let (min, max) = (*range.start(), *range.end());
    let every = move |step: u32| FieldCase {
        text: if step == 1 {
            "*".to_owned()
        } else {
            format!("*/{step}")
        },
        values: range.clone().step_by(step as usize).collect(),
    };
    let list = prop::collection::vec(piece(min, max), 1..4).prop_map(|pieces| FieldCase {
        text: pieces
            .iter()
            .map(|piece| piece.text.as_str())
            .collect::<Vec<_>>()
            .join(","),
        values: pieces.into_iter().flat_map(|piece| piece.values).collect(),
    });
    prop_oneof![
        2 => Just(every(1)),
        1 => (2..=max - min).prop_map(every),
        4 => list,
    ]
    .boxed()
}

fn piece(min: u32, max: u32) -> impl Strategy<Value = FieldCase> {
    let one = |value: u32| FieldCase {
        text: value.to_string(),
        values: [value].into(),
    };
    let range = move |(first, length, step): (u32, u32, u32)| {
        let last = (first + length).min(max);
        let text = if step == 1 {
            format!("{first}-{last}")
        } else {
            format!("{first}-{last}/{step}")
        };
        FieldCase {
            text,
            values: (first..=last).step_by(step as usize).collect(),
        }
    };
    prop_oneof![
        3 => (min..=max).prop_map(one),
        1 => (min..=max, 0..=max - min, 1..=max - min).prop_map(range),
        1 => (min..=max, 0..=max - min, Just(1)).prop_map(range),
    ]
}

/// Hours at which clocks change, more often than others.
pub(crate) fn night_hours() -> BoxedStrategy<FieldCase> {
    prop_oneof![3 => field(0..=3), 1 => field(0..=23), 1 => field(20..=23)]
        // A star or step over a part of the day would not be written like that.
        .prop_filter("stars mean all hours", |case| {
            !case.starred() || case.values.contains(&0)
        })
        .prop_map(|case| {
            if case.starred() {
                over_all_hours(&case.text)
            } else {
                case
            }
        })
        .boxed()
}

fn over_all_hours(text: &str) -> FieldCase {
    let step = text
        .strip_prefix("*/")
        .map_or(1, |step| step.parse().unwrap());
    FieldCase {
        text: text.to_owned(),
        values: (0..=23).step_by(step).collect(),
    }
}

/// A zone and a moment at which its clock changes; any moment if it never does.
pub(crate) fn clock_change(
    years: RangeInclusive<i64>,
) -> impl Strategy<Value = (Tz, DateTime<Utc>)> {
    let year = 31_556_952;
    let seconds = (years.start() - 1970) * year..=(years.end() - 1970) * year;
    (select(&TZ_VARIANTS[..]), seconds).prop_map(|(tz, seconds)| (tz, change_after(tz, seconds)))
}

fn change_after(tz: Tz, seconds: i64) -> DateTime<Utc> {
    let start = DateTime::from_timestamp(seconds, 0).unwrap();
    let days = (1..800).map(|day| start + TimeDelta::days(day));
    let Some(mut late) = days
        .into_iter()
        .find(|day| offset(tz, *day) != offset(tz, start))
    else {
        return start;
    };
    let mut early = late - TimeDelta::days(1);
    while late - early > TimeDelta::seconds(1) {
        let middle = early + (late - early) / 2;
        if offset(tz, middle) == offset(tz, start) {
            early = middle;
        } else {
            late = middle;
        }
    }
    DateTime::from_timestamp(late.timestamp(), 0).unwrap()
}

fn offset(tz: Tz, moment: DateTime<Utc>) -> i32 {
    tz.offset_from_utc_datetime(&moment.naive_utc())
        .fix()
        .local_minus_utc()
}
