//! Background jobs from one SQLite file: put [`#[job]`](macro@job) on a function and get typed enqueue functions,
//! schedules, retries, timeouts and crash-safe execution, with no server to run.
//!
//! ```standalone_crate
//! use afterhours::{Client, Result, Worker, job};
//!
//! #[job]
//! async fn count_words(text: &str) -> Result<usize> {
//!     Ok(text.split_whitespace().count())
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result {
//! #   let folder = tempfile::tempdir()?;
//! #   std::env::set_current_dir(&folder)?;
//!     let client = Client::open("jobs.db").await?; // creates and migrates the file
//!     client.install()?; // the default for `perform_*`
//!     let worker = Worker::builder(client).build()?.start().await?;
//!
//!     let run = count_words::perform_async("to be or not to be").await?;
//!     assert_eq!(run.join().await?, 6);
//!
//!     worker.stop().await // or `until_signal()`, in a service
//! }
//! ```

mod blocking;
mod bounds;
mod call;
mod client;
mod clock;
mod codec;
mod config;
mod context;
mod control;
mod error;
mod failpoint;
mod handle;
mod heap;
mod hooks;
mod job;
mod job_error;
mod joiners;
mod liveness;
mod options;
mod panics;
mod pending;
mod perform;
mod place;
mod progress;
mod readers;
mod registry;
mod retry;
mod run;
mod runs;
mod schedules;
mod sizes;
mod slot;
mod states;
mod stats;
mod store;
mod ticks;
mod wake;
mod worker;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use afterhours_macros::{job, jobs};
pub use afterhours_schedule as schedule;
pub use rusqlite;

pub use call::OldArgs;
pub use client::Client;
pub use codec::DecodeError;
pub use config::{ClientBuilder, Durability};
pub use context::Context;
pub use error::{Error, LockHolder};
pub use handle::Handle;
pub use hooks::{AttemptFuture, Ended, Enqueue, ErrorReport, Hook};
pub use job::{Job, Missed, Overlap};
pub use job_error::{Control, JobError, Result};
pub use pending::Pending;
pub use perform::{Perform, Prepared};
pub use progress::Progress;
pub use retry::Backoff;
pub use run::{
    AttemptOutcome, AttemptRecord, Failure, ParseRunIdError, RunId, State as RunState, Status,
};
pub use runs::{Cursor, ParseCursorError, Run, RunFilter, RunPage};
pub use schedules::{NewSchedule, Schedule, ScheduleState};
pub use stats::{QueueStats, Stats};
pub use worker::{RunningWorker, Worker, WorkerBuilder};

/// Compiles and runs the code blocks of the README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// And those of the guide.
#[cfg(all(doctest, feature = "testing"))]
mod guide {
    #[doc = include_str!("../../docs/testing.md")]
    struct Testing;
    #[doc = include_str!("../../docs/get-started.md")]
    struct GetStarted;
    #[doc = include_str!("../../docs/writing-jobs.md")]
    struct WritingJobs;
    #[doc = include_str!("../../docs/schedules.md")]
    struct Schedules;
    #[doc = include_str!("../../docs/deploying.md")]
    struct Deploying;
    #[doc = include_str!("../../docs/operating.md")]
    struct Operating;
    #[doc = include_str!("../../docs/from-sidekiq.md")]
    struct FromSidekiq;
}
