//! Either way of being due.

use std::fmt;

use crate::{Cron, Every};

/// When something is due: every so often, or at set times.
///
/// ```
/// use afterhours_schedule::{Cron, Every, Rule, chrono_tz::Tz};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let often: Rule = Every::parse("90s")?.into();
/// let daily: Rule = Cron::parse("0 3 * * *", Tz::Europe__Paris)?.into();
/// assert_eq!(often.to_string(), "every 1m30s");
/// assert_eq!(daily.to_string(), "0 3 * * * (Europe/Paris)");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Every so often.
    Every(Every),
    /// At set times.
    Cron(Box<Cron>),
}

impl From<Every> for Rule {
    fn from(every: Every) -> Self {
        Self::Every(every)
    }
}

impl From<Cron> for Rule {
    fn from(cron: Cron) -> Self {
        Self::Cron(Box::new(cron))
    }
}

/// Writes an interval as `every 1m30s`, and an expression with its time zone.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(every) => write!(f, "every {every}"),
            Self::Cron(cron) => write!(f, "{cron} ({})", cron.timezone()),
        }
    }
}
