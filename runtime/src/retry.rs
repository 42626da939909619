//! When the next attempt is due. Pure: callers bring the chance.

use std::time::Duration;

/// How the delay between attempts grows: to a day at most, jitter apart.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
/// use afterhours::{Backoff, job};
/// # use afterhours::Client;
/// # use std::time::Duration;
///
/// #[job(retry = 3, retry_delay = 10, backoff = "linear")] // after 10 s, 20 s and 30 s
/// async fn sync(user_id: u64) {}
///
/// # let client = Client::open_in_memory().await?;
/// let each_minute = sync::prepare(42).retry_delay(Duration::from_secs(60)).backoff(Backoff::Fixed).jitter(0.0);
/// let run = client.enqueue(each_minute).await?;
/// assert_eq!(Backoff::default(), Backoff::Exponential); // 10 s, 20 s, 40 s
/// # let _ = run;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub enum Backoff {
    /// The base delay each time.
    Fixed,
    /// The base delay times the number of attempts made.
    Linear,
    /// The base delay doubled after each attempt.
    #[default]
    Exponential,
}

impl Backoff {
    /// The jitter of a job that states none: half for exponential, none for the others.
    pub(crate) fn default_jitter(self) -> f64 {
        match self {
            Self::Exponential => 0.5,
            Self::Fixed | Self::Linear => 0.0,
        }
    }
}

/// No delay between two attempts is longer, jitter apart.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The delay before attempt `made + 1`: fixed `d`, linear `d * made`, exponential `d * 2^(made - 1)`,
/// at most one day, times `1 + random * jitter` with `random` in 0.0..1.0.
pub(crate) fn delay(
    backoff: Backoff,
    base: Duration,
    made: u32,
    jitter: f64,
    random: f64,
) -> Duration {
    let factor = match backoff {
        Backoff::Fixed => 1,
        Backoff::Linear => made.max(1),
        Backoff::Exponential => 2_u32.saturating_pow(made.saturating_sub(1)),
    };
    base.saturating_mul(factor)
        .min(LONGEST)
        .mul_f64(1.0 + random * jitter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(backoff: Backoff, made: u32, jitter: f64, random: f64, expected_secs: f64) {
        let got = delay(backoff, Duration::from_secs(10), made, jitter, random);
        assert_eq!(got, Duration::from_secs_f64(expected_secs));
    }

    #[test]
    fn delays_follow_the_formula() {
        check(Backoff::Fixed, 7, 0.0, 0.9, 10.0);
        check(Backoff::Linear, 3, 0.0, 0.9, 30.0);
        check(Backoff::Exponential, 1, 0.0, 0.9, 10.0);
        check(Backoff::Exponential, 4, 0.0, 0.9, 80.0);
        check(Backoff::Exponential, 4, 0.5, 0.5, 100.0);
        check(Backoff::Exponential, 4, 0.5, 0.0, 80.0);
    }

    #[test]
    fn delays_are_capped_at_one_day() {
        check(Backoff::Exponential, 40, 0.0, 0.0, 86_400.0);
        check(Backoff::Exponential, u32::MAX, 1.0, 0.5, 129_600.0);
        check(Backoff::Linear, u32::MAX, 0.0, 0.0, 86_400.0);
    }
}
