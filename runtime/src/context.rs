//! What a job can ask about its attempt, and what is known of the attempt around any code that runs inside it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use tokio::sync::Notify;

use crate::client::Client;
use crate::error::Error;
use crate::progress::{Progress, Told};
use crate::run::RunId;
use crate::slot::Slot;
use crate::states::States;
use crate::store::ClaimedRun;

/// The attempt that a job is executed for: take `ctx: &Context` as a parameter.
///
/// ```
/// use afterhours::{Context, Result, job};
///
/// #[job(retry = 3)]
/// async fn import(ctx: &Context, path: &str) -> Result<String> {
///     Ok(format!("{path}, attempt {} of {}", ctx.attempt(), ctx.max_attempts()))
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result {
/// # use afterhours::{Client, Worker};
/// # let client = Client::open_in_memory().await?;
/// # let worker = Worker::builder(client.clone()).jobs([import::JOB]).build()?.start().await?;
///
/// let run = client.enqueue(import::prepare("users.csv")).await?;
/// assert_eq!(run.join().await?, "users.csv, attempt 1 of 4");
/// # worker.stop().await
/// # }
/// ```
///
/// It knows the run too, with what the call site has set:
///
/// ```
/// use afterhours::{Context, Result, RunId, job};
///
/// #[job(queue = "mail", timeout = 30)]
/// async fn welcome(ctx: &Context) -> Result<RunId> {
///     assert_eq!((ctx.name(), ctx.queue()), (welcome::NAME, "mail"));
///     assert_eq!((ctx.tags(), ctx.metadata("request")), (&["new".to_owned()][..], Some("r-17")));
///     assert!(ctx.will_retry());
///     assert!(ctx.enqueued_at() <= ctx.due_at() && Some(ctx.due_at()) < ctx.deadline());
///     Ok(ctx.id())
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result {
/// # use afterhours::{Client, Worker};
/// # let client = Client::open_in_memory().await?;
/// # let worker = Worker::builder(client.clone()).jobs([welcome::JOB]).build()?.start().await?;
///
/// let run = client.enqueue(welcome::prepare().tags(["new"]).metadata("request", "r-17")).await?;
/// assert_eq!(run.join().await?, run.id());
/// # worker.stop().await
/// # }
/// ```
#[derive(Clone)]
pub struct Context(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) run: ClaimedRun,
    pub(crate) name: &'static str,
    pub(crate) max_attempts: u32,
    pub(crate) will_retry: bool,
    pub(crate) enqueued_at: SystemTime,
    pub(crate) due_at: SystemTime,
    pub(crate) deadline: Option<SystemTime>,
    pub(crate) tags: Vec<String>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) states: Arc<States>,
    pub(crate) client: Client,
    pub(crate) cancel: Cancel,
    pub(crate) slot: Slot,
    pub(crate) told: Told,
}

tokio::task_local! {
    /// The attempt that the code at hand is executed for.
    pub(crate) static CURRENT: Context;
}

/// The type of a parameter that gets the context: [`Context`] alone.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the context of a job, `afterhours::Context`",
    label = "a parameter whose type is called `Context`, or that is marked `#[context]`, gets `afterhours::Context`",
    note = "for the context, write `&afterhours::Context`; for an argument, give the type another name here, as in `use path::Context as OtherContext`"
)]
pub trait JobContext {
    /// The same context.
    fn of(context: &Context) -> Self;
}

impl JobContext for Context {
    fn of(context: &Context) -> Self {
        context.clone()
    }
}

impl Context {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// The attempt that the caller is executed in, if there is one: for code that does not get the context handed down,
    /// such as a [`Hook`](crate::Hook), which shows it in use. Tasks and threads that an attempt starts are outside of
    /// it.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }

    /// The run.
    #[must_use]
    pub fn id(&self) -> RunId {
        self.0.run.id
    }

    /// The job's stored name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// The queue the run waited in.
    #[must_use]
    pub fn queue(&self) -> &str {
        &self.0.run.kind.queue
    }

    /// Which attempt this is, from 1. Attempts that ended with the death of their worker count here.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.0.run.attempt
    }

    /// How many attempts the run has at most.
    #[must_use]
    pub fn max_attempts(&self) -> u32 {
        self.0.max_attempts
    }

    /// Whether another attempt follows if this one returns an error.
    #[must_use]
    pub fn will_retry(&self) -> bool {
        self.0.will_retry
    }

    /// When the run was enqueued.
    #[must_use]
    pub fn enqueued_at(&self) -> SystemTime {
        self.0.enqueued_at
    }

    /// When the run was due: the tick it is for, the moment given to `perform_at`, the end of `perform_in`'s delay,
    /// or when it was enqueued.
    #[must_use]
    pub fn due_at(&self) -> SystemTime {
        self.0.due_at
    }

    /// When the attempt's timeout ends it, on the wall clock; `None` if it has none.
    #[must_use]
    pub fn deadline(&self) -> Option<SystemTime> {
        self.0.deadline
    }

    /// The run's tags.
    #[must_use]
    pub fn tags(&self) -> &[String] {
        &self.0.tags
    }

    /// What travels with the run under this key: see [`Prepared::metadata`](crate::Prepared::metadata) and
    /// [`Hook::enqueue`](crate::Hook::enqueue).
    #[must_use]
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.0.metadata.get(key).map(String::as_str)
    }

    /// Tells how far the attempt has come: `done` of `total` steps, whatever a step is. As cheap as a lock, so call it in
    /// a loop: the worker writes the latest down four times a second. Others read it with
    /// [`Handle::progress`](crate::Handle::progress) and in [`Run::progress`](crate::Run::progress), in whatever process,
    /// as long as the attempt lasts. [`Progress`] shows both sides.
    ///
    /// ```
    /// use afterhours::{Context, Result, job};
    ///
    /// #[job]
    /// async fn import(ctx: &Context, lines: Vec<String>) -> Result {
    ///     for (done, line) in lines.iter().enumerate() {
    ///         // ..
    ///         ctx.progress(done as u64 + 1, lines.len() as u64);
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn progress(&self, done: u64, total: u64) {
        self.0.told.tell(Progress::new(done, total));
    }

    /// Resolves when the attempt is to end: its run was [cancelled](crate::Handle::cancel), its timeout is reached, or
    /// the worker stops and its grace period is over. After a cancel an `async` job may go on for the grace period, to
    /// end in good order; otherwise it is dropped at once, and this is for tasks and threads that it started.
    ///
    /// ```
    /// use afterhours::{Context, Error, Result, job};
    ///
    /// #[job]
    /// async fn follow(ctx: &Context, url: &str) -> Result {
    ///     ctx.cancelled().await;
    ///     // Here is time to tidy up.
    ///     Err(format!("{url} is followed no longer").into())
    /// }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result {
    /// # use afterhours::{Client, Status, Worker};
    /// # use std::time::Duration;
    /// # let client = Client::open_in_memory().await?;
    /// # let worker = Worker::builder(client.clone()).jobs([follow::JOB]).build()?.start().await?;
    ///
    /// let run = client.enqueue(follow::prepare("/news")).await?;
    /// # while !matches!(run.status().await?, Status::Running { .. }) {
    /// #     tokio::time::sleep(Duration::from_millis(5)).await;
    /// # }
    /// run.cancel().await?;
    /// assert!(matches!(run.join().await, Err(Error::Cancelled { .. })));
    /// # worker.stop().await
    /// # }
    /// ```
    pub async fn cancelled(&self) {
        self.0.cancel.cancelled().await;
    }

    /// Whether the attempt is to end. A plain `fn` cannot be stopped: it should look here now and then.
    ///
    /// ```
    /// use afterhours::{AttemptOutcome, Context, Result, job};
    ///
    /// #[job(timeout = "50ms", retry = 0)]
    /// fn grind(ctx: &Context) -> Result {
    ///     while !ctx.is_cancelled() {
    ///         std::thread::sleep(std::time::Duration::from_millis(5)); // a piece of the work
    ///     }
    ///     Err("told to end".into())
    /// }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result {
    /// # use afterhours::{Client, Worker};
    /// # let client = Client::open_in_memory().await?;
    /// # let worker = Worker::builder(client.clone()).jobs([grind::JOB]).build()?.start().await?;
    ///
    /// let run = client.enqueue(grind::prepare()).await?;
    /// assert!(run.join().await.is_err());
    /// assert_eq!(client.history(run.id()).await?[0].outcome, AttemptOutcome::Timeout);
    /// # worker.stop().await
    /// # }
    /// ```
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.cancel.is_cancelled()
    }

    /// A state that the worker was given with [`state`](crate::WorkerBuilder::state) or
    /// [`shared`](crate::WorkerBuilder::shared), if it has one of this type.
    ///
    /// ```
    /// use afterhours::{Context, Result, job};
    ///
    /// struct Greeting(&'static str);
    ///
    /// #[job]
    /// async fn greet(ctx: &Context, name: &str) -> Result<String> {
    ///     let greeting = ctx.state::<Greeting>().ok_or("no greeting")?;
    ///     Ok(format!("{} {name}", greeting.0))
    /// }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result {
    /// # use afterhours::{Client, Worker};
    /// # let client = Client::open_in_memory().await?;
    ///
    /// let builder = Worker::builder(client.clone()).jobs([greet::JOB]);
    /// let worker = builder.state(Greeting("hello")).build()?.start().await?;
    /// assert_eq!(client.enqueue(greet::prepare("Ada")).await?.join().await?, "hello Ada");
    /// # worker.stop().await
    /// # }
    /// ```
    #[must_use]
    pub fn state<T: ?Sized + 'static>(&self) -> Option<Arc<T>> {
        self.0.states.get().map(Arc::clone)
    }

    /// The worker's client, which `perform_*` enqueues with inside of the attempt. That of a worker without a store
    /// takes no runs.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.0.client
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("id", &self.id())
            .field("name", &self.name())
            .field("attempt", &self.attempt())
            .finish_non_exhaustive()
    }
}

/// The client of the attempt around the caller, if that has a store, else that of the sandbox around, in a test, else
/// the installed one.
pub(crate) fn current_client() -> Result<Client, Error> {
    let around = Context::current().map(|context| context.client().clone());
    let around = around.filter(|client| !client.is_sealed());
    #[cfg(feature = "testing")]
    let around = around.or_else(crate::testing::current::client);
    around.or_else(Client::installed).ok_or(Error::NoClient)
}

/// Tells an attempt to end.
#[derive(Debug, Default)]
pub(crate) struct Cancel {
    /// It is to end, for whatever reason.
    told: AtomicBool,
    /// A caller has cancelled the run.
    by_a_caller: AtomicBool,
    /// The run is no longer this attempt's: others have taken it back.
    lost: AtomicBool,
    notify: Notify,
}

impl Cancel {
    pub(crate) fn tell(&self) {
        self.told.store(true, Ordering::SeqCst);
        self.notify.notify_waiters();
    }

    pub(crate) fn tell_of_a_caller(&self) {
        self.by_a_caller.store(true, Ordering::SeqCst);
        self.tell();
    }

    pub(crate) fn tell_of_the_loss(&self) {
        self.lost.store(true, Ordering::SeqCst);
        self.tell();
    }

    fn is_cancelled(&self) -> bool {
        self.told.load(Ordering::SeqCst)
    }

    async fn cancelled(&self) {
        self.heard(&self.told).await;
    }

    /// Resolves when a caller cancels the run.
    pub(crate) async fn cancelled_by_a_caller(&self) {
        self.heard(&self.by_a_caller).await;
    }

    /// Resolves when the run is taken from this attempt.
    pub(crate) async fn lost(&self) {
        self.heard(&self.lost).await;
    }

    async fn heard(&self, word: &AtomicBool) {
        loop {
            // Created before the look, so that a word in between is not missed.
            let notified = self.notify.notified();
            if word.load(Ordering::SeqCst) {
                return;
            }
            notified.await;
        }
    }
}
