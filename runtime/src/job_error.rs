//! What jobs return: any error, or a word to the executor (discard, retry in, snooze, cancel).

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

type BoxError = Box<dyn StdError + Send + Sync>;

/// What a job returns when it did not succeed.
///
/// It is built by `?` from anything that converts into a boxed error: std errors, `String`, `anyhow::Error`,
/// `eyre::Report`. It is no std error itself, because one type cannot be both that and the target of such a `?`.
///
/// ```
/// use afterhours::{JobError, Result};
///
/// fn parse(text: &str) -> Result<u64> {
///     if text.is_empty() {
///         return Err("nothing to parse".into());
///     }
///     Ok(text.parse().map_err(JobError::discard)?)
/// }
/// assert_eq!(parse("42").unwrap(), 42);
/// assert!(parse("x").is_err());
/// ```
///
/// A plain error is retried as the job's options say. The job can decide otherwise:
///
/// ```
/// use afterhours::{JobError, Result, job};
/// use std::time::Duration;
///
/// #[job]
/// async fn fetch(status: u16) -> Result<String> {
///     match status {
///         200 => Ok("the page".to_owned()),
///         404 => Err(JobError::discard("there is no such page")),
///         429 => Err(JobError::retry_in(Duration::from_secs(60), "too many requests")),
///         503 => Err(JobError::snooze(Duration::from_secs(600))),
///         410 => Err(JobError::cancel("the page was taken down")),
///         other => Err(format!("status {other}").into()),
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result {
/// # use afterhours::{Client, Error, Worker};
/// # let client = Client::open_in_memory().await?;
/// # let worker = Worker::builder(client.clone()).jobs([fetch::JOB]).build()?.start().await?;
///
/// let gone = client.enqueue(fetch::prepare(410)).await?.join().await;
/// assert!(matches!(gone, Err(Error::Cancelled { .. })));
/// let missing = client.enqueue(fetch::prepare(404)).await?.join().await;
/// assert!(missing.is_err_and(|error| error.failure().is_some_and(|failure| failure.attempts.len() == 1)));
/// # worker.stop().await
/// # }
/// ```
pub struct JobError(BoxError);

/// The result of jobs, and of programs that start workers.
///
/// ```
/// use afterhours::Result;
///
/// fn port(text: &str) -> Result<u16> {
///     Ok(text.parse()?)
/// }
///
/// fn main() -> Result {
///     assert_eq!(port("8080")?, 8080);
///     Ok(())
/// }
/// ```
pub type Result<T = (), E = JobError> = std::result::Result<T, E>;

impl JobError {
    /// Fails the run now: no more attempts.
    pub fn discard(error: impl Into<BoxError>) -> Self {
        Self(Control::discard(error).into())
    }

    /// Ends the attempt with an error and makes the next one start after `delay` instead of the policy's delay.
    pub fn retry_in(delay: Duration, error: impl Into<BoxError>) -> Self {
        Self(Control::retry_in(delay, error).into())
    }

    /// Gives the run back until `delay` has passed; this uses up no attempt.
    #[must_use]
    pub fn snooze(delay: Duration) -> Self {
        Self(Control::snooze(delay).into())
    }

    /// Ends the run as cancelled: it neither succeeded nor failed.
    pub fn cancel(reason: impl Into<String>) -> Self {
        Self(Control::cancel(reason).into())
    }

    /// The error as a std error, for code that wants one.
    ///
    /// ```
    /// use afterhours::JobError;
    /// use std::num::ParseIntError;
    ///
    /// let error = JobError::from("x".parse::<u64>().unwrap_err());
    /// assert!(error.as_error().is::<ParseIntError>());
    /// ```
    #[must_use]
    pub fn as_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        &*self.0
    }

    /// The word to the executor that this error carries anywhere in its `source()` chain.
    pub(crate) fn verdict(&self) -> Option<&Verdict> {
        let mut next: Option<&(dyn StdError + 'static)> = Some(&*self.0);
        while let Some(error) = next {
            if let Some(marker) = error.downcast_ref::<Marker>() {
                return Some(&marker.verdict);
            }
            next = error.source();
        }
        None
    }

    /// The error and its causes, each in words.
    pub(crate) fn causes(&self) -> Vec<String> {
        let mut causes = Vec::new();
        let mut next: Option<&(dyn StdError + 'static)> = Some(&*self.0);
        while let Some(error) = next {
            if !error.is::<Marker>() {
                causes.push(error.to_string());
            }
            next = error.source();
        }
        causes
    }

    /// The error and its causes in one line, each cause once.
    pub(crate) fn chain(&self) -> String {
        let mut text = self.0.to_string();
        let mut next = self.0.source();
        while let Some(error) = next {
            let cause = error.to_string();
            // `#[error(transparent)]` and messages that quote their source would repeat it.
            if !error.is::<Marker>() && !text.ends_with(&cause) {
                text.push_str(": ");
                text.push_str(&cause);
            }
            next = error.source();
        }
        text
    }
}

impl<E: Into<BoxError>> From<E> for JobError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.chain())
    }
}

/// Prints the chain of causes, so that `async fn main() -> afterhours::Result` ends with a readable line.
impl fmt::Debug for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.chain())
    }
}

/// A word to the executor as a std error, for jobs that return their own error type.
///
/// It works through `anyhow`, `eyre` and `#[error(transparent)]`: the executor finds it in the chain of sources.
///
/// ```
/// use afterhours::Control;
/// use std::time::Duration;
///
/// fn job() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
///     Err(Control::snooze(Duration::from_secs(60)).into())
/// }
/// assert_eq!(job().unwrap_err().to_string(), "snoozed for 60s");
/// ```
#[derive(Debug)]
pub struct Control(Marker);

impl Control {
    /// As [`JobError::discard`].
    pub fn discard(error: impl Into<BoxError>) -> Self {
        Self::new(Verdict::Discard, Some(error.into()))
    }

    /// As [`JobError::retry_in`].
    pub fn retry_in(delay: Duration, error: impl Into<BoxError>) -> Self {
        Self::new(Verdict::RetryIn(delay), Some(error.into()))
    }

    /// As [`JobError::snooze`].
    #[must_use]
    pub fn snooze(delay: Duration) -> Self {
        Self::new(Verdict::Snooze(delay), None)
    }

    /// As [`JobError::cancel`].
    pub fn cancel(reason: impl Into<String>) -> Self {
        Self::new(Verdict::Cancel(reason.into()), None)
    }

    fn new(verdict: Verdict, cause: Option<BoxError>) -> Self {
        Self(Marker { verdict, cause })
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for Control {
    // Wrappers such as anyhow hide the type of the error they hold, but pass its source on:
    // the marker must therefore be a source, not the error itself.
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}

/// What a job told the executor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Discard,
    RetryIn(Duration),
    Snooze(Duration),
    Cancel(String),
}

#[derive(Debug)]
struct Marker {
    verdict: Verdict,
    cause: Option<BoxError>,
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.cause, &self.verdict) {
            (Some(cause), _) => cause.fmt(f),
            (None, Verdict::Snooze(delay)) => write!(f, "snoozed for {delay:?}"),
            (None, Verdict::Cancel(reason)) => f.write_str(reason),
            (None, verdict) => write!(f, "{verdict:?}"),
        }
    }
}

impl StdError for Marker {
    // The cause itself is what `Display` shows; its own sources follow.
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_deref().and_then(StdError::source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum AppError {
        #[error(transparent)]
        Control(#[from] Control),
        #[error("cannot reach the server")]
        Wrapped(#[source] Control),
    }

    fn check(error: impl Into<JobError>, expected: Option<&Verdict>) {
        let error = error.into();
        assert_eq!(error.verdict(), expected, "{error}");
    }

    #[test]
    fn the_verdict_survives_every_wrapper() {
        let snooze = Verdict::Snooze(Duration::from_secs(1));
        let control = || Control::snooze(Duration::from_secs(1));
        check(control(), Some(&snooze));
        check(anyhow::Error::from(control()), Some(&snooze));
        check(
            anyhow::Error::from(control()).context("while mailing"),
            Some(&snooze),
        );
        check(eyre::Report::from(control()), Some(&snooze));
        check(AppError::from(control()), Some(&snooze));
        check(AppError::Wrapped(control()), Some(&snooze));
        check(JobError::snooze(Duration::from_secs(1)), Some(&snooze));
        check("plain", None);
        check(anyhow::anyhow!("plain"), None);
    }

    #[test]
    fn the_chain_names_each_cause_once() {
        let parse = "x".parse::<u8>().unwrap_err();
        assert_eq!(
            JobError::discard(parse).to_string(),
            "invalid digit found in string"
        );
        let wrapped =
            anyhow::Error::from(Control::discard("no such user")).context("while mailing");
        assert_eq!(
            JobError::from(wrapped).to_string(),
            "while mailing: no such user"
        );
        assert_eq!(
            JobError::from(AppError::Wrapped(Control::cancel("closed"))).to_string(),
            "cannot reach the server: closed"
        );
    }

    #[test]
    fn an_api_error_becomes_a_job_error_by_question_mark() {
        fn job() -> Result {
            Err(crate::Error::NoClient)?;
            Ok(())
        }
        assert!(
            job()
                .unwrap_err()
                .to_string()
                .starts_with("no client is installed")
        );
    }
}
