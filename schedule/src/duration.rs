//! The grammar of durations: `60`, `250ms`, `90s`, `5m`, `1h30m`, `1d`.

use std::time::Duration;

use crate::text::quote;

/// A unit's name and its length in milliseconds.
type Unit = (&'static str, u64);

/// The units, largest first: the order in which a text must give them.
const UNITS: [Unit; 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Why a text is not a duration.
///
/// ```
/// use afterhours_schedule::{DurationError, parse_duration};
///
/// assert_eq!(parse_duration(""), Err(DurationError::Empty));
/// assert_eq!(
///     parse_duration("5min").unwrap_err().to_string(),
///     "unknown unit `min` in `5min`: the units are d, h, m, s and ms",
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DurationError {
    /// Nothing was written.
    #[error("the duration is empty: write seconds such as `60`, or `90s`, `5m`, `1h30m`")]
    Empty,
    /// The text, or the part of it after the last unit, does not start with a whole number.
    #[error("{} is not a duration: write seconds such as `60`, or `90s`, `5m`, `1h30m`", quote(.text))]
    NotANumber {
        /// The whole text.
        text: String,
    },
    /// A number is followed by letters that are no unit.
    #[error("unknown unit {} in {}: the units are d, h, m, s and ms", quote(.unit), quote(.text))]
    UnknownUnit {
        /// What stands in the place of the unit.
        unit: String,
        /// The whole text.
        text: String,
    },
    /// A space stands where none can.
    #[error("{} has a space in it: write it without, as in `1h30m`", quote(.text))]
    Space {
        /// The whole text.
        text: String,
    },
    /// The last number has no unit although an earlier one has.
    #[error("the last number in {} has no unit: d, h, m, s or ms", quote(.text))]
    MissingUnit {
        /// The whole text.
        text: String,
    },
    /// A unit comes twice or after a smaller one.
    #[error("unit `{unit}` is out of order in {}: write the largest unit first and each once, such as `1h30m`", quote(.text))]
    UnitOrder {
        /// The unit that comes too late.
        unit: &'static str,
        /// The whole text.
        text: String,
    },
    /// The duration does not fit into the type.
    #[error("{} is too long: at most {} ms can be counted", quote(.text), u64::MAX)]
    TooLong {
        /// The whole text.
        text: String,
    },
}

/// Reads a duration: a whole number of seconds, or numbers with units, largest first.
///
/// The units are `d`, `h`, `m`, `s` and `ms`. Zero is a duration.
///
/// ```
/// use afterhours_schedule::parse_duration;
/// use std::time::Duration;
///
/// # fn main() -> Result<(), afterhours_schedule::DurationError> {
/// assert_eq!(parse_duration("60")?, Duration::from_secs(60));
/// assert_eq!(parse_duration("1h30m")?, Duration::from_secs(5_400));
/// assert_eq!(parse_duration("250ms")?, Duration::from_millis(250));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// When the text is empty, is not built as above, or stands for more than `u64::MAX` milliseconds.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    if text.is_empty() {
        return Err(DurationError::Empty);
    }
    let (seconds, rest) = leading_number(text, text)?;
    let millis = if rest.is_empty() {
        seconds.checked_mul(1_000)
    } else {
        sum_of_units(text)?
    };
    millis
        .map(Duration::from_millis)
        .ok_or_else(|| DurationError::TooLong {
            text: text.to_owned(),
        })
}

/// `1h30m` in milliseconds; `None` when that is more than can be counted.
fn sum_of_units(text: &str) -> Result<Option<u64>, DurationError> {
    let mut total = Some(0_u64);
    let mut units = UNITS.as_slice();
    let mut rest = text;
    while !rest.is_empty() {
        let (number, after) = leading_number(rest, text)?;
        let letters = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let (millis, smaller) = unit_among(units, unit, text)?;
        total = total.and_then(|sum| sum.checked_add(number.checked_mul(millis)?));
        units = smaller;
        rest = after;
    }
    Ok(total)
}

/// The number at the front of `part` and what follows it. `text` is for the message.
fn leading_number<'a>(part: &'a str, text: &str) -> Result<(u64, &'a str), DurationError> {
    let digits = part
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(part.len());
    let (number, rest) = part.split_at(digits);
    if number.is_empty() {
        return Err(DurationError::NotANumber {
            text: text.to_owned(),
        });
    }
    // Only digits are left, so the one way to fail is a number that is too large.
    let number = number.parse().map_err(|_| DurationError::TooLong {
        text: text.to_owned(),
    })?;
    Ok((number, rest))
}

/// The size of `unit` and the units that may still follow it.
fn unit_among<'a>(
    units: &'a [Unit],
    unit: &str,
    text: &str,
) -> Result<(u64, &'a [Unit]), DurationError> {
    if let Some(at) = units.iter().position(|(name, _)| *name == unit) {
        return Ok((units[at].1, &units[at + 1..]));
    }
    let text = text.to_owned();
    Err(match UNITS.iter().find(|(name, _)| *name == unit) {
        Some((unit, _)) => DurationError::UnitOrder { unit, text },
        None if unit.is_empty() => DurationError::MissingUnit { text },
        None if is_unit(unit.trim()) => DurationError::Space { text },
        None => DurationError::UnknownUnit {
            unit: unit.trim().to_owned(),
            text,
        },
    })
}

/// Whether only the spaces around it are wrong.
fn is_unit(trimmed: &str) -> bool {
    trimmed.is_empty() || UNITS.iter().any(|(name, _)| *name == trimmed)
}
