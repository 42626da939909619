//! Durations and intervals.

use std::time::Duration;

use afterhours_schedule::{DurationError, Every, EveryError, parse_duration};
use proptest::prelude::*;

use crate::support::cases;

fn check(text: &str, millis: u64) {
    assert_eq!(
        parse_duration(text),
        Ok(Duration::from_millis(millis)),
        "{text}"
    );
}

fn check_error(text: &str, message: &str) {
    assert_eq!(
        parse_duration(text).unwrap_err().to_string(),
        message,
        "{text}"
    );
}

#[test]
fn what_is_a_duration() {
    check("0", 0);
    check("0s", 0);
    check("60", 60_000);
    check("007", 7_000);
    check("250ms", 250);
    check("90s", 90_000);
    check("5m", 300_000);
    check("1h30m", 5_400_000);
    check("1h90m", 9_000_000);
    check("1d2h3m4s5ms", 93_784_005);
    check("2m5ms", 120_005);
    check("18446744073709551615ms", u64::MAX);
}

#[test]
fn what_is_not() {
    let remedy = "write seconds such as `60`, or `90s`, `5m`, `1h30m`";
    check_error("", &format!("the duration is empty: {remedy}"));
    for text in ["s", "-5", "+5", " 5", "h1", "1h m", "one", "½h", "."] {
        let error = parse_duration(text).unwrap_err();
        assert!(
            !matches!(error, DurationError::TooLong { .. } | DurationError::Empty),
            "{text}: {error}"
        );
    }
    check_error("-5", &format!("`-5` is not a duration: {remedy}"));
    check_error(
        "1.5h",
        "unknown unit `.` in `1.5h`: the units are d, h, m, s and ms",
    );
    check_error(
        "1H",
        "unknown unit `H` in `1H`: the units are d, h, m, s and ms",
    );
    check_error(
        "5 m",
        "`5 m` has a space in it: write it without, as in `1h30m`",
    );
    check_error(
        "1h30",
        "the last number in `1h30` has no unit: d, h, m, s or ms",
    );
    let order = "write the largest unit first and each once, such as `1h30m`";
    check_error(
        "30m1h",
        &format!("unit `h` is out of order in `30m1h`: {order}"),
    );
    check_error(
        "1m1m",
        &format!("unit `m` is out of order in `1m1m`: {order}"),
    );
    let most = "at most 18446744073709551615 ms can be counted";
    for text in [
        "18446744073709551616ms",
        "18446744073709551615",
        "99999999999999d",
        "9999999999999999999999",
    ] {
        check_error(text, &format!("`{text}` is too long: {most}"));
    }
    check_error(
        "18446744073709551s616ms",
        &format!("`18446744073709551s616ms` is too long: {most}"),
    );
}

#[test]
fn an_interval_is_above_zero() {
    for zero in ["0", "0ms", "0h0m"] {
        assert_eq!(Every::parse(zero), Err(EveryError::Zero), "{zero}");
    }
    assert_eq!(Every::from_secs(0), Err(EveryError::Zero));
    assert_eq!(Every::try_from(Duration::ZERO), Err(EveryError::Zero));
    assert_eq!(
        Every::parse(""),
        Err(EveryError::Duration(DurationError::Empty))
    );
    assert_eq!(
        "1ms".parse::<Every>().unwrap().interval(),
        Duration::from_millis(1)
    );
    assert_eq!(
        Every::from_secs(u64::MAX).unwrap().interval(),
        Duration::from_secs(u64::MAX)
    );
}

#[test]
fn an_interval_finer_than_the_grammar_still_prints() {
    assert_eq!(
        Every::new(Duration::from_micros(1_500))
            .unwrap()
            .to_string(),
        "1.5ms"
    );
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn what_prints_is_read_back(millis in 1..u64::MAX) {
        let every = Every::new(Duration::from_millis(millis)).unwrap();
        prop_assert_eq!(Every::parse(&every.to_string()), Ok(every));
    }

    #[test]
    fn no_text_panics(text in "[0-9]{0,22}[dhms]{0,2}[0-9]{0,22}\\PC{0,3}") {
        let _ = parse_duration(&text);
    }
}
