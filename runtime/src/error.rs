//! What the API returns when it cannot do what was asked: one variant for each thing a caller can do about it.

use std::path::PathBuf;
use std::time::Duration;

use crate::run::{Failure, RunId};

/// Why a call to this library failed.
///
/// What jobs return is [`JobError`](crate::JobError); an `Error` converts into it with `?`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use afterhours::Client;
///
/// let error = Client::open("/no/such/folder/jobs.db").await.unwrap_err();
/// assert!(error.to_string().contains("/no/such/folder"));
/// assert!(!error.is_retryable());
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A `perform_*` function was called and no client is installed.
    #[error(
        "no client is installed: call `Client::open(\"jobs.db\").await?.install()?` at start-up, \
         or enqueue with `client.enqueue(job::prepare(..))`; in a test, open a `testing::Sandbox` and keep it"
    )]
    NoClient,
    /// The client is that of a worker without a store, which would lose the run.
    #[error(
        "this worker has no store to enqueue into: install a client (`Client::open(\"jobs.db\").await?.install()?`), \
         or give the worker one with `Worker::builder(client)`"
    )]
    NoStore,
    /// [`Client::install`](crate::Client::install) was called twice.
    #[error(
        "a client is installed already: `install()` is called once in a process; enqueue with `client.enqueue(..)` for a second file"
    )]
    AlreadyInstalled,
    /// The database file could not be opened.
    #[error("cannot open the database `{}`: {reason}", path.display())]
    Open {
        /// The file that was to be opened.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// The file is no SQLite database.
    #[error("`{}` is not an SQLite database; it was left as it is, so give another path", path.display())]
    NotADatabase {
        /// The file that was to be opened.
        path: PathBuf,
    },
    /// The file or its folder cannot be written to.
    #[error("the database `{}` is read-only: give this process write access to the file and its folder", path.display())]
    ReadOnly {
        /// The file that was to be opened.
        path: PathBuf,
    },
    /// A newer build has migrated the store.
    #[error(
        "the store has schema {found} and this build knows up to {known}: deploy a newer build of the application"
    )]
    SchemaTooNew {
        /// The version found in the store.
        found: i64,
        /// The newest version this build knows.
        known: i64,
    },
    /// A file of the store is another one than was opened, or gone.
    #[error(
        "`{}` was replaced or deleted while it was open, and what is written to it would be lost: nothing is; see what is there now, and start this process again",
        path.display()
    )]
    FileReplaced {
        /// The database, or its `-wal` or lock file.
        path: PathBuf,
    },
    /// Somebody else held the database's write lock for too long.
    #[error("the database was locked for {waited:?} by {}: look there for a transaction that stays open", called(holder.as_ref()))]
    Busy {
        /// How long the call waited.
        waited: Duration,
        /// Who held the lock, where the system tells: on Linux, and in the same container.
        holder: Option<LockHolder>,
    },
    /// As many runs of the queue wait as it may have; nothing was stored. A web server answers 503.
    #[error(
        "the queue `{queue}` is full: {limit} runs may wait in it, and there was no room for another for {waited:.0?}; try again later"
    )]
    QueueFull {
        /// The queue.
        queue: String,
        /// How many may wait.
        limit: u64,
        /// How long the call waited.
        waited: Duration,
    },
    /// The disk is full; nothing was stored.
    #[error("the disk is full: nothing was stored, free some space and try again")]
    DiskFull,
    /// The commit failed in a way that leaves its outcome open.
    #[error(
        "the commit failed and its outcome is unknown: the run may or may not be stored; enqueue with `unique` where that matters"
    )]
    Unknown(#[source] rusqlite::Error),
    /// The store failed in another way.
    #[error("the store failed")]
    Store(#[source] rusqlite::Error),
    /// The worker has stopped, and the store did not take its last words in time. Others take its runs back once
    /// this process has ended, and execute them again.
    #[error(
        "the worker has stopped, and its store did not answer in time: {runs} of its runs are taken back by others when this process has ended; \
         is the database locked, or the disk full?"
    )]
    Unwritten {
        /// Attempts whose ends are not stored.
        runs: usize,
    },
    /// Others can write to the folder in which processes wake each other, or it belongs to somebody else.
    #[error("the folder for wake-ups `{}` cannot be trusted: {reason}", path.display())]
    WakeFolder {
        /// The folder.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// The Tokio runtime lacks what a worker needs.
    #[error(
        "a worker needs timers and I/O, and this Tokio runtime has no {what}: build it with `enable_all()`"
    )]
    Runtime {
        /// What is missing.
        what: &'static str,
    },
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
    /// An argument could not be encoded, or not decoded again.
    #[error("job `{job}`: its arguments cannot be stored: {reason}")]
    Encode {
        /// The job's stored name.
        job: &'static str,
        /// What is wrong and what to do.
        reason: String,
    },
    /// What was to be stored with the run is too large; nothing was stored.
    #[error("job `{job}`: {what} of {size} bytes: at most {limit} are stored; {advice}")]
    TooLarge {
        /// The job's stored name.
        job: String,
        /// What is too large.
        what: &'static str,
        /// How large it is, in bytes.
        size: usize,
        /// How large it may be, in bytes.
        limit: usize,
        /// What to do.
        advice: &'static str,
    },
    /// The run's result does not decode as the type that was asked for.
    #[error("the result of run {id} does not decode as `{wanted}`: {reason}")]
    Decode {
        /// The run.
        id: RunId,
        /// The type that was asked for.
        wanted: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The run's arguments do not fit this build; it is kept until a build that knows them comes along.
    #[error("run {id} is parked as incompatible: {reason}")]
    Incompatible {
        /// The run.
        id: RunId,
        /// What does not fit.
        reason: String,
    },
    /// The run failed for good.
    #[error("{0}")]
    Failed(Box<Failure>),
    /// The run was cancelled.
    #[error("run {id} was cancelled: {reason}")]
    Cancelled {
        /// The run.
        id: RunId,
        /// Why.
        reason: String,
    },
    /// There is no such run, or it was deleted after the time its job keeps finished runs.
    #[error(
        "run {id} is gone: it never existed, or it finished and its time to be kept (`keep`) is over"
    )]
    Gone {
        /// The run.
        id: RunId,
    },
    /// The handle belongs to another job.
    #[error("run {id} is a run of `{found}`, not of `{expected}`")]
    WrongJob {
        /// The run.
        id: RunId,
        /// The job whose handle was asked for.
        expected: &'static str,
        /// The job that the store names.
        found: String,
    },
    /// No job is linked into the program.
    #[error(
        "no job is linked into this program: name the crate that holds them (`use my_jobs as _;`), or list them with `.jobs([my_jobs::send_email::JOB])`"
    )]
    NoJobs,
    /// Two jobs have the same stored name.
    #[error(
        "two jobs are called `{name}`: {first} and {second}; give one of them `#[job(name = \"..\")]`"
    )]
    DuplicateJob {
        /// The name.
        name: String,
        /// `file:line` of the first.
        first: String,
        /// `file:line` of the second.
        second: String,
    },
    /// A job asks for a state that nobody provided.
    #[error(
        "job `{job}` asks for `#[state] {state}` and the worker has none: add `.state(value)` or `.shared::<{state}>(arc)` to the worker's builder"
    )]
    MissingState {
        /// The job.
        job: &'static str,
        /// The type of the state.
        state: &'static str,
    },
    /// A schedule that cannot be run.
    #[error("schedule `{schedule}`: {reason}")]
    Schedule {
        /// Its name; of a job's own schedule the job's.
        schedule: String,
        /// What is wrong and what to do.
        reason: String,
    },
    /// There is no schedule of this name.
    #[error("there is no schedule `{name}`: `client.schedules()` lists those there are")]
    NoSchedule {
        /// The name that was asked for.
        name: String,
    },
    /// A setting of the worker or the client is out of range.
    #[error("{setting}: {reason}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// What is wrong and what to do.
        reason: String,
    },
    /// A thread or a signal handler could not be set up.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system answered.
        #[source]
        source: std::io::Error,
    },
}

impl Error {
    /// Whether the same call may succeed later without a change to the program: a locked database, a full disk or a full
    /// queue.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Busy { .. } | Self::DiskFull | Self::QueueFull { .. }
        )
    }

    /// Whether the store will not take anything any more, however often it is tried.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::Closed | Self::FileReplaced { .. })
    }

    /// Whether the run may have been stored although the call failed. Enqueue it again only with
    /// [`unique`](crate::Prepared::unique), or where twice does no harm.
    ///
    /// ```
    /// use afterhours::Error;
    ///
    /// assert!(!Error::DiskFull.is_unknown()); // nothing was stored
    /// ```
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }

    /// Whether there is no such run, or none any more.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # use afterhours::{Client, job};
    /// # #[job] async fn send_email(user_id: u64) {}
    /// # let client = Client::open_in_memory().await?;
    /// let run = send_email::handle("42".parse()?).on(&client);
    /// assert!(run.status().await.unwrap_err().is_gone());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Gone { .. })
    }

    /// The failure with its attempts, when the run failed for good. [`Failure`] shows it in use.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) => Some(failure),
            _ => None,
        }
    }
}

/// The process that holds a database's write lock: in [`Error::Busy`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
/// # use afterhours::{Client, Error, job, rusqlite::Connection};
/// # use std::time::Duration;
/// # #[job] async fn send_email(user_id: u64) {}
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("jobs.db");
/// let client = Client::builder(&path).busy_timeout(Duration::from_millis(50)).open().await?;
/// let other = Connection::open(&path)?;
/// other.execute_batch("BEGIN IMMEDIATE")?;
///
/// let error = client.enqueue(send_email::prepare(42)).await.unwrap_err();
/// assert!(error.is_retryable());
/// if let Error::Busy { holder: Some(holder), .. } = error {
///     assert_eq!(holder.pid, std::process::id());
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockHolder {
    /// Its number.
    pub pid: u32,
    /// What the system calls it, if it tells.
    pub name: String,
}

fn called(holder: Option<&LockHolder>) -> String {
    match holder {
        None => "another process".to_owned(),
        Some(holder) if holder.pid == std::process::id() => {
            "another connection of this process".to_owned()
        }
        Some(LockHolder { pid, name }) => format!("process {pid} ({name})"),
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        let is_full = match &error {
            // On a file system in memory the shared part of the WAL is what first finds no room.
            rusqlite::Error::SqliteFailure(code, _) => {
                code.code == rusqlite::ErrorCode::DiskFull
                    || code.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE
            }
            _ => false,
        };
        if is_full {
            Self::DiskFull
        } else {
            Self::Store(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Error;

    fn of(code: i32) -> Error {
        rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None).into()
    }

    #[test]
    fn a_full_disk_is_recognised_wherever_it_is_met() {
        use rusqlite::ffi::{SQLITE_FULL, SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_WRITE};
        assert!(matches!(of(SQLITE_FULL), Error::DiskFull));
        assert!(matches!(of(SQLITE_IOERR_SHMSIZE), Error::DiskFull));
        assert!(matches!(of(SQLITE_IOERR_WRITE), Error::Store(_)));
    }
}
