//! A store of a test's own, whose clock moves when it is told to and whose runs are executed when they are asked for.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::runtime::Runtime;

use super::current::{self, Entered};
use crate::client::Client;
use crate::clock::{Clock, ManualClock, Millis, from_millis, until};
use crate::error::Error;
use crate::hooks::{Hook, Hooks};
use crate::job::Job;
use crate::run::RunId;
use crate::runs::Run;
use crate::store::Ending;
use crate::worker::Worker;
use crate::worker::inline::{Ended, Inline};

/// A store in memory for one test. While it is there, `perform_*` enqueues into it: on the thread that has opened it, and
/// in all tasks and blocking threads of the runtime that this thread was in. Tests that run beside it have their own.
///
/// Nothing is executed, and no time passes, until the test says so.
///
/// ```
/// use afterhours::testing::{Outcome, Sandbox};
/// use afterhours::{Result, job};
/// use std::time::Duration;
///
/// #[job(retry = 2, retry_delay = 60, backoff = "fixed")]
/// async fn send_email(user_id: u64, template: &str) -> Result {
///     Ok(())
/// }
///
/// async fn sign_up(user_id: u64) -> Result {
///     send_email::perform_in(Duration::from_secs(300), user_id, "welcome").await?;
///     Ok(())
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result {
/// let sandbox = Sandbox::open().await?;
/// sign_up(42).await?;
/// assert!(sandbox.drain().await?.is_empty()); // not yet
///
/// sandbox.fail_next(send_email::JOB, 3, "connection refused");
/// let attempts = sandbox.advance(Duration::from_secs(420)).await?;
/// assert_eq!(attempts.len(), 3);
/// assert!(matches!(&attempts[2].outcome, Outcome::Failed { error } if error == "connection refused"));
/// # Ok(()) }
/// ```
pub struct Sandbox {
    client: Client,
    clock: Arc<ManualClock>,
    inline: Arc<Inline>,
    failures: Arc<crate::worker::inline::Failures>,
    /// Of a test that has none.
    runtime: Option<Runtime>,
    _entered: Entered,
}

/// An attempt that [`Sandbox::drain`] or [`Sandbox::advance`] has executed.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
/// # use afterhours::{job, testing::{Outcome, Sandbox}};
/// # #[job(queue = "mail")] async fn send_email(user_id: u64) {}
/// let sandbox = Sandbox::open().await?;
/// let run = send_email::perform_async(42).await?;
///
/// let attempt = &sandbox.drain().await?[0];
/// assert_eq!((attempt.id, attempt.attempt), (run.id(), 1));
/// assert_eq!((attempt.queue.as_str(), &attempt.outcome), ("mail", &Outcome::Done));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Executed {
    /// The run.
    pub id: RunId,
    /// Its job's stored name.
    pub job: String,
    /// The queue that it waited in.
    pub queue: String,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of an attempt. [`Sandbox`] and [`Executed`] show it in use.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It succeeded.
    Done,
    /// It did not succeed, and another attempt follows.
    Retried {
        /// What was wrong.
        error: String,
        /// After so much time.
        after: Duration,
    },
    /// It did not succeed, and none follows.
    Failed {
        /// What was wrong.
        error: String,
    },
    /// The job wants to be asked again.
    Snoozed {
        /// After so much time.
        after: Duration,
    },
    /// The job, or somebody else, has cancelled the run.
    Cancelled {
        /// Why.
        reason: String,
    },
    /// The arguments did not fit, and the run is parked.
    Incompatible {
        /// What does not fit.
        reason: String,
    },
    /// It was given back.
    Released,
}

impl Sandbox {
    /// A sandbox for all jobs that are linked into the test. For states, fewer jobs and more, see [`Sandbox::builder`].
    ///
    /// # Errors
    /// If no job is linked in, or one cannot be executed.
    pub async fn open() -> Result<Self, Error> {
        Self::builder().open().await
    }

    /// Settings for a sandbox. [`SandboxBuilder`] shows them in use.
    pub fn builder() -> SandboxBuilder {
        SandboxBuilder::default()
    }

    /// The client of the sandbox's store.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # use afterhours::{job, testing::Sandbox};
    /// # #[job] async fn double(n: u64) -> afterhours::Result<u64> { Ok(n * 2) }
    /// let sandbox = Sandbox::open().await?;
    /// let run = sandbox.client().enqueue(double::prepare(21)).await?;
    /// sandbox.drain().await?;
    /// assert_eq!(run.join().await?, 42);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The sandbox's clock, for tests in which somebody sets the wall clock. To let time pass, use
    /// [`Sandbox::advance`]: it stops wherever something is due.
    #[must_use]
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// What the wall clock shows.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # use afterhours::{job, testing::Sandbox};
    /// # use std::time::Duration;
    /// # #[job] async fn send_email(user_id: u64) {}
    /// let sandbox = Sandbox::open().await?;
    /// let before = sandbox.now();
    /// sandbox.advance(Duration::from_secs(3600)).await?;
    /// assert_eq!(sandbox.now(), before + Duration::from_secs(3600));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn now(&self) -> SystemTime {
        from_millis(self.clock.wall())
    }

    /// Executes every run that is due, one at a time and in the order of a worker, and what they enqueue; returns all
    /// attempts. While one waits for others, as by [`Handle::join`](crate::Handle::join), these are executed.
    ///
    /// An attempt that hangs has its timeout: by the runtime's clock, so in a test with `#[tokio::test(start_paused =
    /// true)]` it comes at once. The sandbox's clock then moves by as much.
    ///
    /// # Errors
    /// [`Error::MissingState`] if a run is due whose job needs a state that the sandbox was not given; or if the store
    /// fails. That jobs fail is no error: it is in what is returned.
    pub async fn drain(&self) -> Result<Vec<Executed>, Error> {
        Ok(executed(self.inline.drain().await?))
    }

    /// Lets time pass, to the millisecond, and executes on the way what becomes due: delays, retries, ticks of
    /// schedules, each at its moment.
    ///
    /// # Errors
    /// As [`Sandbox::drain`].
    pub async fn advance(&self, time: Duration) -> Result<Vec<Executed>, Error> {
        Ok(executed(self.inline.advance(time).await?))
    }

    /// As [`Sandbox::drain`], in a plain `#[test]`. [`SandboxBuilder::open_blocking`] shows it in use.
    ///
    /// # Errors
    /// As [`Sandbox::drain`], or if the sandbox was not opened with [`SandboxBuilder::open_blocking`].
    pub fn drain_blocking(&self) -> Result<Vec<Executed>, Error> {
        self.runtime()?.block_on(self.drain())
    }

    /// As [`Sandbox::advance`], in a plain `#[test]`. [`SandboxBuilder::open_blocking`] shows it in use.
    ///
    /// # Errors
    /// As [`Sandbox::drain_blocking`].
    pub fn advance_blocking(&self, time: Duration) -> Result<Vec<Executed>, Error> {
        self.runtime()?.block_on(self.advance(time))
    }

    /// Lets the next attempts of a job fail with this error, without executing it. [`Sandbox`] shows it in use.
    pub fn fail_next(&self, job: Job, attempts: u32, error: impl Into<String>) {
        self.failures.set(job.name(), attempts, error.into());
    }

    /// The runs that wait, in the order in which they were enqueued.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # use afterhours::{job, testing::Sandbox};
    /// # #[job] async fn send_email(user_id: u64) {}
    /// let sandbox = Sandbox::open().await?;
    /// send_email::perform_async(42).await?;
    /// let waiting = sandbox.enqueued()?;
    /// assert_eq!(waiting.len(), 1);
    /// assert_eq!(waiting[0].arguments.as_deref(), Some("user_id: 42"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If the store fails.
    pub fn enqueued(&self) -> Result<Vec<Run>, Error> {
        current::waiting(&self.client).map(|runs| runs.into_iter().map(|(run, _)| run).collect())
    }

    fn runtime(&self) -> Result<&Runtime, Error> {
        self.runtime.as_ref().ok_or_else(|| Error::Setting {
            setting: "sandbox",
            reason: "it belongs to a runtime, where waiting would block: use the methods that are awaited".to_owned(),
        })
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox")
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}

fn executed(ended: Vec<Ended>) -> Vec<Executed> {
    ended.into_iter().map(Executed::new).collect()
}

impl Executed {
    fn new(
        Ended {
            run,
            settlement,
            at,
        }: Ended,
    ) -> Self {
        Self {
            id: run.id,
            job: run.kind.job.clone().into_owned(),
            queue: run.kind.queue.clone().into_owned(),
            attempt: run.attempt,
            outcome: Outcome::new(settlement.ending, at),
        }
    }
}

impl Outcome {
    fn new(ending: Ending, at: Millis) -> Self {
        match ending {
            Ending::Done { .. } => Self::Done,
            Ending::Failed { error, .. } => Self::Failed { error },
            Ending::Cancelled { reason, .. } => Self::Cancelled { reason },
            Ending::Retry { error, due, .. } => Self::Retried {
                error,
                after: until(due, at),
            },
            Ending::Snooze { due } => Self::Snoozed {
                after: until(due, at),
            },
            Ending::Release => Self::Released,
            Ending::Park { reason } => Self::Incompatible { reason },
        }
    }
}

/// Settings for a [`Sandbox`].
///
/// ```standalone_crate
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
/// use afterhours::testing::Sandbox;
/// use afterhours::{Result, job};
/// use std::time::Duration;
///
/// struct Mailer;
///
/// #[job(cron = "0 3 * * *")]
/// async fn report(#[state] _mailer: &Mailer) -> Result {
///     Ok(())
/// }
///
/// let sandbox = Sandbox::builder().jobs([report::JOB]).state(Mailer).schedules().open().await?;
/// let attempts = sandbox.advance(Duration::from_secs(7 * 24 * 60 * 60)).await?;
/// assert_eq!(attempts.len(), 7);
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use]
pub struct SandboxBuilder {
    jobs: Option<Vec<Job>>,
    states: crate::states::States,
    starts_at: SystemTime,
    has_schedules: bool,
    is_inline: bool,
    hooks: Hooks,
}

impl Default for SandboxBuilder {
    fn default() -> Self {
        Self {
            jobs: None,
            states: crate::states::States::default(),
            starts_at: from_millis(START),
            has_schedules: false,
            is_inline: false,
            hooks: Hooks::default(),
        }
    }
}

/// 2026-01-01 00:00:00 UTC.
const START: Millis = 1_767_225_600_000;

impl SandboxBuilder {
    /// Only these jobs. Default: all that are linked into the test.
    pub fn jobs(mut self, jobs: impl IntoIterator<Item = Job>) -> Self {
        self.jobs = Some(jobs.into_iter().collect());
        self
    }

    /// Provides a state, as [`WorkerBuilder::state`](crate::WorkerBuilder::state) does.
    pub fn state<T: Send + Sync + 'static>(self, state: T) -> Self {
        self.shared(Arc::new(state))
    }

    /// Provides a state, as [`WorkerBuilder::shared`](crate::WorkerBuilder::shared) does, which shows it in use.
    pub fn shared<T: ?Sized + Send + Sync + 'static>(mut self, state: Arc<T>) -> Self {
        self.states.add(state);
        self
    }

    /// What the wall clock shows at first, to the millisecond. Default: 2026-01-01 00:00:00 UTC.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # use afterhours::{job, testing::Sandbox};
    /// # use std::time::SystemTime;
    /// # #[job] async fn send_email(user_id: u64) {}
    /// let sandbox = Sandbox::builder().starting_at(SystemTime::UNIX_EPOCH).open().await?;
    /// assert_eq!(sandbox.now(), SystemTime::UNIX_EPOCH);
    /// # Ok(()) }
    /// ```
    pub fn starting_at(mut self, time: impl Into<SystemTime>) -> Self {
        self.starts_at = time.into();
        self
    }

    /// Fires the schedules that the jobs' attributes say too; an `every` ticks for the first time at once. Default: no,
    /// so that they do not disturb tests of other jobs. Those that are added with [`Client::schedule`] are always fired.
    pub fn schedules(mut self) -> Self {
        self.has_schedules = true;
        self
    }

    /// Executes what is due as soon as something is enqueued, before `perform_*` returns. Runs that an attempt enqueues
    /// follow when the attempt has ended or waits for one of them. Default: no. What is enqueued with
    /// `enqueue_blocking` or `enqueue_with` waits for [`Sandbox::drain`] all the same.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # use afterhours::{job, testing::Sandbox};
    /// # #[job] async fn send_email(user_id: u64) {}
    /// let sandbox = Sandbox::builder().inline().open().await?;
    /// let run = send_email::perform_async(42).await?;
    /// assert!(run.status().await?.is_finished());
    /// # Ok(()) }
    /// ```
    pub fn inline(mut self) -> Self {
        self.is_inline = true;
        self
    }

    /// Adds a hook, as [`ClientBuilder::hook`](crate::ClientBuilder::hook) does.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # use afterhours::{Enqueue, Hook, job, testing::Sandbox};
    /// # struct Tenant;
    /// # impl Hook for Tenant {
    /// #     fn enqueue(&self, run: &mut Enqueue<'_>) { run.set("tenant", "acme"); }
    /// # }
    /// # #[job] async fn send_email(user_id: u64) {}
    /// let sandbox = Sandbox::builder().hook(Tenant).open().await?;
    /// send_email::perform_async(42).await?;
    /// assert_eq!(sandbox.enqueued()?[0].metadata["tenant"], "acme");
    /// # Ok(()) }
    /// ```
    pub fn hook(mut self, hook: impl Hook) -> Self {
        self.hooks.add(hook);
        self
    }

    /// Opens the sandbox.
    ///
    /// # Errors
    /// If no job is linked in, or two have one name.
    pub async fn open(self) -> Result<Sandbox, Error> {
        let clock = ManualClock::starting_at(self.starts_at);
        let client = Client::open_sandbox(Clock::Manual(Arc::clone(&clock)), self.hooks)?;
        let mut builder =
            Worker::builder(client.clone()).in_sandbox(self.states, self.has_schedules);
        if let Some(jobs) = self.jobs {
            builder = builder.jobs(jobs);
        }
        let worker = builder.build()?;
        let failures = worker.failures();
        let inline = Arc::new(Inline::start(worker, Arc::clone(&clock)).await?);
        if self.is_inline {
            client.execute_inline(&inline);
        }
        Ok(Sandbox {
            _entered: current::enter(&client),
            client,
            clock,
            inline,
            failures,
            runtime: None,
        })
    }

    /// Opens a sandbox for a plain `#[test]`.
    ///
    /// ```
    /// # fn main() -> afterhours::Result {
    /// # use afterhours::{job, testing::Sandbox};
    /// # use std::time::Duration;
    /// # #[job] async fn send_email(user_id: u64) {}
    /// let sandbox = Sandbox::builder().open_blocking()?;
    /// send_email::prepare(42).enqueue_blocking()?;
    /// send_email::prepare(43).delay(Duration::from_secs(60)).enqueue_blocking()?;
    /// assert_eq!(sandbox.drain_blocking()?.len(), 1);
    /// assert_eq!(sandbox.advance_blocking(Duration::from_secs(60))?.len(), 1);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`SandboxBuilder::open`], or if no runtime can be made.
    pub fn open_blocking(self) -> Result<Sandbox, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| Error::Io {
                what: "no runtime could be made".to_owned(),
                source,
            })?;
        let mut sandbox = runtime.block_on(self.open())?;
        sandbox.runtime = Some(runtime);
        Ok(sandbox)
    }
}
