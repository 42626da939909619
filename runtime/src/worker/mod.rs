//! The process that executes: claims runs, fires schedules, looks after the store, and stops in good order.

mod agenda;
mod ahead;
mod builder;
mod claimer;
mod counting;
mod execute;
#[cfg(feature = "testing")]
pub(crate) mod inline;
mod listener;
mod looker;
mod maintain;
mod pruner;
mod pulse;
mod reporter;
mod rescuer;
mod schedule;
mod scheduler;
mod settler;
mod shared;
mod shutdown;
mod stillness;

pub use builder::WorkerBuilder;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::client::Client;
use crate::error::Error;
use crate::job_error::Result;

use shared::{Phase, Plan, Shared};
use shutdown::Rest;

/// A worker that is ready to run: [`Worker::builder`] checks everything that can be checked before it starts.
///
/// ```no_run
/// # async fn example() -> afterhours::Result {
/// use afterhours::{Client, Worker};
///
/// let client = Client::open("jobs.db").await?;
/// Worker::builder(client).concurrency(16).build()?.run().await // until SIGINT or SIGTERM
/// # }
/// ```
#[must_use = "a worker does nothing until it is run or started"]
pub struct Worker(Plan);

impl Worker {
    /// A worker for the runs in this client's store. [`WorkerBuilder`] shows its settings.
    pub fn builder(client: Client) -> WorkerBuilder {
        WorkerBuilder::new(client)
    }

    /// A worker without a store: it fires the schedules of its jobs' attributes and executes them in this process.
    ///
    /// Nothing else is needed, and nothing is remembered: what is missed while the process is down is missed, a run
    /// that it leaves behind is gone, and an attempt that enqueues needs an installed client. Of several such
    /// processes each fires its own share, as [`WorkerBuilder::index`] says: a schedule belongs to worker
    /// `crc32(name) % total + 1`, or to the one that its `worker` option names. Nobody takes over when that one is
    /// down; for that, give the workers a store.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// use afterhours::{Result, Worker, job};
    ///
    /// #[job(every = 60)]
    /// async fn tidy_up() -> Result {
    ///     Ok(())
    /// }
    ///
    /// let worker = Worker::schedules_only().jobs([tidy_up::JOB]).build()?.start().await?;
    /// worker.stop().await // in a service: `worker.until_signal().await`
    /// # }
    /// ```
    pub fn schedules_only() -> WorkerBuilder {
        WorkerBuilder::schedules_only()
    }

    /// Runs until SIGINT or SIGTERM arrives, then stops as [`RunningWorker::stop`] does. A second signal ends the
    /// process at once.
    ///
    /// # Errors
    /// As [`Worker::start`], or if signals cannot be handled.
    pub async fn run(self) -> Result {
        self.start().await?.until_signal().await
    }

    /// Runs until `end` is ready, then stops as [`RunningWorker::stop`] does.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # use afterhours::{Client, Worker, job};
    /// # #[job] async fn send_email(user_id: u64) {}
    /// # let client = Client::open_in_memory().await?;
    /// let run = client.enqueue(send_email::prepare(42)).await?;
    /// Worker::builder(client).jobs([send_email::JOB]).build()?.run_until(run.join()).await
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Worker::start`].
    pub async fn run_until(self, end: impl Future) -> Result {
        let running = self.start().await?;
        tokio::select! {
            _ = end => {}
            () = running.has_failed() => {}
        }
        running.stop().await
    }

    /// Starts in the background. The runtime must have timers and I/O, as by `enable_all()`. [`RunningWorker`] shows it
    /// in use.
    ///
    /// # Errors
    /// If the worker cannot be registered in the store, or others can write to the folder beside it in which processes
    /// wake each other. [`Error::Runtime`] if the runtime has no timers or no I/O.
    pub async fn start(self) -> Result<RunningWorker, Error> {
        check_runtime()?;
        let shared = Shared::register(self.0).await?;
        let ear = listener::open(&shared);
        let listener = tokio::spawn(listener::run(Arc::clone(&shared), ear));
        let claimer = tokio::spawn(claimer::run(Arc::clone(&shared)));
        let settler = tokio::spawn(settler::run(Arc::clone(&shared)));
        let services = vec![
            tokio::spawn(scheduler::run(Arc::clone(&shared))),
            tokio::spawn(maintain::run(Arc::clone(&shared))),
            tokio::spawn(pruner::run(Arc::clone(&shared))),
            tokio::spawn(reporter::run(Arc::clone(&shared))),
        ];
        tracing::info!(target: "afterhours", worker = shared.id().0, concurrency = shared.concurrency(), "worker started");
        Ok(RunningWorker {
            running: Some(Running {
                shared,
                claimer,
                settler,
                services,
                listener,
            }),
        })
    }
}

#[cfg(feature = "testing")]
impl Worker {
    /// Where a test says which attempts fail.
    pub(crate) fn failures(&self) -> Arc<inline::Failures> {
        Arc::clone(&self.0.failures)
    }
}

/// Tokio tells only by a panic, which its hook prints too.
fn check_runtime() -> Result<(), Error> {
    let has = |what, ask: fn()| {
        let asked = std::panic::catch_unwind(ask);
        asked.map_err(|_| Error::Runtime { what })
    };
    has("timers", || drop(tokio::time::sleep(Duration::ZERO)))?;
    #[cfg(unix)]
    has("I/O", || drop(tokio::net::UnixDatagram::unbound()))?;
    Ok(())
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Worker").field(&self.0).finish()
    }
}

/// A worker at work in the background. Dropping it stops it gracefully, without waiting.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
/// # use afterhours::{Client, Worker, job};
/// # #[job] async fn double(n: u64) -> afterhours::Result<u64> { Ok(n * 2) }
/// # let client = Client::open_in_memory().await?;
/// let worker = Worker::builder(client.clone()).jobs([double::JOB]).build()?.start().await?;
/// assert_eq!(client.enqueue(double::prepare(21)).await?.join().await?, 42);
/// worker.stop().await // in a service: `worker.until_signal().await`
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropping it stops the worker"]
pub struct RunningWorker {
    /// Taken out by whoever stops it.
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    shared: Arc<Shared>,
    /// Ends after the last attempt.
    claimer: JoinHandle<()>,
    /// Ends when the last attempt's end is written.
    settler: JoinHandle<()>,
    /// End when the worker drains.
    services: Vec<JoinHandle<()>>,
    /// Aborted at the end: until then, calls are passed on and attempts can be cancelled.
    listener: JoinHandle<()>,
}

impl RunningWorker {
    /// Waits for SIGINT or SIGTERM, then stops. A second signal ends the process at once; its runs are then rescued
    /// by another worker, or by this one's successor. Five seconds after the grace period the process exits with 0
    /// from here if something still holds it up: a plain `fn` that does not end, or a database that somebody else has
    /// locked. What the store did not take any more is logged, and rescued too.
    ///
    /// ```no_run
    /// # async fn example(client: afterhours::Client) -> afterhours::Result {
    /// let worker = afterhours::Worker::builder(client).build()?.start().await?;
    /// // Here the service does what else it does.
    /// worker.until_signal().await
    /// # }
    /// ```
    ///
    /// # Errors
    /// If signals cannot be handled. [`Error::FileReplaced`] if a file of the store was replaced or deleted: the worker
    /// has then stopped by itself, without a signal.
    pub async fn until_signal(mut self) -> Result {
        let mut signals = shutdown::Signals::new()?;
        let has_failed = tokio::select! {
            () = signals.first() => false,
            () = self.has_failed() => true,
        };
        let Some(running) = self.running.take() else {
            return Ok(());
        };
        let rest = tokio::select! {
            biased;
            rest = shutdown::stop(running) => rest,
            code = signals.second() => std::process::exit(code),
        };
        if has_failed {
            return Ok(rest.map(drop)?);
        }
        if let Err(error) = &rest {
            tracing::error!(target: "afterhours", error = error as &dyn std::error::Error, "the worker could not say goodbye to its store");
        }
        if matches!(rest, Ok(Rest::Threads) | Err(Error::Unwritten { .. })) {
            // At the end of `main` the runtime would wait for them, deaf to further signals.
            std::process::exit(0);
        }
        Ok(())
    }

    /// Resolves when the worker has stopped by itself.
    async fn has_failed(&self) {
        match &self.running {
            // Before anybody has told it to stop, there is no other reason.
            Some(running) => running.shared.entered(Phase::Draining).await,
            None => std::future::pending().await,
        }
    }

    /// Stops claiming at once, lets running jobs go on for the grace period, then drops what is left and gives it
    /// back unused.
    ///
    /// # Errors
    /// If the store fails while the worker says goodbye, or does not answer within five seconds after the grace
    /// period ([`Error::Unwritten`]); its runs are then rescued later.
    pub async fn stop(mut self) -> Result {
        match self.running.take() {
            Some(running) => {
                shutdown::stop(running).await?;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Drop for RunningWorker {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.shared.drain();
            // Without a runtime its tasks are gone as well, and there is nothing left to wait for.
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(shutdown::stop(running));
            }
        }
    }
}
