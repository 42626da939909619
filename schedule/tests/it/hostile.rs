//! Nothing a caller can pass in panics or hangs.

use afterhours_schedule::{
    Cron,
    chrono::{DateTime, TimeDelta, Utc},
    chrono_tz::{TZ_VARIANTS, Tz},
};
use proptest::{prelude::*, sample::select};

use crate::support::{cases, cron, ticks};

/// An error must point at whole characters of the expression.
fn parse(text: &str) {
    if let Err(error) = Cron::parse(text, Tz::UTC) {
        assert!(!error.to_string().is_empty());
        assert!(
            error.span().is_none_or(|span| text.get(span).is_some()),
            "{text:?}: {error:?}"
        );
    }
}

#[test]
fn very_long_text() {
    parse(&"*".repeat(1_000_000));
    parse(&"* ".repeat(1_000_000));
    parse(&format!("0 0 * * {}", "1,".repeat(200_000)));
    let list = vec!["0-59/2"; 20_000].join(",");
    assert!(Cron::parse(&format!("{list} * * * *"), Tz::UTC).is_ok());
}

#[test]
fn the_ends_of_time() {
    let (min, max) = (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC);
    for expr in [
        "* * * * * *",
        "* * * * *",
        "0 3 * * *",
        "0 0 29 2 *",
        "0 0 L * 5#5",
        "@yearly",
    ] {
        for zone in [
            "UTC",
            "Europe/Paris",
            "Pacific/Kiritimati",
            "America/Adak",
            "Africa/Monrovia",
        ] {
            let cron = cron(expr, zone);
            for days in 0..3 {
                let first = cron.next_after(min + TimeDelta::days(days));
                assert!(first.is_none_or(|tick| tick > min));
                let last: Vec<_> = ticks(&cron, max - TimeDelta::days(days)).take(5).collect();
                assert!(last.is_sorted(), "{expr} in {zone}");
            }
            assert_eq!(cron.next_after(max), None, "{expr} in {zone}");
        }
    }
}

#[test]
fn the_last_second_is_a_tick() {
    let max = DateTime::<Utc>::MAX_UTC;
    for zone in ["UTC", "Asia/Tokyo", "America/Bogota"] {
        for seconds in 0..5 {
            let last = cron("* * * * * *", zone).next_after(max - TimeDelta::seconds(seconds));
            assert!(last.is_none_or(|tick| tick > max - TimeDelta::seconds(seconds)));
        }
    }
    let last = DateTime::from_timestamp(max.timestamp(), 0);
    assert_eq!(
        cron("* * * * * *", "UTC").next_after(max - TimeDelta::seconds(1)),
        last
    );
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn any_text(text in "\\PC*") {
        parse(&text);
    }

    #[test]
    fn almost_an_expression(text in "[-0-9*/,LW#?@a-z ]{0,4}( [-0-9*/,LW#?]{0,5}){3,6}") {
        parse(&text);
    }

    #[test]
    fn any_moment(
        expr in select(&["* * * * *", "30 2 * * *", "0 0 29 2 1#5", "0 0 15W * *", "*/7 * 2 * * *"][..]),
        tz in select(&TZ_VARIANTS[..]),
        seconds in DateTime::<Utc>::MIN_UTC.timestamp()..DateTime::<Utc>::MAX_UTC.timestamp(),
    ) {
        let cron = Cron::parse(expr, tz);
        prop_assume!(cron.is_ok());
        let after = DateTime::from_timestamp(seconds, 0).unwrap();
        prop_assert!(cron.unwrap().next_after(after).is_none_or(|tick| tick > after));
    }
}
