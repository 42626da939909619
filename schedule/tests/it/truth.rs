//! The truth table: what other cron implementations were seen to do, checked line by line.

use afterhours_schedule::{Cron, parse_timezone};

use crate::support;

const TABLE: &str = include_str!("../cron_cases.jsonl");

/// Lines on which implementations differ. Here each says what cronie says.
const DISPUTED: [&str; 2] = [
    // Day-of-week begins with `*`, so the 1st must also be one of those weekdays; others run on either.
    "0 0 1 * */2",
    // A day that is missing is more than three hours, so its job is not made up for; others run it at midnight.
    "0 12 * * *",
];

#[derive(serde::Deserialize)]
struct Case {
    expr: String,
    tz: String,
    after: String,
    next: Vec<String>,
    error: bool,
    #[serde(default)]
    disputed: bool,
}

fn cases() -> Vec<Case> {
    TABLE
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn every_line_holds() {
    for case in cases() {
        if case.error {
            let cron = Cron::parse(&case.expr, parse_timezone(&case.tz).unwrap());
            assert!(cron.is_err(), "{} must be refused", case.expr);
        } else {
            let expected: Vec<&str> = case.next.iter().map(String::as_str).collect();
            support::check(&case.expr, &case.tz, &case.after, &expected);
        }
    }
}

#[test]
fn table_is_whole() {
    let cases = cases();
    assert_eq!(cases.len(), 79);
    assert!(
        cases.iter().all(|case| case.error == case.next.is_empty()),
        "a line checks nothing"
    );
    let disputed: Vec<String> = cases
        .into_iter()
        .filter(|case| case.disputed)
        .map(|case| case.expr)
        .collect();
    assert_eq!(disputed, DISPUTED);
}
