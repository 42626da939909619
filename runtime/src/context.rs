//! What a job can ask about its attempt, and what is known of the attempt around any code that runs inside it.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::client::Client;
use crate::run::RunId;
use crate::states::States;
use crate::store::ClaimedRun;
use crate::wake::Sleeper;

/// The attempt that a job is executed for: take `ctx: &Context` as a parameter.
///
/// ```
/// use afterhours::{Context, Result, job};
///
/// #[job(retry = 3)]
/// async fn import(ctx: &Context, path: &str) -> Result {
///     println!("run {} of {}, attempt {} of {}: {path}", ctx.id(), ctx.name(), ctx.attempt(), ctx.max_attempts());
///     Ok(())
/// }
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
    pub(crate) states: Arc<States>,
    pub(crate) client: Client,
    pub(crate) cancel: Cancel,
    pub(crate) slot: Slot,
}

tokio::task_local! {
    /// The attempt that the code at hand is executed for.
    pub(crate) static CURRENT: Context;
}

impl Context {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// The attempt around the caller, if there is one.
    pub(crate) fn current() -> Option<Self> {
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

    /// When the attempt's timeout ends it.
    #[must_use]
    pub fn deadline(&self) -> Option<SystemTime> {
        self.0.deadline
    }

    /// The run's tags.
    #[must_use]
    pub fn tags(&self) -> &[String] {
        &self.0.tags
    }

    /// Resolves when the attempt is to end: at its timeout, or when the worker's grace period is over.
    /// An `async` job is dropped then in any case; this is for tasks and threads that it started.
    pub async fn cancelled(&self) {
        self.0.cancel.cancelled().await;
    }

    /// Whether the attempt is to end. A plain `fn` cannot be stopped: it should look here now and then.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.cancel.is_cancelled()
    }

    /// A state that the worker was given with `.state(..)` or `.shared(..)`.
    #[must_use]
    pub fn state<T: ?Sized + 'static>(&self) -> Option<Arc<T>> {
        self.0.states.get().map(Arc::clone)
    }

    /// The worker's client.
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

/// Tells an attempt to end.
#[derive(Debug, Default)]
pub(crate) struct Cancel {
    told: AtomicBool,
    notify: Notify,
}

impl Cancel {
    pub(crate) fn tell(&self) {
        self.told.store(true, Ordering::SeqCst);
        self.notify.notify_waiters();
    }

    fn is_cancelled(&self) -> bool {
        self.told.load(Ordering::SeqCst)
    }

    async fn cancelled(&self) {
        // Created before the look, so that a word in between is not missed.
        let notified = self.notify.notified();
        if !self.is_cancelled() {
            notified.await;
        }
    }
}

/// The place among the worker's concurrent attempts that this attempt takes.
#[derive(Debug)]
pub(crate) struct Slot {
    semaphore: Arc<Semaphore>,
    /// Told when the place is given to others.
    sleeper: Arc<Sleeper>,
    place: Mutex<Place>,
    /// Locked by the wait that takes the place back; a second one would wait for a place that the attempt has.
    taking: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
enum Place {
    /// Freed when it is dropped.
    Held { _permit: OwnedSemaphorePermit },
    /// Given to others while the attempt waits for so many other runs.
    Lent { waits: usize },
    /// The attempt is over. Code that it left behind takes no place.
    Over,
}

impl Slot {
    pub(crate) fn new(
        semaphore: Arc<Semaphore>,
        sleeper: Arc<Sleeper>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let place = Mutex::new(Place::Held { _permit: permit });
        Self {
            semaphore,
            sleeper,
            place,
            taking: tokio::sync::Mutex::default(),
        }
    }

    /// Gives the place to others while `waiting` is awaited, so that parents that wait for children cannot fill
    /// the worker and keep the children out. Of several waits at a time, the last to end takes it back.
    pub(crate) async fn lend<T>(&self, waiting: impl Future<Output = T>) -> T {
        let loan = self.give();
        let value = waiting.await;
        let was_last = self.end_wait();
        std::mem::forget(loan);
        if was_last {
            self.take_back().await;
        }
        value
    }

    async fn take_back(&self) {
        let _alone = self.taking.lock().await;
        if !matches!(*self.place(), Place::Lent { waits: 0 }) {
            return;
        }
        // The semaphore is never closed.
        if let Ok(permit) = Arc::clone(&self.semaphore).acquire_owned().await {
            self.put(permit);
        }
    }

    /// Frees the place for good.
    pub(crate) fn end(&self) {
        *self.place() = Place::Over;
    }

    fn give(&self) -> Loan<'_> {
        let mut place = self.place();
        match &mut *place {
            Place::Held { .. } => {
                *place = Place::Lent { waits: 1 };
                self.sleeper.wake();
            }
            Place::Lent { waits } => *waits += 1,
            Place::Over => {}
        }
        Loan(self)
    }

    /// Whether that was the last wait, and the place is still to be taken back.
    fn end_wait(&self) -> bool {
        let Place::Lent { waits } = &mut *self.place() else {
            return false;
        };
        *waits = waits.saturating_sub(1);
        *waits == 0
    }

    /// Takes the place back, unless another wait has begun meanwhile.
    fn put(&self, permit: OwnedSemaphorePermit) {
        let mut place = self.place();
        if matches!(*place, Place::Lent { waits: 0 }) {
            *place = Place::Held { _permit: permit };
        }
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A wait that may be given up. If the last one is, the attempt takes its place back if it is free; else it goes on
/// without one, and is one attempt too many until it ends or waits again.
struct Loan<'a>(&'a Slot);

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        if self.0.end_wait()
            && let Ok(permit) = Arc::clone(&self.0.semaphore).try_acquire_owned()
        {
            self.0.put(permit);
        }
    }
}
