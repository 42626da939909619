//! One field of an expression, from its text to what it asks for.

use super::{
    days::{MonthDay, Weekday},
    error::{CronError, Field},
    token::Token,
};

/// The values `first`, `first + step`, … up to `last`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) step: u32,
}

/// What one field asks for.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) field: Field,
    pub(super) spans: Vec<Span>,
    pub(super) month_days: Vec<MonthDay>,
    pub(super) weekdays: Vec<Weekday>,
    /// The text begins with `*`: cron(8) goes by that, not by which values the field holds.
    pub(super) starred: bool,
}

/// One piece of a list.
enum Item {
    Span(Span),
    MonthDay(MonthDay),
    Weekday(Weekday),
}

/// What stands before a step.
enum Bounds {
    One(u32),
    Range(u32, u32),
}

/// Reads one field.
pub(super) fn parse(field: Field, token: Token<'_>) -> Result<Parts, CronError> {
    let starred = token.text.starts_with('*');
    let (spans, month_days, weekdays) = (Vec::new(), Vec::new(), Vec::new());
    let mut parts = Parts {
        field,
        spans,
        month_days,
        weekdays,
        starred,
    };
    for piece in token.list() {
        if piece.text.is_empty() {
            return Err(field.error(token, format!("{field} list {token} has an empty item")));
        }
        match item(field, piece)? {
            Item::Span(span) => parts.spans.push(span),
            Item::MonthDay(day) => parts.month_days.push(day),
            Item::Weekday(day) => parts.weekdays.push(day),
        }
    }
    Ok(parts)
}

fn item(field: Field, piece: Token<'_>) -> Result<Item, CronError> {
    let special = match field {
        Field::DayOfMonth => month_day(piece)?.map(Item::MonthDay),
        Field::DayOfWeek => weekday(piece)?.map(Item::Weekday),
        _ => None,
    };
    match special {
        Some(item) => Ok(item),
        None => span(field, piece).map(Item::Span),
    }
}

/// `L`, `L-3`, `LW` or `15W`.
fn month_day(piece: Token<'_>) -> Result<Option<MonthDay>, CronError> {
    let field = Field::DayOfMonth;
    if piece.is("L") {
        return Ok(Some(MonthDay::Last { before: 0 }));
    }
    if piece.is("LW") {
        return Ok(Some(MonthDay::LastWorkday));
    }
    if let Some((letter, days)) = piece.split_once('-')
        && letter.is("L")
    {
        let before = field.count(days, piece, "the number of days before the last", 30)?;
        return Ok(Some(MonthDay::Last { before }));
    }
    match piece.strip_letter('W') {
        Some(day) if !day.text.is_empty() => {
            Ok(Some(MonthDay::NearestWorkday(field.value(day, piece)?)))
        }
        _ => Ok(None),
    }
}

/// `5L`, `FRIL`, `2#1` or `TUE#1`.
fn weekday(piece: Token<'_>) -> Result<Option<Weekday>, CronError> {
    let field = Field::DayOfWeek;
    if piece.is("L") {
        let remedy = "needs a day, such as `5L` for the last Friday";
        return Err(field.error(piece, format!("{field} {piece} {remedy}")));
    }
    if let Some((day, nth)) = piece.split_once('#') {
        let day = field.value(day, piece)? % 7;
        let nth = field.count(nth, piece, "the week of the month", 5)?;
        return Ok(Some(Weekday::Nth { day, nth }));
    }
    match piece.strip_letter('L') {
        Some(day) => Ok(Some(Weekday::Last {
            day: field.value(day, piece)? % 7,
        })),
        None => Ok(None),
    }
}

/// `*`, `5`, `1-5`, `*/2` or `1-5/2`.
fn span(field: Field, piece: Token<'_>) -> Result<Span, CronError> {
    let Some((body, step)) = piece.split_once('/') else {
        return Ok(match bounds(field, piece, piece)? {
            Bounds::One(value) => Span {
                first: value,
                last: value,
                step: 1,
            },
            Bounds::Range(first, last) => Span {
                first,
                last,
                step: 1,
            },
        });
    };
    let bounds = bounds(field, body, piece)?;
    let every = field.count(step, piece, "the step", field.size())?;
    match bounds {
        Bounds::One(_) => Err(lone_step(field, body, step, piece)),
        Bounds::Range(first, last) => Ok(Span {
            first,
            last,
            step: every,
        }),
    }
}

/// `*`, `5` or `1-5`.
fn bounds(field: Field, body: Token<'_>, piece: Token<'_>) -> Result<Bounds, CronError> {
    if body.text == "*" {
        return Ok(Bounds::Range(field.min(), field.min() + field.size() - 1));
    }
    match body.split_once('-') {
        Some((first, last)) => range(field, first, last, body),
        None => field.value(body, piece).map(Bounds::One),
    }
}

fn range(
    field: Field,
    first: Token<'_>,
    last: Token<'_>,
    body: Token<'_>,
) -> Result<Bounds, CronError> {
    let from = field.value(first, body)?;
    let to = match field.value(last, body)? {
        // `fri-sun` and `5-0`: a range that starts later in the week ends with its Sunday.
        0 if field == Field::DayOfWeek && from > 0 => 7,
        to => to,
    };
    if from <= to {
        return Ok(Bounds::Range(from, to));
    }
    let (end, start) = field.ends();
    let remedy = match (from, first.text, last.text) {
        (7, _, last) => format!("0-{last}"),
        (_, first, last) => format!("{first}-{end},{start}-{last}"),
    };
    Err(field.error(
        body,
        format!("{field} range {body} runs backwards: write `{remedy}`"),
    ))
}

/// Some read `5/15` as `5` and others as `5-59/15`, so it has to be said.
fn lone_step(field: Field, first: Token<'_>, step: Token<'_>, piece: Token<'_>) -> CronError {
    let (first, (end, _), step) = (first.text, field.ends(), step.text);
    let remedy = format!("write `{first}-{end}/{step}`, or `*/{step}`");
    field.error(
        piece,
        format!("{field} {piece} has a step but no range: {remedy}"),
    )
}
