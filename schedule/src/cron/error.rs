//! What is wrong with a cron expression, and where.

use std::{fmt, ops::Range};

use super::token::Token;

/// One field of a cron expression.
///
/// ```
/// use afterhours_schedule::Field;
///
/// assert_eq!(Field::DayOfMonth.to_string(), "day-of-month");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// The first of six fields.
    Second,
    /// The first of five fields.
    Minute,
    /// Counted from 0 to 23.
    Hour,
    /// Counted from 1 to 31.
    DayOfMonth,
    /// Counted from 1 to 12, or named.
    Month,
    /// Counted from 0 to 7, or named; 0 and 7 are Sunday.
    DayOfWeek,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::DayOfMonth => "day-of-month",
            Self::Month => "month",
            Self::DayOfWeek => "day-of-week",
        })
    }
}

/// Why a text is not a cron expression, or one that can never fire.
///
/// ```
/// use afterhours_schedule::{Cron, Field, chrono_tz::Tz};
///
/// let error = Cron::parse("0 22-4 * * *", Tz::UTC).unwrap_err();
/// assert_eq!(error.to_string(), "hour range `22-4` runs backwards: write `22-23,0-4`");
/// assert_eq!(error.field(), Some(Field::Hour));
/// assert_eq!(error.span(), Some(2..6));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CronError {
    message: String,
    field: Option<Field>,
    span: Option<Range<usize>>,
}

impl CronError {
    /// The field that is wrong; `None` when the expression as a whole is.
    ///
    /// ```
    /// use afterhours_schedule::{Cron, Field, chrono_tz::Tz};
    ///
    /// assert_eq!(Cron::parse("0 24 * * *", Tz::UTC).unwrap_err().field(), Some(Field::Hour));
    /// assert_eq!(Cron::parse("0 3 * *", Tz::UTC).unwrap_err().field(), None);
    /// ```
    #[must_use]
    pub fn field(&self) -> Option<Field> {
        self.field
    }

    /// The bytes of the expression that are wrong; `None` when there is nothing to point at.
    ///
    /// ```
    /// use afterhours_schedule::{Cron, chrono_tz::Tz};
    ///
    /// assert_eq!(Cron::parse("0 3,24 * * *", Tz::UTC).unwrap_err().span(), Some(4..6));
    /// ```
    #[must_use]
    pub fn span(&self) -> Option<Range<usize>> {
        self.span.clone()
    }

    /// A mistake in one field.
    pub(super) fn in_field(field: Field, token: Token<'_>, message: String) -> Self {
        Self {
            message,
            field: Some(field),
            span: token.span(),
        }
    }

    /// A mistake in the expression as a whole, at `token` if it has a place.
    pub(super) fn in_whole(token: Token<'_>, message: String) -> Self {
        Self {
            message,
            field: None,
            span: token.span(),
        }
    }
}
