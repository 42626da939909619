//! The settings of a worker, and the checks that need all of them.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Worker;
use super::schedule::Seat;
use super::scheduler::Own;
use super::shared::{Lanes, Plan};
use crate::client::Client;
use crate::clock::Clock;
use crate::error::Error;
use crate::hooks::{ErrorReport, OnError};
use crate::job::{Job, JobDef};
use crate::panics;
use crate::registry::Registry;
use crate::schedules;
use crate::states::States;

/// Settings for a [`Worker`]; made by [`Worker::builder`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
/// # use afterhours::{Client, Worker, job};
/// # use std::time::Duration;
/// struct Mailer;
///
/// #[job(queue = "mail")]
/// async fn send_email(#[state] _mailer: &Mailer, user_id: u64) {}
///
/// # let client = Client::open_in_memory().await?;
/// let worker = Worker::builder(client)
///     .queues(["mail", "default"])
///     .concurrency(16)
///     .jobs([send_email::JOB])
///     .state(Mailer)
///     .shutdown_grace(Duration::from_secs(30))
///     .build()?;
/// # Ok(()) }
/// ```
#[must_use]
pub struct WorkerBuilder {
    base: Base,
    lanes: Lanes,
    concurrency: usize,
    jobs: Option<Vec<Job>>,
    states: States,
    shutdown_grace: Duration,
    startup_jitter: Option<Duration>,
    index: Option<(u32, u32)>,
    on_error: Option<OnError>,
    /// It executes in a sandbox.
    #[cfg(feature = "testing")]
    sandbox: Option<InSandbox>,
}

/// What is different in a sandbox: a state may be missing until a job needs it.
#[cfg(feature = "testing")]
#[derive(Debug, Clone, Copy)]
struct InSandbox {
    has_schedules: bool,
}

/// What a worker takes its runs from.
#[derive(Debug)]
enum Base {
    Store(Client),
    /// Its own schedules, on this clock.
    Schedules(Clock),
}

/// Where a worker finds its place in the fleet when the builder is not told: `AFTERHOURS_WORKER=2/4`.
const INDEX_VARIABLE: &str = "AFTERHOURS_WORKER";

impl WorkerBuilder {
    pub(super) fn new(client: Client) -> Self {
        Self::on(Base::Store(client))
    }

    pub(super) fn schedules_only() -> Self {
        Self::on(Base::Schedules(Clock::System))
    }

    fn on(base: Base) -> Self {
        Self {
            base,
            lanes: Lanes::All,
            concurrency: 64,
            jobs: None,
            states: States::default(),
            shutdown_grace: Duration::from_secs(15),
            startup_jitter: None,
            index: None,
            on_error: None,
            #[cfg(feature = "testing")]
            sandbox: None,
        }
    }

    /// Only these queues, and in this order before priority. Default: all queues, by priority.
    pub fn queues(mut self, queues: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.lanes = Lanes::Only(queues.into_iter().map(Into::into).collect());
        self
    }

    /// No runs at all: this worker only fires schedules. Default: all queues.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # use afterhours::{Client, Worker, job};
    /// #[job(every = 60)]
    /// async fn sync_products() {}
    ///
    /// # let client = Client::open_in_memory().await?;
    /// let ticker = Worker::builder(client).jobs([sync_products::JOB]).no_queues().build()?.start().await?;
    /// ticker.stop().await
    /// # }
    /// ```
    pub fn no_queues(mut self) -> Self {
        self.lanes = Lanes::Only(Vec::new());
        self
    }

    /// How many attempts run at the same time, at least 1. Default: 64.
    pub fn concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency;
        self
    }

    /// This is worker `index` of `total`, from 1. Default: `AFTERHOURS_WORKER` (such as `2/4`), else 1 of 1.
    /// Each schedule has one worker that fires it, by the crc32 of the job's name; the others follow within a second
    /// if that one is gone. Runs are shared by all workers in any case.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # use afterhours::{Client, Error, Worker, job};
    /// # #[job] async fn send_email(user_id: u64) {}
    /// # let client = Client::open_in_memory().await?;
    /// let worker = |index| Worker::builder(client.clone()).jobs([send_email::JOB]).index(index, 4).build();
    /// assert!(worker(4).is_ok());
    /// assert!(matches!(worker(5), Err(Error::Setting { .. })));
    /// # Ok(()) }
    /// ```
    pub fn index(mut self, index: u32, total: u32) -> Self {
        self.index = Some((index, total));
        self
    }

    /// Only these jobs. Default: all that are linked into the program.
    pub fn jobs(mut self, jobs: impl IntoIterator<Item = Job>) -> Self {
        self.jobs = Some(jobs.into_iter().collect());
        self
    }

    /// Provides the state for jobs that ask for `#[state] x: &T`. A second one of the same type replaces the first.
    pub fn state<T: Send + Sync + 'static>(self, state: T) -> Self {
        self.shared(Arc::new(state))
    }

    /// As [`WorkerBuilder::state`], for what is shared already and for traits: `.shared::<dyn Mail>(mailer)`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # use afterhours::{Client, Worker, job};
    /// # use std::sync::Arc;
    /// trait Mail: Send + Sync {}
    /// struct Smtp;
    /// impl Mail for Smtp {}
    ///
    /// #[job]
    /// async fn send_email(#[state] _mail: &dyn Mail, user_id: u64) {}
    ///
    /// # let client = Client::open_in_memory().await?;
    /// let worker = Worker::builder(client).jobs([send_email::JOB]).shared::<dyn Mail>(Arc::new(Smtp)).build()?;
    /// # Ok(()) }
    /// ```
    pub fn shared<T: ?Sized + Send + Sync + 'static>(mut self, state: Arc<T>) -> Self {
        self.states.add(state);
        self
    }

    /// How long running jobs may go on after a stop. Default: 15 s.
    pub fn shutdown_grace(mut self, grace: Duration) -> Self {
        self.shutdown_grace = grace;
        self
    }

    /// The first ticks of `every` jobs are spread by chance over this time. Default: the interval, at most 5 s.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # use afterhours::{Client, Worker, job};
    /// # use std::time::Duration;
    /// # let (ticked, mut ticks) = tokio::sync::mpsc::unbounded_channel::<()>();
    /// # type Ticked = tokio::sync::mpsc::UnboundedSender<()>;
    /// #[job(every = "1h")]
    /// async fn sync_products(#[state] ticked: &Ticked) {
    ///     let _ = ticked.send(());
    /// }
    ///
    /// # let client = Client::open_in_memory().await?;
    /// let builder = Worker::builder(client).jobs([sync_products::JOB]).state(ticked);
    /// let worker = builder.startup_jitter(Duration::ZERO).build()?.start().await?;
    /// assert_eq!(ticks.recv().await, Some(())); // at once
    /// worker.stop().await
    /// # }
    /// ```
    pub fn startup_jitter(mut self, jitter: Duration) -> Self {
        self.startup_jitter = Some(jitter);
        self
    }

    /// Who hears of every attempt of this worker that did not succeed, such as a client of an error tracker. It is called
    /// on the attempt's task, before the end of the attempt is written down, so it must not block. That an attempt was
    /// snoozed, cancelled, given back or parked is no error.
    ///
    /// To know where a panic happened, this puts a hook in front of the panic hook that the process has at this moment.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # use afterhours::{Client, Worker, job};
    /// # #[job] async fn send_email(user_id: u64) {}
    /// # let client = Client::open_in_memory().await?;
    /// let worker = Worker::builder(client)
    ///     .jobs([send_email::JOB])
    ///     .on_error(|report| {
    ///         eprintln!("{} of {}: {}", report.context.id(), report.context.name(), report.errors.join(": "));
    ///     })
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    pub fn on_error(mut self, report: impl Fn(&ErrorReport<'_>) + Send + Sync + 'static) -> Self {
        panics::watch();
        self.on_error = Some(OnError::new(report));
        self
    }

    /// The clock of a worker without a store, for tests; any other has its client's. Default: the system's.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # use afterhours::{Worker, job, testing::ManualClock};
    /// # use std::sync::Arc;
    /// # use std::time::{Duration, SystemTime};
    /// # let (ticked, mut ticks) = tokio::sync::mpsc::unbounded_channel::<()>();
    /// # type Ticked = tokio::sync::mpsc::UnboundedSender<()>;
    /// #[job(cron = "@daily")]
    /// async fn report(#[state] ticked: &Ticked) {
    ///     let _ = ticked.send(());
    /// }
    ///
    /// let clock = ManualClock::starting_at(SystemTime::UNIX_EPOCH);
    /// let builder = Worker::schedules_only().jobs([report::JOB]).state(ticked);
    /// let worker = builder.clock(Arc::clone(&clock)).build()?.start().await?;
    /// while ticks.try_recv().is_err() {
    ///     clock.advance(Duration::from_secs(60 * 60)); // a day in no time
    ///     tokio::time::sleep(Duration::from_millis(5)).await;
    /// }
    /// worker.stop().await
    /// # }
    /// ```
    #[cfg(feature = "testing")]
    pub fn clock(mut self, clock: Arc<crate::clock::ManualClock>) -> Self {
        if let Base::Schedules(own) = &mut self.base {
            *own = Clock::Manual(clock);
        }
        self
    }

    /// For a sandbox, which executes one run at a time.
    #[cfg(feature = "testing")]
    pub(crate) fn in_sandbox(mut self, states: States, has_schedules: bool) -> Self {
        self.states = states;
        self.sandbox = Some(InSandbox { has_schedules });
        self.concurrency(1)
            .startup_jitter(Duration::ZERO)
            .index(1, 1)
    }

    /// Checks everything that can be checked before the worker starts.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # use afterhours::{Client, Error, Worker, job};
    /// # struct Mailer;
    /// # #[job] async fn send_email(#[state] _mailer: &Mailer, user_id: u64) {}
    /// # let client = Client::open_in_memory().await?;
    /// let without_mailer = Worker::builder(client).jobs([send_email::JOB]).build();
    /// assert!(matches!(without_mailer, Err(Error::MissingState { .. })));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If no job is linked in, two jobs have one name, a state is missing for a job this worker can run, a schedule
    /// cannot be read, or a setting is out of range.
    pub fn build(self) -> Result<Worker, Error> {
        let registry = match &self.jobs {
            Some(jobs) => Registry::listed(jobs)?,
            None => Registry::linked()?,
        };
        check_concurrency(self.concurrency)?;
        let seat = self.seat()?;
        let mut schedules = own_schedules(&registry, seat)?;
        if let Base::Schedules(_) = self.base {
            check_schedules_only(&self.lanes, &schedules)?;
            // Nobody is there to take over from it, so it must not take over from others.
            schedules.retain(|_, own| own.goes_first);
        }
        #[cfg(feature = "testing")]
        if self.sandbox.is_some_and(|sandbox| !sandbox.has_schedules) {
            schedules.clear();
        }
        if !self.is_lenient() {
            for job in registry.jobs().filter(|job| self.can_run(job, &schedules)) {
                check_states(job, &self.states)?;
            }
        }
        warn_of_unused_queues(&self.lanes, &registry);
        warn_of_abort();
        let client = match self.base {
            Base::Store(client) => client,
            Base::Schedules(clock) => Client::of_schedules(clock)?,
        };
        Ok(Worker(Plan {
            client,
            lanes: self.lanes,
            concurrency: self.concurrency,
            registry,
            states: Arc::new(self.states),
            schedules,
            seat,
            shutdown_grace: self.shutdown_grace,
            startup_jitter: self.startup_jitter,
            on_error: self.on_error,
            #[cfg(feature = "testing")]
            failures: Arc::default(),
            random: fastrand::f64,
        }))
    }
}

impl WorkerBuilder {
    /// Whether a missing state is an error only of the job that needs it.
    fn is_lenient(&self) -> bool {
        #[cfg(feature = "testing")]
        return self.sandbox.is_some();
        #[cfg(not(feature = "testing"))]
        false
    }

    /// Whether runs of this job can come to this worker.
    fn can_run(&self, job: &JobDef, own: &HashMap<String, Own>) -> bool {
        match self.base {
            Base::Store(_) => self.lanes.rank(job.queue).is_some(),
            Base::Schedules(_) => own.contains_key(job.name),
        }
    }

    /// This worker's place in the fleet, as the builder or the environment tells it.
    fn seat(&self) -> Result<Seat, Error> {
        let told = match self.index {
            Some(index) => Some(index),
            None => index_from_environment()?,
        };
        let (index, total) = told.unwrap_or((1, 1));
        if index == 0 || index > total {
            return Err(Error::Setting {
                setting: "worker index",
                reason: format!("there is no worker {index} of {total}: count from 1 to the total"),
            });
        }
        Ok(Seat { index, total })
    }
}

impl fmt::Debug for WorkerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerBuilder")
            .field("base", &self.base)
            .field("lanes", &self.lanes)
            .field("concurrency", &self.concurrency)
            .field("jobs", &self.jobs)
            .finish_non_exhaustive()
    }
}

/// Whether a job finds the states that it asks for.
pub(super) fn check_states(job: &JobDef, states: &States) -> Result<(), Error> {
    states.missing(job.states).map_or(Ok(()), |state| {
        Err(Error::MissingState {
            job: job.name,
            state: (state.name)(),
        })
    })
}

/// What the attributes of these jobs say.
fn own_schedules(registry: &Registry, seat: Seat) -> Result<HashMap<String, Own>, Error> {
    let own = |job: &'static JobDef| {
        let row = schedules::of_job(job)?;
        Ok(row.map(|row| {
            let goes_first = seat.goes_first(job.name, job.worker);
            (row.name.clone(), Own { row, goes_first })
        }))
    };
    registry
        .jobs()
        .filter_map(|job| own(job).transpose())
        .collect()
}

/// A worker without a store has nothing but its schedules.
fn check_schedules_only(lanes: &Lanes, own: &HashMap<String, Own>) -> Result<(), Error> {
    let refuse = |setting, reason: &str| {
        Err(Error::Setting {
            setting,
            reason: reason.to_owned(),
        })
    };
    if own.is_empty() {
        let reason = "none of its jobs has `every` or `cron`, so there is nothing it could do";
        return refuse("schedules_only", reason);
    }
    match lanes {
        Lanes::All => Ok(()),
        Lanes::Only(_) => refuse(
            "queues",
            "a worker without a store executes what its schedules start, and knows no queues: leave them out",
        ),
    }
}

fn check_concurrency(concurrency: usize) -> Result<(), Error> {
    // The semaphore behind it counts no further.
    let most = tokio::sync::Semaphore::MAX_PERMITS;
    if (1..=most).contains(&concurrency) {
        return Ok(());
    }
    Err(Error::Setting {
        setting: "concurrency",
        reason: format!("{concurrency} attempts at a time are not possible: give 1 to {most}"),
    })
}

fn index_from_environment() -> Result<Option<(u32, u32)>, Error> {
    let Some(text) = std::env::var_os(INDEX_VARIABLE) else {
        return Ok(None);
    };
    let parsed = text
        .to_str()
        .and_then(|text| text.split_once('/'))
        .and_then(|(index, total)| Some((index.parse().ok()?, total.parse().ok()?)));
    parsed.map(Some).ok_or_else(|| Error::Setting {
        setting: INDEX_VARIABLE,
        reason: format!("`{}` is not of the form `2/4`", text.display()),
    })
}

fn warn_of_unused_queues(lanes: &Lanes, registry: &Registry) {
    let used: BTreeSet<&str> = registry.jobs().map(|job| job.queue).collect();
    for queue in lanes.named().filter(|queue| !used.contains(queue)) {
        tracing::warn!(target: "afterhours", queue, "no linked job has this queue as its own; is the name right?");
    }
}

fn warn_of_abort() {
    if cfg!(panic = "abort") {
        tracing::warn!(target: "afterhours", "built with panic = \"abort\": a panic in a job ends the whole worker");
    }
}
