//! One stored request to run a job: its id, its state, its history. Plain data.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::{Deserialize, Serialize};

/// How long a failed run stays unless its job or its call site says otherwise.
pub(crate) const KEEP_FAILED: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The identity of a run in its store. Never used again, also not after the run was deleted.
///
/// ```
/// use afterhours::RunId;
/// let id: RunId = "42".parse().unwrap();
/// assert_eq!(id.to_string(), "42");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub(crate) i64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An application that shares the file keeps run ids in columns of its own tables.
impl ToSql for RunId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for RunId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        i64::column_result(value).map(Self)
    }
}

/// The text is no run id.
///
/// ```
/// let error = "-1".parse::<afterhours::RunId>().unwrap_err();
/// assert_eq!(error.to_string(), "`-1` is no run id: a whole number above 0 is expected");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no run id: a whole number above 0 is expected")]
pub struct ParseRunIdError(String);

impl FromStr for RunId {
    type Err = ParseRunIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(id) if id > 0 => Ok(Self(id)),
            _ => Err(ParseRunIdError(text.to_owned())),
        }
    }
}

/// Where a run stands in its life, as [`Handle::status`](crate::Handle::status) tells it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
/// # use afterhours::{Client, Status, job};
/// # use std::time::{Duration, SystemTime};
/// # #[job] async fn send_email(user_id: u64) {}
/// # let client = Client::open_in_memory().await?;
/// let run = client.enqueue(send_email::prepare(42).delay(Duration::from_secs(60))).await?;
/// match run.status().await? {
///     Status::Scheduled { due } => assert!(due > SystemTime::now()),
///     other => panic!("it waits for its time, and is {other:?}"),
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// Waits for its time: enqueued with a delay, retried or snoozed.
    Scheduled {
        /// When it is due; for delays this is what the wall clock will show if nobody sets it.
        due: SystemTime,
    },
    /// Waits for a worker.
    Ready,
    /// An attempt is active, or a worker has claimed the run for one.
    Running {
        /// Which attempt, from 1.
        attempt: u32,
        /// When it was claimed.
        since: SystemTime,
    },
    /// Succeeded.
    Done {
        /// When.
        at: SystemTime,
    },
    /// Failed for good.
    Failed {
        /// When.
        at: SystemTime,
        /// The last attempt's error.
        error: String,
    },
    /// Ended before it succeeded, by a caller or by the job itself.
    Cancelled {
        /// When.
        at: SystemTime,
        /// Why.
        reason: String,
    },
    /// Its arguments do not fit this build; kept until a build that knows them comes along.
    Incompatible {
        /// What does not fit.
        reason: String,
    },
}

impl Status {
    /// Whether nothing more will happen to the run.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        matches!(
            self,
            Self::Done { .. } | Self::Failed { .. } | Self::Cancelled { .. }
        )
    }
}

/// How an attempt ended that did not succeed. [`Failure`] shows it in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttemptOutcome {
    /// The job returned an error.
    Error,
    /// The job panicked.
    Panic,
    /// The attempt took longer than the job's timeout.
    Timeout,
    /// The worker died during the attempt.
    WorkerLost,
}

impl AttemptOutcome {
    /// The word for it in texts and labels.
    ///
    /// ```
    /// assert_eq!(afterhours::AttemptOutcome::WorkerLost.as_str(), "worker lost");
    /// ```
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Panic => "panic",
            Self::Timeout => "timeout",
            Self::WorkerLost => "worker lost",
        }
    }

    pub(crate) fn code(self) -> i64 {
        match self {
            Self::Error => 0,
            Self::Panic => 1,
            Self::Timeout => 2,
            Self::WorkerLost => 3,
        }
    }

    pub(crate) fn from_code(code: i64) -> Self {
        match code {
            1 => Self::Panic,
            2 => Self::Timeout,
            3 => Self::WorkerLost,
            _ => Self::Error,
        }
    }
}

/// One attempt that did not succeed. [`Failure`] shows it in use.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttemptRecord {
    /// Which attempt, from 1.
    pub attempt: u32,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// The error, with its causes, in one line.
    pub error: String,
    /// When it was claimed.
    pub started_at: SystemTime,
    /// When it ended.
    pub ended_at: SystemTime,
}

/// A run that failed for good, with all it tried.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
/// # use afterhours::{AttemptOutcome, Client, Result, Worker, job};
/// #[job(retry = 1, retry_delay = "10ms")]
/// async fn import(path: &str) -> Result {
///     Err(format!("there is no {path}").into())
/// }
/// # let client = Client::open_in_memory().await?;
/// # let worker = Worker::builder(client.clone()).jobs([import::JOB]).build()?.start().await?;
///
/// let error = client.enqueue(import::prepare("a.csv")).await?.join().await.unwrap_err();
/// let failure = error.failure().ok_or("it has failed for good")?;
/// assert_eq!(failure.error, "there is no a.csv");
/// assert_eq!(failure.attempts.len(), 2);
/// assert_eq!(failure.attempts[0].outcome, AttemptOutcome::Error);
/// # worker.stop().await
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The run.
    pub id: RunId,
    /// Its job's stored name.
    pub job: String,
    /// The last attempt's error.
    pub error: String,
    /// The attempts that did not succeed, the oldest first; of more than 100 the latest.
    pub attempts: Vec<AttemptRecord>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            job,
            error,
            attempts,
        } = self;
        // Of very many only the latest are remembered.
        let count = attempts.last().map_or(0, |last| last.attempt);
        let noun = if count == 1 { "attempt" } else { "attempts" };
        write!(
            f,
            "run {id} of `{job}` failed after {count} {noun}: {error}"
        )
    }
}

/// The reason of runs that [`Handle::cancel`](crate::Handle::cancel) has ended.
pub(crate) const BY_A_CALLER: &str = "by a caller";

/// The error of runs that [`Client::discard`](crate::Client::discard) has ended.
pub(crate) const DISCARDED: &str = "discarded by a caller";

// The numbers are what the store writes in the column `state`, but for `Running`: such a run is stored as ready, and has
// a row in the table of those that are running. Indexes name these numbers, so they never change.
/// Where a run stands in its life, without what [`Status`] has to say about it. [`RunFilter`](crate::RunFilter) and
/// [`Run`](crate::Run) show it in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Waits for a worker.
    Ready = 0,
    /// Waits for its time: enqueued with a delay, retried or snoozed.
    Scheduled = 1,
    /// An attempt is active, or a worker has claimed the run for one.
    Running = 2,
    /// Succeeded.
    Done = 3,
    /// Failed for good.
    Failed = 4,
    /// Ended before it succeeded.
    Cancelled = 5,
    /// Its arguments do not fit this build.
    Incompatible = 6,
}

impl State {
    pub(crate) fn code(self) -> i64 {
        self as i64
    }

    /// A number that no build has written reads as `Incompatible`: kept, visible and never run.
    pub(crate) fn from_code(code: i64) -> Self {
        match code {
            0 => Self::Ready,
            1 => Self::Scheduled,
            3 => Self::Done,
            4 => Self::Failed,
            5 => Self::Cancelled,
            _ => Self::Incompatible,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_round_trip() {
        for code in [0, 1, 3, 4, 5, 6] {
            assert_eq!(State::from_code(code).code(), code);
        }
        assert_eq!(State::from_code(2), State::Incompatible);
        for code in 0..=3 {
            assert_eq!(AttemptOutcome::from_code(code).code(), code);
        }
    }

    #[test]
    fn ids_are_positive_numbers() {
        assert_eq!("7".parse(), Ok(RunId(7)));
        for bad in ["", "0", "-1", "x", "1.5"] {
            let error = bad.parse::<RunId>().unwrap_err();
            assert!(error.to_string().contains("no run id"), "{error}");
        }
    }
}
