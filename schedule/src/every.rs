//! An interval between two ticks.

use std::{fmt, str::FromStr, time::Duration};

use crate::duration::{DurationError, parse_duration};

/// The interval of a job that is due every so often; always above zero.
///
/// ```
/// use afterhours_schedule::Every;
/// use std::time::Duration;
///
/// # fn main() -> Result<(), afterhours_schedule::EveryError> {
/// let every = Every::parse("90s")?;
/// assert_eq!(every.interval(), Duration::from_secs(90));
/// assert_eq!(every.to_string(), "1m30s");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Every {
    interval: Duration,
}

/// Why a text or a number is not an interval.
///
/// ```
/// use afterhours_schedule::{Every, EveryError};
///
/// assert_eq!(Every::parse("0s"), Err(EveryError::Zero));
/// assert_eq!(EveryError::Zero.to_string(), "an interval must be above 0");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EveryError {
    /// An interval of zero would be due without end.
    #[error("an interval must be above 0")]
    Zero,
    /// The text is not a duration.
    #[error(transparent)]
    Duration(#[from] DurationError),
}

impl Every {
    /// Reads an interval such as `60` (seconds), `250ms`, `90s`, `5m` or `1h30m`; see [`parse_duration`].
    ///
    /// ```
    /// use afterhours_schedule::Every;
    ///
    /// assert_eq!(Every::parse("60"), Every::from_secs(60));
    /// ```
    ///
    /// # Errors
    ///
    /// When the text is not a duration, or is zero.
    pub fn parse(text: &str) -> Result<Self, EveryError> {
        Self::new(parse_duration(text)?)
    }

    /// An interval of that many seconds.
    ///
    /// ```
    /// use afterhours_schedule::{Every, EveryError};
    ///
    /// assert_eq!(Every::from_secs(0), Err(EveryError::Zero));
    /// ```
    ///
    /// # Errors
    ///
    /// When `seconds` is zero.
    pub fn from_secs(seconds: u64) -> Result<Self, EveryError> {
        Self::new(Duration::from_secs(seconds))
    }

    /// An interval of that length.
    ///
    /// ```
    /// use afterhours_schedule::Every;
    /// use std::time::Duration;
    ///
    /// assert_eq!(Every::new(Duration::from_millis(250)), Every::parse("250ms"));
    /// ```
    ///
    /// # Errors
    ///
    /// When `interval` is zero.
    pub fn new(interval: Duration) -> Result<Self, EveryError> {
        if interval.is_zero() {
            Err(EveryError::Zero)
        } else {
            Ok(Self { interval })
        }
    }

    /// The time from one tick to the next.
    ///
    /// ```
    /// use afterhours_schedule::Every;
    /// use std::time::Duration;
    ///
    /// # fn main() -> Result<(), afterhours_schedule::EveryError> {
    /// assert_eq!(Every::parse("5m")?.interval(), Duration::from_secs(300));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.interval
    }
}

impl FromStr for Every {
    type Err = EveryError;

    fn from_str(text: &str) -> Result<Self, EveryError> {
        Self::parse(text)
    }
}

impl TryFrom<Duration> for Every {
    type Error = EveryError;

    fn try_from(interval: Duration) -> Result<Self, EveryError> {
        Self::new(interval)
    }
}

/// Writes what [`Every::parse`] reads, unless the interval is finer than a millisecond.
impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.interval.subsec_nanos().is_multiple_of(1_000_000) {
            return write!(f, "{:?}", self.interval);
        }
        let seconds = self.interval.as_secs();
        let parts = [
            (seconds / 86_400, "d"),
            (seconds / 3_600 % 24, "h"),
            (seconds / 60 % 60, "m"),
            (seconds % 60, "s"),
            (u64::from(self.interval.subsec_millis()), "ms"),
        ];
        parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .try_for_each(|(count, unit)| write!(f, "{count}{unit}"))
    }
}
