//! Which days match: special days, the two day fields together, leap years.

use afterhours_schedule::{
    Cron,
    chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Weekday},
    chrono_tz::Tz,
};
use proptest::{prelude::*, sample::select};

use crate::support::{at, cases, check, cron, ticks};

/// A day field: its text, and what it means, said day by day.
type DayCase = (String, fn(NaiveDate, u32, u32) -> bool, u32, u32);

fn days_in_month(date: NaiveDate) -> u32 {
    (28..=31)
        .rev()
        .find(|day| date.with_day(*day).is_some())
        .unwrap()
}

fn workday(date: NaiveDate) -> bool {
    !matches!(date.weekday(), Weekday::Sat | Weekday::Sun)
}

fn is_near(date: NaiveDate, wanted: u32, _: u32) -> bool {
    let workdays = (1..=31)
        .filter_map(|day| date.with_day(day))
        .filter(|day| workday(*day));
    let nearest = workdays
        .min_by_key(|day| day.day().abs_diff(wanted))
        .unwrap();
    wanted <= days_in_month(date) && nearest == date
}

fn is_last_workday(date: NaiveDate, _: u32, _: u32) -> bool {
    workday(date)
        && (date.day() + 1..=31)
            .filter_map(|day| date.with_day(day))
            .all(|day| !workday(day))
}

fn is_weekday(date: NaiveDate, wanted: u32) -> bool {
    date.weekday().num_days_from_sunday() == wanted % 7
}

fn day_of_month() -> impl Strategy<Value = DayCase> {
    prop_oneof![
        Just((
            "*".to_owned(),
            (|_, _, _| true) as fn(NaiveDate, u32, u32) -> bool,
            0,
            0
        )),
        (2..=31_u32).prop_map(|n| (
            format!("*/{n}"),
            (|date: NaiveDate, n, _| (date.day() - 1).is_multiple_of(n)) as _,
            n,
            0
        )),
        (1..=31_u32).prop_map(|n| (
            n.to_string(),
            (|date: NaiveDate, n, _| date.day() == n) as _,
            n,
            0
        )),
        Just((
            "L".to_owned(),
            (|date: NaiveDate, _, _| date.day() == days_in_month(date)) as _,
            0,
            0
        )),
        (1..=30_u32).prop_map(|n| (
            format!("l-{n}"),
            (|date: NaiveDate, n, _| date.day() + n == days_in_month(date)) as _,
            n,
            0
        )),
        Just(("LW".to_owned(), is_last_workday as _, 0, 0)),
        (1..=31_u32).prop_map(|n| (format!("{n}W"), is_near as _, n, 0)),
    ]
}

fn day_of_week() -> impl Strategy<Value = DayCase> {
    prop_oneof![
        Just((
            "*".to_owned(),
            (|_, _, _| true) as fn(NaiveDate, u32, u32) -> bool,
            0,
            0
        )),
        Just((
            "*/2".to_owned(),
            (|date: NaiveDate, _, _| date.weekday().num_days_from_sunday().is_multiple_of(2)) as _,
            0,
            0
        )),
        (0..=7_u32).prop_map(|n| (
            n.to_string(),
            (|date: NaiveDate, n, _| is_weekday(date, n)) as _,
            n,
            0
        )),
        (0..=7_u32, 1..=5_u32).prop_map(|(n, k)| {
            (
                format!("{n}#{k}"),
                (|date: NaiveDate, n, k| is_weekday(date, n) && (date.day() - 1) / 7 + 1 == k) as _,
                n,
                k,
            )
        }),
        (0..=7_u32).prop_map(|n| {
            (
                format!("{n}L"),
                (|date: NaiveDate, n, _| {
                    is_weekday(date, n) && date.day() + 7 > days_in_month(date)
                }) as _,
                n,
                0,
            )
        }),
    ]
}

fn months() -> impl Strategy<Value = &'static str> {
    select(&["*", "2", "FEB", "4", "12", "9-11"][..])
}

fn in_months(months: &str, date: NaiveDate) -> bool {
    match months {
        "*" => true,
        "FEB" => date.month() == 2,
        "9-11" => (9..=11).contains(&date.month()),
        month => date.month() == month.parse::<u32>().unwrap(),
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn day_by_day(
        (day, is_day, n, _) in day_of_month(),
        (weekday, is_weekday, m, k) in day_of_week(),
        months in months(),
        start in -60_000..60_000_i64,
    ) {
        let text = format!("0 0 {day} {months} {weekday}");
        let both = day.starts_with('*') || weekday.starts_with('*');
        let due = |date: &NaiveDate| {
            let (day, weekday) = (is_day(*date, n, 0), is_weekday(*date, m, k));
            in_months(months, *date) && if both { day && weekday } else { day || weekday }
        };
        let start = NaiveDate::default() + TimeDelta::days(start);
        match Cron::parse(&text, Tz::UTC) {
            Ok(cron) => {
                let after = start.and_hms_opt(12, 0, 0).unwrap().and_utc();
                let found: Vec<_> = ticks(&cron, after).map(|tick| tick.date_naive()).take(5).collect();
                let walked: Vec<_> = start.iter_days().skip(1).filter(due).take(5).collect();
                prop_assert_eq!(found, walked, "{}", text);
            }
            Err(_) => {
                let found = start.iter_days().take(400 * 366).find(due);
                prop_assert_eq!(found, None, "{}", text);
            }
        }
    }
}

#[test]
fn nearest_workday_stays_in_the_month() {
    // 1 August 2026 is a Saturday, 31 May 2026 a Sunday.
    check(
        "0 0 1W 8 *",
        "UTC",
        "2026-01-01T00:00:00Z",
        &["2026-08-03T00:00:00Z"],
    );
    check(
        "0 0 31W 5 *",
        "UTC",
        "2026-01-01T00:00:00Z",
        &["2026-05-29T00:00:00Z"],
    );
    check(
        "0 0 LW 5 *",
        "UTC",
        "2026-01-01T00:00:00Z",
        &["2026-05-29T00:00:00Z"],
    );
}

#[test]
fn special_days_in_lists() {
    let expected = [
        "2026-02-01T00:00:00Z",
        "2026-02-16T00:00:00Z",
        "2026-02-28T00:00:00Z",
        "2026-03-01T00:00:00Z",
    ];
    check("0 0 1,15W,L * *", "UTC", "2026-01-31T12:00:00Z", &expected);
    let expected = [
        "2026-01-02T00:00:00Z",
        "2026-01-12T00:00:00Z",
        "2026-01-30T00:00:00Z",
    ];
    check(
        "0 0 * * fri#1,1#2,FriL",
        "UTC",
        "2026-01-01T00:00:00Z",
        &expected,
    );
}

#[test]
fn sunday_ends_a_range() {
    for weekend in [
        "6-7", "sat-sun", "6-0", "SAT-7", "6,7", "0,6", "sun,Sat", "6-7/1",
    ] {
        let expected = [
            "2026-03-07T00:00:00Z",
            "2026-03-08T00:00:00Z",
            "2026-03-14T00:00:00Z",
        ];
        check(
            &format!("0 0 * * {weekend}"),
            "UTC",
            "2026-03-02T00:00:00Z",
            &expected,
        );
    }
    check(
        "0 0 * * 5-7/2",
        "UTC",
        "2026-03-02T00:00:00Z",
        &["2026-03-06T00:00:00Z", "2026-03-08T00:00:00Z"],
    );
    check(
        "0 0 * * 0-2",
        "UTC",
        "2026-03-02T00:00:00Z",
        &["2026-03-03T00:00:00Z", "2026-03-08T00:00:00Z"],
    );
    check(
        "0 0 * * sun-sun",
        "UTC",
        "2026-03-02T00:00:00Z",
        &["2026-03-08T00:00:00Z", "2026-03-15T00:00:00Z"],
    );
}

#[test]
fn leap_days_that_are_decades_apart() {
    check(
        "0 0 29 2 *",
        "UTC",
        "2096-03-01T00:00:00Z",
        &["2104-02-29T00:00:00Z", "2108-02-29T00:00:00Z"],
    );
    // The fifth Monday of February is a leap day on a Monday; 2100 has none.
    check(
        "0 0 * 2 1#5",
        "UTC",
        "2068-01-01T00:00:00Z",
        &["2072-02-29T00:00:00Z", "2112-02-29T00:00:00Z"],
    );
}

#[test]
fn step_over_the_end_is_the_first_value() {
    check(
        "*/60 * * * *",
        "UTC",
        "2026-01-01T00:00:00Z",
        &["2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z"],
    );
    check(
        "0 */24 * * *",
        "UTC",
        "2026-01-01T00:00:00Z",
        &["2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"],
    );
}

#[test]
fn star_in_a_list_counts_as_a_star() {
    check(
        "0 0 *,1 * 1",
        "UTC",
        "2026-03-01T00:00:00Z",
        &["2026-03-02T00:00:00Z", "2026-03-09T00:00:00Z"],
    );
}

#[test]
fn parts_of_a_cron() {
    let nightly = cron(" 0 3 * * * ", "Asia/Tokyo");
    assert_eq!(nightly.to_string(), " 0 3 * * * ");
    assert_eq!(nightly.timezone(), Tz::Asia__Tokyo);
    assert_eq!(nightly, nightly.clone());
    assert_ne!(nightly, cron(" 0 3 * * * ", "UTC"));
}

#[test]
fn fractions_of_a_second() {
    let minutely = cron("* * * * *", "UTC");
    let tick = Some(at("2026-01-01T00:01:00Z"));
    assert_eq!(
        minutely.next_after(at("2026-01-01T00:00:59.999999999Z")),
        tick
    );
    assert_eq!(
        minutely.next_after(at("2026-01-01T00:00:00.000000001Z")),
        tick
    );
    assert_eq!(
        minutely.next_after(at("1969-12-31T23:59:59.5Z")),
        Some(DateTime::UNIX_EPOCH)
    );
}
