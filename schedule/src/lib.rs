//! When a job is due: intervals, cron expressions and time zones.
//!
//! Everything here is pure: callers bring the clock, nothing sleeps, nothing does I/O. The `#[job]` macro calls this
//! code when a program is compiled and the worker calls the same code when it runs, so what the compiler accepted is
//! what fires.
//!
//! # Every so often
//!
//! ```
//! use afterhours_schedule::Every;
//! use std::time::Duration;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! assert_eq!(Every::parse("1h30m")?.interval(), Duration::from_secs(5_400));
//! assert_eq!(Every::parse("60")?, Every::from_secs(60)?);
//! # Ok(())
//! # }
//! ```
//!
//! # At set times
//!
//! Five fields mean what they mean to cron(8); a sixth in front counts seconds.
//!
//! ```text
//! ┌───────── second        0-59                    only with six fields
//! │ ┌─────── minute        0-59
//! │ │ ┌───── hour          0-23
//! │ │ │ ┌─── day-of-month  1-31, L, L-3, LW, 15W
//! │ │ │ │ ┌─ month         1-12 or JAN-DEC
//! │ │ │ │ │ ┌ day-of-week  0-7 or SUN-SAT (0 and 7 are Sunday), 5L, 2#1
//! 0 0 3 * * *
//! ```
//!
//! ```
//! use afterhours_schedule::{Cron, chrono::{DateTime, Utc}, parse_timezone};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let report = Cron::parse("0 3 * * MON-FRI", parse_timezone("Europe/Paris")?)?;
//! let friday_noon: DateTime<Utc> = "2026-03-27T12:00:00Z".parse()?;
//! // Monday at three; Paris has changed to summer time over the weekend.
//! assert_eq!(report.next_after(friday_noon), Some("2026-03-30T01:00:00Z".parse()?));
//! # Ok(())
//! # }
//! ```
//!
//! If day-of-month and day-of-week are both restricted, either may match; but if one of the two begins with `*`, as in
//! `0 0 1 * */2`, both must. That is cronie's reading, and others differ.
//!
//! # What happens when the clock changes
//!
//! | the job | its time is skipped | its time comes twice |
//! |---|---|---|
//! | fixed: neither minute nor hour begins with `*` | runs once, right after the gap | runs once, the first time |
//! | follows the clock: `*` or `*/n` minutes or hours | does not run | runs both times |
//!
//! A change of more than three hours (an island that crosses the date line) is a new calendar, not a daylight-saving
//! change: every job follows the clock through it.
//!
//! # Mistakes
//!
//! Errors name the field, say what is allowed and know where the mistake is, so that the compiler can underline it.
//!
//! ```
//! use afterhours_schedule::{Cron, Field, chrono_tz::Tz};
//!
//! let error = Cron::parse("60 3 * * *", Tz::UTC).unwrap_err();
//! assert_eq!(error.to_string(), "minute `60` is out of range: 0 to 59");
//! assert_eq!(error.field(), Some(Field::Minute));
//! assert_eq!(error.span(), Some(0..2));
//! ```

mod cron;
mod duration;
mod every;
mod rule;
mod text;
mod timezone;

pub use chrono;
pub use chrono_tz;

pub use crate::cron::{Cron, CronError, Field};
pub use duration::{DurationError, parse_duration};
pub use every::{Every, EveryError};
pub use rule::Rule;
pub use timezone::{TimezoneError, parse_timezone};
