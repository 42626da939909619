//! Cron expressions: from text to the next tick.

mod bits;
mod days;
mod engine;
mod error;
mod field;
mod next;
mod parse;
mod parts;
mod times;
mod token;
mod zone;

use std::fmt;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

pub use error::{CronError, Field};
use next::Plan;

/// A cron expression in a time zone.
///
/// See the [crate documentation](crate) for the fields and for what happens when the clock changes.
///
/// ```
/// use afterhours_schedule::{Cron, chrono::{DateTime, Utc}, chrono_tz::Tz};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let last_friday = Cron::parse("30 17 * * FRIL", Tz::Europe__Paris)?;
/// let after: DateTime<Utc> = "2026-01-01T00:00:00Z".parse()?;
/// assert_eq!(last_friday.next_after(after), Some("2026-01-30T16:30:00Z".parse()?));
/// assert_eq!(last_friday.to_string(), "30 17 * * FRIL");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    expression: String,
    timezone: Tz,
    plan: Plan,
}

impl Cron {
    /// Reads an expression: five fields as in cron(8), six with the second in front, or a nickname such as `@daily`.
    ///
    /// ```
    /// use afterhours_schedule::{Cron, chrono_tz::Tz};
    ///
    /// assert!(Cron::parse("*/5 8-17 * * MON-FRI", Tz::UTC).is_ok());
    /// assert_eq!(
    ///     Cron::parse("0 0 30 2 *", Tz::UTC).unwrap_err().to_string(),
    ///     "day-of-month `30` never comes in month `2`: the job would never run",
    /// );
    /// ```
    ///
    /// # Errors
    ///
    /// When the expression does not have five or six fields, when a field holds what it cannot mean, or when no day
    /// satisfies it. The error names the field and knows its place.
    pub fn parse(expr: &str, tz: Tz) -> Result<Self, CronError> {
        Ok(Self {
            expression: expr.to_owned(),
            timezone: tz,
            plan: parse::parse(expr)?,
        })
    }

    /// The first tick strictly after `t`; `None` when it lies outside what `DateTime` can hold.
    ///
    /// From tick to tick, time only goes forward, and every tick is a moment that exists in the time zone. The rules of
    /// the zones come from `chrono-tz`, which knows no daylight saving after 2099.
    ///
    /// ```
    /// use afterhours_schedule::{Cron, chrono::{DateTime, Utc}, chrono_tz::Tz};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let nightly = Cron::parse("30 2 * * *", Tz::Europe__Paris)?;
    /// // On 30 March 2025 the clocks in Paris go from 02:00 to 03:00: the job runs at once after that.
    /// let evening: DateTime<Utc> = "2025-03-29T20:00:00Z".parse()?;
    /// assert_eq!(nightly.next_after(evening), Some("2025-03-30T01:00:00Z".parse()?));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn next_after(&self, t: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.plan.next_after(self.timezone, t)
    }

    /// The time zone whose clock the fields are about.
    ///
    /// ```
    /// use afterhours_schedule::{Cron, chrono_tz::Tz};
    ///
    /// # fn main() -> Result<(), afterhours_schedule::CronError> {
    /// assert_eq!(Cron::parse("@daily", Tz::Asia__Tokyo)?.timezone(), Tz::Asia__Tokyo);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn timezone(&self) -> Tz {
        self.timezone
    }
}

/// Writes the expression as it was given.
impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.expression)
    }
}
