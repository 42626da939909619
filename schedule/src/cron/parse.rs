//! From the text of an expression to a plan.

use super::{
    days::{Days, Join},
    engine::{self, Sets},
    error::{CronError, Field},
    next::Plan,
    parts::{self, Parts},
    times::Times,
    token::Token,
};

const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// Reads an expression or one of the nicknames.
pub(super) fn parse(text: &str) -> Result<Plan, CronError> {
    let expression = Token::whole(text);
    let words = expression.words();
    match words.first() {
        Some(first) if first.text.starts_with('@') => parse_nickname(*first, &words),
        _ => plan(expression, fields(expression, &words)?),
    }
}

fn parse_nickname(name: Token<'_>, words: &[Token<'_>]) -> Result<Plan, CronError> {
    let Some((_, expression)) = NICKNAMES.iter().find(|(nickname, _)| name.is(nickname)) else {
        let message = format!("{name} is not known: {}", nickname_advice(name));
        return Err(CronError::in_whole(name, message));
    };
    match words.get(1) {
        Some(next) => Err(CronError::in_whole(
            *next,
            format!("{name} stands alone: leave out {next}"),
        )),
        None => parse(expression),
    }
}

fn nickname_advice(name: Token<'_>) -> String {
    if name.is("@reboot") {
        return "run the job when the program starts".to_owned();
    }
    if name.is("@every") {
        return "an interval is not a cron expression, use `every`".to_owned();
    }
    let known: Vec<&str> = NICKNAMES.iter().map(|(nickname, _)| *nickname).collect();
    format!("write {} or five fields", known.join(", "))
}

/// The six fields; the seconds of an expression with five fields are `0`.
fn fields<'a>(whole: Token<'a>, words: &[Token<'a>]) -> Result<[Token<'a>; 6], CronError> {
    match *words {
        [minute, hour, day, month, weekday] => {
            Ok([Token::whole("0"), minute, hour, day, month, weekday])
        }
        [second, minute, hour, day, month, weekday] => {
            Ok([second, minute, hour, day, month, weekday])
        }
        _ => Err(wrong_count(whole, words)),
    }
}

fn wrong_count(whole: Token<'_>, words: &[Token<'_>]) -> CronError {
    let found = match words.len() {
        0 => "the expression is empty".to_owned(),
        1 => "the expression has 1 field".to_owned(),
        count => format!("the expression has {count} fields"),
    };
    // Of too many fields, the first six may be right.
    let place = match (words.get(6).or(words.first()), words.last()) {
        (Some(first), Some(last)) => first.through(*last, whole),
        _ => whole,
    };
    let expected = "5 (minute hour day-of-month month day-of-week) or 6 with the second in front";
    CronError::in_whole(place, format!("{found}: expected {expected}"))
}

/// The fields as they were said, second to day-of-week, to what they mean together.
fn plan(whole: Token<'_>, texts: [Token<'_>; 6]) -> Result<Plan, CronError> {
    let [second, minute, hour, day, month, weekday] = texts;
    let parts = [
        parts::parse(Field::Second, second)?,
        parts::parse(Field::Minute, minute)?,
        parts::parse(Field::Hour, hour)?,
        parts::parse(Field::DayOfMonth, day)?,
        parts::parse(Field::Month, month)?,
        parts::parse(Field::DayOfWeek, weekday)?,
    ];
    let sets = engine::sets(&parts)
        .ok_or_else(|| CronError::in_whole(whole, format!("{whole} cannot be read")))?;
    let times = Times {
        seconds: sets.seconds,
        minutes: sets.minutes,
        hours: sets.hours,
    };
    let wildcard = parts[1].starred || parts[2].starred;
    let days = days(&sets, parts);
    if !days.ever_come() {
        return Err(never(day, month, weekday));
    }
    Ok(Plan {
        days,
        times,
        wildcard,
    })
}

fn days(sets: &Sets, [_, _, _, day, _, weekday]: [Parts; 6]) -> Days {
    let join = if day.starred || weekday.starred {
        Join::Both
    } else {
        Join::Either
    };
    Days {
        months: sets.months,
        of_month: sets.days_of_month,
        month_days: day.month_days,
        of_week: sets.days_of_week,
        weekdays: weekday.weekdays,
        join,
    }
}

fn never(day: Token<'_>, month: Token<'_>, weekday: Token<'_>) -> CronError {
    let field = Field::DayOfMonth;
    let reason = if weekday.text == "*" {
        format!("{field} {day} never comes in month {month}")
    } else {
        format!(
            "no {field} {day} in month {month} is ever a {} {weekday}",
            Field::DayOfWeek
        )
    };
    CronError::in_field(field, day, format!("{reason}: the job would never run"))
}
