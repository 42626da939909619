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
//!
//! # A job is a function
//!
//! [`#[job]`](macro@job) leaves the function as it is, and puts an enum of its name beside it that enqueues:
//! `count_words::perform_async(text)` now, `perform_in(delay, text)` later, `perform_at(time, text)` at a time, and
//! `prepare(text)` with settings, a [`Prepared`]. All of them take the function's own arguments and give a [`Handle`] of its
//! result: [`join`](Handle::join) waits for it, [`status`](Handle::status) and [`progress`](Handle::progress) look,
//! [`cancel`](Handle::cancel) calls it off. [`#[jobs]`](macro@jobs) does the same for methods.
//!
//! A parameter `ctx: &Context` gets the attempt's [`Context`]; one marked `#[state]` gets what the worker was given with
//! [`state`](WorkerBuilder::state).
//!
//! # Errors decide what follows
//!
//! ```
//! use afterhours::{Context, JobError, Result, job};
//! use std::time::Duration;
//!
//! #[job(retry = 5, retry_delay = 10, backoff = "exponential", timeout = 30)]
//! async fn import(ctx: &Context, url: &str) -> Result<u64> {
//!     if !url.starts_with("https://") {
//!         return Err(JobError::discard("only https is imported")); // no more attempts
//!     }
//!     if ctx.attempt() > 3 {
//!         return Err(JobError::retry_in(Duration::from_secs(3600), "still down"));
//!     }
//!     Ok(url.len() as u64) // any other error, by `?`, is retried by the policy
//! }
//! ```
//!
//! # On time
//!
//! `#[job(every = 60)]` and `#[job(cron = "0 3 * * *", timezone = "Europe/Paris")]` are checked when they compile. Over all
//! workers of a store a tick enqueues one run. [`Client::schedule`] adds schedules while the program runs.
//!
//! # Several processes
//!
//! All processes that open the file share its runs, and wake each other: [`Client`] puts runs in, [`Worker`] executes them,
//! in the same process or in others on the machine. The runs of one that is killed start again elsewhere within a second.
//! [`Prepared::enqueue_with`] stores a run in the application's own transaction on the file.
//!
//! # What is going on
//!
//! [`Client::runs`] lists runs by state, job, queue, tag or error, [`Client::stats`] counts them; [`Client::retry`],
//! [`cancel`](Client::cancel), [`discard`](Client::discard) and [`pause_queue`](Client::pause_queue) decide about them.
//! [`WorkerCounters`] are what every worker of the machine has counted. [`Hook`]s see every enqueue and every attempt, [`WorkerBuilder::on_error`] hears of failures, and everything speaks
//! through `tracing`, target `afterhours`.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `testing` | no | for `[dev-dependencies]`: `testing::Sandbox`, a store of a test's own in which time passes when the test says so, and `assert_enqueued!` |
//!
//! The guide is in the repository's `docs` folder.

mod admit;
mod blocking;
mod bounds;
mod call;
mod client;
mod clock;
mod codec;
mod config;
mod context;
mod control;
mod counters;
mod error;
mod failpoint;
mod gate;
mod handle;
mod heap;
mod hooks;
mod job;
mod job_error;
mod joiners;
mod liveness;
mod metrics;
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
pub use counters::WorkerCounters;
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
