//! Names of time zones.

use afterhours_schedule::{chrono_tz::TZ_VARIANTS, parse_timezone};
use proptest::prelude::*;

use crate::support::cases;

fn check(name: &str, suggestion: impl Into<Option<&'static str>>) {
    assert_eq!(
        parse_timezone(name).unwrap_err().suggestion(),
        suggestion.into(),
        "{name}"
    );
}

#[test]
fn every_known_name_is_read() {
    for zone in TZ_VARIANTS {
        assert_eq!(parse_timezone(zone.name()), Ok(zone));
    }
}

#[test]
fn the_nearest_name_is_suggested() {
    check("Europe/Pariss", "Europe/Paris");
    check("europe/paris", "Europe/Paris");
    check("Paris", "Europe/Paris");
    check("America/New York", "America/New_York");
    check("New York", "America/New_York");
    check("utc", "UTC");
    check("Asia/Tokio", "Asia/Tokyo");
    check("Asia/Calcuta", "Asia/Calcutta");
}

#[test]
fn a_far_name_is_not() {
    // An abbreviation one letter away is another zone.
    for name in [
        "",
        "PST",
        "+02:00",
        "Mars/Olympus_Mons",
        &"x".repeat(100_000),
    ] {
        check(name, None);
    }
    let message = "unknown time zone `PST`: write an IANA name such as `UTC` or `Europe/Paris`";
    assert_eq!(parse_timezone("PST").unwrap_err().to_string(), message);
}

proptest! {
    #![proptest_config(cases(50))]

    #[test]
    fn no_text_panics(name in "\\PC{0,20}") {
        let _ = parse_timezone(&name);
    }
}
