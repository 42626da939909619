//! What each mistake is told, and where.

use afterhours_schedule::{Cron, CronError, Field, chrono_tz::Tz};

fn error(expr: &str) -> CronError {
    Cron::parse(expr, Tz::UTC)
        .map(|_| panic!("{expr} must be refused"))
        .unwrap_err()
}

/// The message, the field and the piece of the expression that is pointed at.
fn check(expr: &str, message: &str, field: impl Into<Option<Field>>, place: &str) {
    let error = error(expr);
    assert_eq!(error.to_string(), message, "{expr}");
    assert_eq!(error.field(), field.into(), "{expr}");
    assert_eq!(error.span().map_or("", |span| &expr[span]), place, "{expr}");
}

#[test]
fn out_of_range() {
    check(
        "60 * * * *",
        "minute `60` is out of range: 0 to 59",
        Field::Minute,
        "60",
    );
    check(
        "60 * * * * *",
        "second `60` is out of range: 0 to 59",
        Field::Second,
        "60",
    );
    check(
        "0 24 * * *",
        "hour `24` is out of range: 0 to 23",
        Field::Hour,
        "24",
    );
    check(
        "0 0 0 * *",
        "day-of-month `0` is out of range: 1 to 31",
        Field::DayOfMonth,
        "0",
    );
    check(
        "0 0 1 13 *",
        "month `13` is out of range: 1 to 12, or JAN to DEC",
        Field::Month,
        "13",
    );
    check(
        "0 0 * * 8",
        "day-of-week `8` is out of range: 0 to 7, or SUN to SAT",
        Field::DayOfWeek,
        "8",
    );
    check(
        "0-99 * * * *",
        "minute `99` is out of range: 0 to 59",
        Field::Minute,
        "99",
    );
    let huge = "day-of-month `99999999999` is out of range: 1 to 31";
    check(
        "0 0 99999999999 * *",
        huge,
        Field::DayOfMonth,
        "99999999999",
    );
}

#[test]
fn not_a_value() {
    check(
        "ONE * * * *",
        "minute `ONE` is not a number: 0 to 59",
        Field::Minute,
        "ONE",
    );
    check(
        "-5 * * * *",
        "minute `-5` is not a number: 0 to 59",
        Field::Minute,
        "-5",
    );
    check(
        "+5 * * * *",
        "minute `+5` is not a number: 0 to 59",
        Field::Minute,
        "+5",
    );
    check(
        "5- * * * *",
        "minute `5-` is not a number: 0 to 59",
        Field::Minute,
        "5-",
    );
    check(
        "*5 * * * *",
        "minute `*5` is not a number: 0 to 59",
        Field::Minute,
        "*5",
    );
    check(
        "1-2-3 * * * *",
        "minute `2-3` is not a number: 0 to 59",
        Field::Minute,
        "2-3",
    );
    let month = "month `JANUARY` is neither a number nor a name: 1 to 12, or JAN to DEC";
    check("0 0 1 JANUARY *", month, Field::Month, "JANUARY");
    check(
        "0 0 ? * MON",
        "day-of-month `?` is not known to cron: write `*`",
        Field::DayOfMonth,
        "?",
    );
    check(
        "0 0 * * 15W",
        "day-of-week `15W` is not a value: `W` belongs in day-of-month",
        Field::DayOfWeek,
        "15W",
    );
    check(
        "0 0 2#1 * *",
        "day-of-month `2#1` is not a value: `#` belongs in day-of-week",
        Field::DayOfMonth,
        "2#1",
    );
    check(
        "L 0 * * *",
        "minute `L` is not a value: `L` belongs in day-of-month or day-of-week",
        Field::Minute,
        "L",
    );
}

#[test]
fn lists_ranges_and_steps() {
    check(
        "5,,10 * * * *",
        "minute list `5,,10` has an empty item",
        Field::Minute,
        "5,,10",
    );
    check(
        "0 1, * * *",
        "hour list `1,` has an empty item",
        Field::Hour,
        "1,",
    );
    check(
        "0 22-4 * * *",
        "hour range `22-4` runs backwards: write `22-23,0-4`",
        Field::Hour,
        "22-4",
    );
    let week = "day-of-week range `fri-mon` runs backwards: write `fri-SAT,SUN-mon`";
    check("0 0 * * 1,fri-mon", week, Field::DayOfWeek, "fri-mon");
    check(
        "0 0 * * 7-2",
        "day-of-week range `7-2` runs backwards: write `0-2`",
        Field::DayOfWeek,
        "7-2",
    );
    check(
        "*/0 * * * *",
        "minute: the step, `0`, is out of range: 1 to 60",
        Field::Minute,
        "0",
    );
    check(
        "*/90 * * * *",
        "minute: the step, `90`, is out of range: 1 to 60",
        Field::Minute,
        "90",
    );
    check(
        "*/x * * * *",
        "minute: the step, `x`, is not a number: 1 to 60",
        Field::Minute,
        "x",
    );
    check(
        "*/ * * * *",
        "minute: the step is missing: 1 to 60",
        Field::Minute,
        "*/",
    );
    let lone = "minute `5/15` has a step but no range: write `5-59/15`, or `*/15`";
    check("5/15 * * * *", lone, Field::Minute, "5/15");
}

#[test]
fn special_days() {
    let nth = "day-of-week: the week of the month, `6`, is out of range: 1 to 5";
    check("* * * * MON#6", nth, Field::DayOfWeek, "6");
    check(
        "* * * * MON#",
        "day-of-week: the week of the month is missing: 1 to 5",
        Field::DayOfWeek,
        "MON#",
    );
    let last = "day-of-week `L` needs a day, such as `5L` for the last Friday";
    check("0 0 * * L", last, Field::DayOfWeek, "L");
    check(
        "0 0 32W * *",
        "day-of-month `32` is out of range: 1 to 31",
        Field::DayOfMonth,
        "32",
    );
    check(
        "0 0 W * *",
        "day-of-month `W` is not a value: `W` follows a day, such as `15W`",
        Field::DayOfMonth,
        "W",
    );
    let before = "day-of-month: the number of days before the last, `31`, is out of range: 1 to 30";
    check("0 0 L-31 * *", before, Field::DayOfMonth, "31");
}

#[test]
fn field_count() {
    let expected =
        "expected 5 (minute hour day-of-month month day-of-week) or 6 with the second in front";
    check(
        "",
        &format!("the expression is empty: {expected}"),
        None,
        "",
    );
    check(
        "  ",
        &format!("the expression is empty: {expected}"),
        None,
        "  ",
    );
    check(
        " hourly",
        &format!("the expression has 1 field: {expected}"),
        None,
        "hourly",
    );
    check(
        " * * * * ",
        &format!("the expression has 4 fields: {expected}"),
        None,
        "* * * *",
    );
    check(
        "0 0 0 1 1 * 2030",
        &format!("the expression has 7 fields: {expected}"),
        None,
        "2030",
    );
    check(
        "0 0 0 1 1 * 2030 x",
        &format!("the expression has 8 fields: {expected}"),
        None,
        "2030 x",
    );
}

#[test]
fn nicknames() {
    check(
        "@reboot",
        "`@reboot` is not known: run the job when the program starts",
        None,
        "@reboot",
    );
    let every = "`@every` is not known: an interval is not a cron expression, use `every`";
    check(" @every 5m", every, None, "@every");
    check(
        "@daily 5",
        "`@daily` stands alone: leave out `5`",
        None,
        "5",
    );
    let known = "@yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly";
    check(
        "@dayly",
        &format!("`@dayly` is not known: write {known} or five fields"),
        None,
        "@dayly",
    );
}

#[test]
fn never_due() {
    let february = "day-of-month `30` never comes in month `2`: the job would never run";
    check("0 0 30 2 *", february, Field::DayOfMonth, "30");
    let april = "day-of-month `31` never comes in month `4,6,9,11`: the job would never run";
    check("0 0 31 4,6,9,11 *", april, Field::DayOfMonth, "31");
    let monday =
        "no day-of-month `*/30` in month `*` is ever a day-of-week `1#2`: the job would never run";
    check("0 0 */30 * 1#2", monday, Field::DayOfMonth, "*/30");
    check(
        "0 0 L-30 2,4 *",
        "day-of-month `L-30` never comes in month `2,4`: the job would never run",
        Field::DayOfMonth,
        "L-30",
    );
}

#[test]
fn long_and_odd_text_is_cut_and_escaped() {
    let long = "x".repeat(1_000);
    let message = error(&format!("{long} * * * *")).to_string();
    assert_eq!(
        message,
        format!("minute `{}…` is not a number: 0 to 59", &long[..40])
    );
    assert_eq!(
        error("\u{0} * * * *").to_string(),
        "minute `\\u{0}` is not a number: 0 to 59"
    );
    check(
        "é * * * *",
        "minute `é` is not a number: 0 to 59",
        Field::Minute,
        "é",
    );
}
