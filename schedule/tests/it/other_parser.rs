//! Against another implementation, croner. What it is known to read differently is checked one by one and left out
//! of the random comparisons.

use afterhours_schedule::{
    Cron,
    chrono::{DateTime, TimeDelta, Utc},
    chrono_tz::Tz,
    parse_timezone,
};
use croner::parser::{CronParser, Seconds, Year};
use proptest::{prelude::*, sample::select};

use crate::support::{FieldCase, at, cases, check, clock_change, field, night_hours, ticks};

fn croner_next(text: &str, tz: Tz, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let parser = CronParser::builder()
        .seconds(Seconds::Optional)
        .year(Year::Disallowed)
        .build();
    let next = parser
        .parse(text)
        .unwrap()
        .find_next_occurrence(&after.with_timezone(&tz), false);
    next.ok().map(|tick| tick.to_utc())
}

/// Both give the same four ticks.
fn compare(text: &str, tz: Tz, after: DateTime<Utc>) -> Result<(), TestCaseError> {
    let cron = Cron::parse(text, tz).unwrap();
    let ours: Vec<_> = ticks(&cron, after).take(4).collect();
    let first = croner_next(text, tz, after);
    let theirs = std::iter::successors(first, |tick| croner_next(text, tz, *tick));
    let theirs: Vec<_> = theirs.take(4).collect();
    prop_assert_eq!(ours, theirs, "{} in {} after {}", text, tz, after);
    Ok(())
}

/// The next tick here, as cronie has it, and the other one.
fn disagree(text: &str, tz: &str, after: &str, ours: &str, theirs: Option<&str>) {
    check(text, tz, after, &[ours]);
    let other = croner_next(text, parse_timezone(tz).unwrap(), at(after));
    assert_eq!(other, theirs.map(at), "{text} in {tz}");
}

#[test]
fn a_step_in_a_day_field_restricts_there() {
    let theirs = Some("2026-05-26T00:00:00Z");
    disagree(
        "0 0 1 * */2",
        "UTC",
        "2026-05-25T12:00:00Z",
        "2026-08-01T00:00:00Z",
        theirs,
    );
}

#[test]
fn a_job_with_several_times_is_not_fixed_there() {
    let (zone, spring, autumn) = (
        "Europe/Paris",
        "2025-03-29T12:00:00Z",
        "2025-10-26T02:30:00+02:00",
    );
    disagree(
        "0,30 2 * * *",
        zone,
        spring,
        "2025-03-30T03:00:00+02:00",
        Some("2025-03-31T02:00:00+02:00"),
    );
    disagree(
        "0,30 2 * * *",
        zone,
        autumn,
        "2025-10-27T02:00:00+01:00",
        Some("2025-10-26T02:00:00+01:00"),
    );
    disagree(
        "0 2-4 * * *",
        zone,
        "2025-10-26T02:00:00+02:00",
        "2025-10-26T03:00:00+01:00",
        Some("2025-10-26T02:00:00+01:00"),
    );
    disagree(
        "*/20 30 2 * * *",
        zone,
        spring,
        "2025-03-30T03:00:00+02:00",
        Some("2025-03-31T02:30:00+02:00"),
    );
}

#[test]
fn a_missing_day_is_too_large_a_gap_there() {
    disagree(
        "0 12 * * *",
        "Pacific/Apia",
        "2011-12-30T05:00:00Z",
        "2011-12-31T12:00:00+14:00",
        None,
    );
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn in_utc(
        minute in field(0..=59),
        hour in field(0..=23),
        day in field(1..=31),
        month in field(1..=12),
        weekday in field(0..=6),
        seconds in 0..4_000_000_000_i64,
    ) {
        let step = |field: &FieldCase| field.text.starts_with("*/");
        let text = format!("{} {} {} {} {}", minute.text, hour.text, day.text, month.text, weekday.text);
        if !step(&day) && !step(&weekday) && Cron::parse(&text, Tz::UTC).is_ok() {
            compare(&text, Tz::UTC, DateTime::from_timestamp(seconds, 0).unwrap())?;
        }
    }

    #[test]
    fn near_clock_changes(
        minute in field(0..=59),
        hour in night_hours(),
        (tz, change) in clock_change(1975..=2099),
        before in -60..36 * 60_i64,
    ) {
        let follows = minute.starred() || hour.starred();
        // A job with several times is not fixed there; these become one of their times.
        let first = |field: &FieldCase| field.values.first().unwrap().to_string();
        let text = match follows {
            true => format!("{} {} * * *", minute.text, hour.text),
            false => format!("{} {} * * *", first(&minute), first(&hour)),
        };
        let local = |moment: DateTime<Utc>| moment.with_timezone(&tz).naive_local();
        let size = local(change) - local(change - TimeDelta::seconds(1));
        if size.abs() < TimeDelta::hours(2) {
            compare(&text, tz, change - TimeDelta::minutes(before))?;
        }
    }

    #[test]
    fn special_days(
        day in select(&["*", "L", "LW", "1W", "15W", "29W", "31W", "1,15W,L"][..]),
        weekday in select(&["*", "1#1", "5#5", "0#2", "3L", "FRIL", "2#1,4#3"][..]),
        seconds in 0..4_000_000_000_i64,
    ) {
        let text = format!("0 12 {day} * {weekday}");
        compare(&text, Tz::UTC, DateTime::from_timestamp(seconds, 0).unwrap())?;
    }
}
