//! Gaps and folds, case by case.

use afterhours_schedule::{
    Cron,
    chrono::{MappedLocalTime, TimeDelta, TimeZone},
};
use proptest::prelude::*;

use crate::support::{at, cases, check, clock_change, cron, field, night_hours, ticks};

const PARIS: &str = "Europe/Paris";

#[test]
fn fixed_times_in_a_gap_run_once_after_it() {
    let expected = [
        "2025-03-30T03:00:00+02:00",
        "2025-03-31T02:00:00+02:00",
        "2025-03-31T02:30:00+02:00",
    ];
    check("0,30 2 * * *", PARIS, "2025-03-29T12:00:00Z", &expected);
    // The same moment is due as 02:30 and as 03:00: one tick.
    let expected = ["2025-03-30T03:00:00+02:00", "2025-03-31T02:00:00+02:00"];
    check("0 2,3 * * *", PARIS, "2025-03-29T12:00:00Z", &expected);
    // Three hours are the most that such a change has: Casey went from 00:01 to 03:01.
    let expected = ["2020-10-04T03:01:00+11:00", "2020-10-05T01:00:00+11:00"];
    check(
        "0 1 * * *",
        "Antarctica/Casey",
        "2020-10-03T12:00:00Z",
        &expected,
    );
}

#[test]
fn fixed_times_in_a_fold_run_the_first_time() {
    let expected = [
        "2025-10-26T02:00:00+02:00",
        "2025-10-26T02:30:00+02:00",
        "2025-10-26T03:00:00+01:00",
    ];
    check(
        "0,30 2,3 * * *",
        PARIS,
        "2025-10-26T00:00:00+02:00",
        &expected,
    );
    // Asked from within the second pass, nothing of it is left.
    check(
        "0,30 2,3 * * *",
        PARIS,
        "2025-10-26T02:10:00+01:00",
        &["2025-10-26T03:00:00+01:00"],
    );
}

#[test]
fn seconds_make_no_job_follow_the_clock() {
    let expected = [
        "2025-03-30T03:00:00+02:00",
        "2025-03-31T02:30:00+02:00",
        "2025-03-31T02:30:20+02:00",
    ];
    check("*/20 30 2 * * *", PARIS, "2025-03-29T12:00:00Z", &expected);
    let expected = ["2025-10-26T02:30:40+02:00", "2025-10-27T02:30:00+01:00"];
    check(
        "*/20 30 2 * * *",
        PARIS,
        "2025-10-26T02:30:20+02:00",
        &expected,
    );
}

#[test]
fn large_changes_are_a_new_calendar() {
    // Apia had no 30 December 2011: a job of that day is not made up for.
    check(
        "0 12 30 12 *",
        "Pacific/Apia",
        "2011-12-01T00:00:00Z",
        &["2012-12-30T12:00:00+14:00"],
    );
    // Kwajalein went back by 23 hours in 1969, and each of its two evenings is an evening.
    let zone = "Pacific/Kwajalein";
    let expected = [
        "1969-09-30T20:00:00+11:00",
        "1969-09-30T20:00:00-12:00",
        "1969-10-01T20:00:00-12:00",
    ];
    check("0 20 * * *", zone, "1969-09-30T12:00:00+11:00", &expected);
    assert_eq!(cron("0 20 * * *", zone).timezone().name(), zone);
}

#[test]
fn wildcards_that_fall_into_every_gap_are_searched_in_bounded_time() {
    // 02:00 on the last Sunday of March does not exist as long as the rules of this century hold.
    let never = cron("* 2 * 3 7L", PARIS);
    assert!(
        never
            .next_after(at("2026-01-01T00:00:00Z"))
            .is_none_or(|tick| tick > at("2099-01-01T00:00:00Z"))
    );
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn ticks_go_forward_and_exist(
        second in field(0..=59),
        minute in field(0..=59),
        hour in night_hours(),
        (tz, change) in clock_change(1850..=2200),
        before in -90_000..90_000_i64,
        nanos in 0..1_000_000_000_i64,
    ) {
        let text = format!("{} {} {} * * *", second.text, minute.text, hour.text);
        let cron = Cron::parse(&text, tz).unwrap();
        let after = change - TimeDelta::seconds(before) + TimeDelta::nanoseconds(nanos);
        let mut last = after;
        for tick in ticks(&cron, after).take(50) {
            prop_assert!(tick > last, "{text} in {tz}: {tick} after {last}");
            let local = tick.with_timezone(&tz).naive_local();
            let exists = !matches!(tz.from_local_datetime(&local), MappedLocalTime::None);
            prop_assert!(exists, "{text} in {tz}: {tick}");
            // Asked at the last moment, it is still the next one.
            prop_assert_eq!(cron.next_after(tick - TimeDelta::nanoseconds(1)), Some(tick));
            last = tick;
        }
    }
}
