//! What each field may hold, and its single values by number or name.

use super::{
    error::{CronError, Field},
    token::Token,
};

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

impl Field {
    pub(super) fn min(self) -> u32 {
        match self {
            Self::DayOfMonth | Self::Month => 1,
            Self::Second | Self::Minute | Self::Hour | Self::DayOfWeek => 0,
        }
    }

    pub(super) fn max(self) -> u32 {
        match self {
            Self::Second | Self::Minute => 59,
            Self::Hour => 23,
            Self::DayOfMonth => 31,
            Self::Month => 12,
            Self::DayOfWeek => 7,
        }
    }

    /// How many different values there are.
    pub(super) fn size(self) -> u32 {
        match self {
            // 0 and 7 are one day.
            Self::DayOfWeek => 7,
            _ => self.max() - self.min() + 1,
        }
    }

    /// The last and the first value, as they are best written where a range wraps around.
    pub(super) fn ends(self) -> (&'static str, &'static str) {
        match self {
            Self::Second | Self::Minute => ("59", "0"),
            Self::Hour => ("23", "0"),
            Self::DayOfMonth => ("31", "1"),
            Self::Month => ("DEC", "JAN"),
            Self::DayOfWeek => ("SAT", "SUN"),
        }
    }

    /// A value of the field. `piece` is what to point at if `token` is empty.
    pub(super) fn value(self, token: Token<'_>, piece: Token<'_>) -> Result<u32, CronError> {
        let place = token.or(piece);
        if let Some(number) = number(token.text) {
            let value = number.filter(|number| (self.min()..=self.max()).contains(number));
            let problem = || format!("{self} {place} is out of range: {}", self.allowed());
            return value.ok_or_else(|| self.error(place, problem()));
        }
        match (self.min()..)
            .zip(self.names())
            .find(|(_, name)| token.is(name))
        {
            Some((value, _)) => Ok(value),
            None => Err(self.error(place, format!("{self} {place} {}", self.unknown(token)))),
        }
    }

    /// A number from 1 to `max` that counts `what`. `piece` is what to point at if `token` is empty.
    pub(super) fn count(
        self,
        token: Token<'_>,
        piece: Token<'_>,
        what: &str,
        max: u32,
    ) -> Result<u32, CronError> {
        let problem = match number(token.text) {
            Some(Some(count)) if (1..=max).contains(&count) => return Ok(count),
            Some(_) => format!(", {token}, is out of range"),
            None if token.text.is_empty() => " is missing".to_owned(),
            None => format!(", {token}, is not a number"),
        };
        Err(self.error(
            token.or(piece),
            format!("{self}: {what}{problem}: 1 to {max}"),
        ))
    }

    pub(super) fn error(self, token: Token<'_>, message: String) -> CronError {
        CronError::in_field(self, token, message)
    }

    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Month => &MONTHS,
            Self::DayOfWeek => &WEEKDAYS,
            _ => &[],
        }
    }

    /// The values allowed, for messages.
    fn allowed(self) -> &'static str {
        match self {
            Self::Second | Self::Minute => "0 to 59",
            Self::Hour => "0 to 23",
            Self::DayOfMonth => "1 to 31",
            Self::Month => "1 to 12, or JAN to DEC",
            Self::DayOfWeek => "0 to 7, or SUN to SAT",
        }
    }

    /// Why a text is no value of the field.
    fn unknown(self, token: Token<'_>) -> String {
        let before = token.text.trim_end_matches(|c: char| !c.is_ascii_digit());
        match (&token.text[before.len()..], self) {
            ("?", _) => "is not known to cron: write `*`".to_owned(),
            ("W" | "w", Self::DayOfMonth) => {
                "is not a value: `W` follows a day, such as `15W`".to_owned()
            }
            ("W" | "w", _) => "is not a value: `W` belongs in day-of-month".to_owned(),
            ("L" | "l", _) => {
                "is not a value: `L` belongs in day-of-month or day-of-week".to_owned()
            }
            _ if token.text.contains('#') => {
                "is not a value: `#` belongs in day-of-week".to_owned()
            }
            _ if self.names().is_empty() => format!("is not a number: {}", self.allowed()),
            _ => format!("is neither a number nor a name: {}", self.allowed()),
        }
    }
}

/// `None` for a text that is no number, `Some(None)` for a number that is too large to hold.
fn number(text: &str) -> Option<Option<u32>> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())
}
