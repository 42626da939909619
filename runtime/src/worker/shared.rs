//! What the services of one worker share.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, Semaphore, watch};

use super::ahead::{Ahead, Next};
use super::counting::Counting;
use super::pulse::{self, Pulse};
use super::schedule::Seat;
use super::scheduler::Own;
use crate::client::Client;
use crate::clock::this_boot;
use crate::context::Context;
use crate::counters::Count;
use crate::error::Error;
use crate::failpoint;
use crate::hooks::OnError;
use crate::job::Fit;
use crate::liveness::{LockFile, LockFileId};
use crate::registry::Registry;
use crate::run::RunId;
use crate::states::States;
use crate::store::{ClaimId, Ending, Kind, Limit, NewWorker, Settlement, Wanted, WorkerId};
use crate::wake::Sleeper;

/// What the builder has checked.
pub(crate) struct Plan {
    pub(super) client: Client,
    pub(super) lanes: Lanes,
    pub(super) concurrency: usize,
    pub(super) registry: Registry,
    pub(super) states: Arc<States>,
    /// Those of its jobs' attributes, by name.
    pub(super) schedules: HashMap<String, Own>,
    pub(super) seat: Seat,
    pub(super) shutdown_grace: Duration,
    pub(super) startup_jitter: Option<Duration>,
    pub(super) on_error: Option<OnError>,
    #[cfg(feature = "testing")]
    pub(super) failures: Arc<super::inline::Failures>,
    /// Where chance comes from: 0.0..1.0.
    pub(super) random: fn() -> f64,
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("client", &self.client)
            .field("lanes", &self.lanes)
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}

/// The queues a worker takes runs from.
#[derive(Debug, Clone)]
pub(super) enum Lanes {
    All,
    Only(Vec<String>),
}

impl Lanes {
    /// The place of a queue in the worker's order.
    pub(super) fn rank(&self, queue: &str) -> Option<usize> {
        match self {
            Self::All => Some(0),
            Self::Only(queues) => queues.iter().position(|listed| listed == queue),
        }
    }

    pub(super) fn named(&self) -> impl Iterator<Item = &str> {
        let queues: &[String] = match self {
            Self::All => &[],
            Self::Only(queues) => queues,
        };
        queues.iter().map(String::as_str)
    }
}

/// How far a worker has come on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Working,
    /// Nothing is claimed any more; what runs goes on.
    Draining,
    /// What still runs is dropped and given back.
    Aborting,
}

pub(super) struct Shared {
    pub(super) plan: Plan,
    /// Another one after it was given up.
    id: AtomicI64,
    identity: NewWorker,
    /// Why it cannot go on, once that is so.
    failure: Mutex<Option<Error>>,
    /// Others have given this worker up; it needs a new number.
    given_up: AtomicBool,
    /// Holds the byte that says that this worker is alive.
    _lock: Option<LockFile>,
    /// Unset in memory.
    pulse: OnceLock<Pulse>,
    claims: AtomicI64,
    pub(super) slots: Arc<Semaphore>,
    pub(super) sleeper: Arc<Sleeper>,
    phase: watch::Sender<Phase>,
    active: Mutex<HashMap<(RunId, ClaimId), Context>>,
    /// Tasks that execute attempts, each of which may have a run in hand that has not begun.
    hands: AtomicUsize,
    pub(super) ahead: Ahead,
    /// The claimer has ended: nothing is given back any more that it has claimed.
    claims_are_over: AtomicBool,
    /// How attempts ended that the settler has not yet written down.
    outbox: Mutex<Vec<Settlement>>,
    /// Told of each of these.
    ends: Notify,
    /// Rung when an attempt has told how far it has come, or something was counted.
    pub(super) told: Arc<Notify>,
    pub(super) counting: Counting,
    /// How many attempts have ended since the claimer has asked.
    counted: AtomicUsize,
    /// Changes whenever an attempt has ended and is written down.
    ended: watch::Sender<()>,
}

impl Shared {
    /// Takes a byte of the lock file, then a row in the store: nobody may see a worker that holds no lock. Before that
    /// come the checks, so that a worker that is refused leaves nothing behind.
    pub(super) async fn register(plan: Plan) -> Result<Arc<Self>, Error> {
        let client = plan.client.clone();
        client.wakes().prepare()?;
        let lock = client.lock_file()?;
        let slot = match &lock {
            Some(lock) => lock.take_slot().map_err(|source| Error::Io {
                what: "no byte of the lock file could be locked".to_owned(),
                source,
            })?,
            // In memory there are only the workers of this process; they all live.
            None => {
                client
                    .write(1, |store| {
                        Ok(store
                            .workers()?
                            .iter()
                            .map(|worker| worker.slot)
                            .max()
                            .unwrap_or(0)
                            + 1)
                    })
                    .await?
            }
        };
        let identity = NewWorker {
            slot,
            lock_file: client.lock_file_id().map_or(0, |LockFileId(id)| id),
            boot: this_boot(),
            pid: std::process::id(),
        };
        let id = register(&client, &identity).await?;
        failpoint::reached("after-register");
        let counting = Counting::new(client.path(), slot, plan.concurrency, client.now().wall);
        counting.write(|| 0, client.now().wall);
        let shared = Arc::new(Self {
            id: AtomicI64::new(id.0),
            identity,
            failure: Mutex::default(),
            given_up: AtomicBool::new(false),
            pulse: OnceLock::new(),
            _lock: lock,
            claims: AtomicI64::new(0),
            slots: Arc::new(Semaphore::new(plan.concurrency)),
            sleeper: client.wakes().join(),
            phase: watch::Sender::new(Phase::Working),
            active: Mutex::default(),
            hands: AtomicUsize::new(0),
            ahead: Ahead::default(),
            claims_are_over: AtomicBool::new(false),
            outbox: Mutex::default(),
            ends: Notify::new(),
            told: Arc::default(),
            counting,
            counted: AtomicUsize::new(0),
            ended: watch::Sender::new(()),
            plan,
        });
        shared.start_pulse(slot)?;
        Ok(shared)
    }

    fn start_pulse(self: &Arc<Self>, slot: i64) -> Result<(), Error> {
        if let Some(lock) = self.client().lock_file()? {
            let pulse = pulse::start(lock, slot, Arc::downgrade(self))?;
            // Set here alone.
            let _ = self.pulse.set(pulse);
        }
        Ok(())
    }

    pub(super) fn id(&self) -> WorkerId {
        WorkerId(self.id.load(Ordering::SeqCst))
    }

    /// Takes in that others have given up the worker of this number, and drops what it had at work.
    pub(super) fn was_given_up(&self, id: WorkerId) {
        // It may have got another number since somebody looked.
        if id != self.id() || self.given_up.swap(true, Ordering::SeqCst) {
            return;
        }
        let active = self.active();
        tracing::error!(
            target: "afterhours", worker = id.0, attempts = active.len(),
            "this worker did not move for so long that others have taken its runs: it drops their attempts and goes on",
        );
        for context in active.values() {
            context.inner().cancel.tell_of_the_loss();
        }
        drop(active);
        self.sleeper.wake();
    }

    /// Registers anew if this worker was given up: claims under its old number would be nobody's.
    pub(super) async fn make_sure_of_number(&self) -> Result<(), Error> {
        if self.given_up.load(Ordering::SeqCst) {
            let id = register(self.client(), &self.identity).await?;
            self.id.store(id.0, Ordering::SeqCst);
            self.given_up.store(false, Ordering::SeqCst);
        }
        Ok(())
    }

    /// Whether runs are claimed: attempts are at work, or wait for a place, or their ends are not yet written down.
    pub(super) fn is_at_work(&self) -> bool {
        // A hand takes what is ahead: asked last, it cannot have taken it unseen.
        !self.active().is_empty() || !self.ahead.is_empty() || self.hands.load(Ordering::SeqCst) > 0
    }

    pub(super) fn client(&self) -> &Client {
        &self.plan.client
    }

    pub(super) fn concurrency(&self) -> usize {
        self.plan.concurrency
    }

    pub(super) fn random(&self) -> f64 {
        (self.plan.random)()
    }

    /// A claim number that was never used.
    pub(super) fn next_claim(&self) -> ClaimId {
        ClaimId::new(self.id(), self.claims.fetch_add(1, Ordering::Relaxed))
    }

    /// Stops claiming.
    pub(super) fn drain(&self) {
        self.enter(Phase::Draining);
    }

    /// Tells the others that this worker was told to stop, so that what is at work is not suspected if its process is
    /// now killed.
    pub(super) async fn say_stopping(&self) {
        let id = self.id();
        let said = self
            .client()
            .write(1, move |store| store.stopping(id))
            .await;
        if let Err(error) = said {
            tracing::warn!(target: "afterhours", error = &error as &dyn std::error::Error, "the store does not know that this worker stops");
        }
    }

    /// Stops this worker for good: its store is gone, and nothing that ends from now on can be written down.
    pub(super) fn fail(&self, error: Error) {
        tracing::error!(target: "afterhours", error = &error as &dyn std::error::Error, attempts = self.active().len(), "this worker stops: the runs that it has at work are executed again");
        self.failure().get_or_insert(error);
        self.abort();
    }

    /// Why it has stopped by itself.
    pub(super) fn take_failure(&self) -> Option<Error> {
        self.failure().take()
    }

    fn failure(&self) -> MutexGuard<'_, Option<Error>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops what still runs.
    pub(super) fn abort(&self) {
        self.enter(Phase::Aborting);
        for context in self.active().values() {
            context.inner().cancel.tell();
        }
    }

    fn enter(&self, phase: Phase) {
        self.phase.send_if_modified(|current| {
            let later = phase > *current;
            *current = phase.max(*current);
            later
        });
        // Claimer and settler look at the phase when they are awake.
        self.sleeper.wake();
        self.ends.notify_one();
    }

    pub(super) fn has_entered(&self, phase: Phase) -> bool {
        *self.phase.borrow() >= phase
    }

    /// Waits until the worker is in this phase or a later one.
    pub(super) async fn entered(&self, phase: Phase) {
        // The sender lives as long as `self`.
        let _ = self
            .phase
            .subscribe()
            .wait_for(|current| *current >= phase)
            .await;
    }

    /// Adds an attempt to those at work.
    pub(super) fn begin(&self, context: &Context) {
        let key = (context.id(), context.inner().run.claim);
        let mut active = self.active();
        let was_at_rest = active.is_empty();
        active.insert(key, context.clone());
        drop(active);
        if let (true, Some(pulse)) = (was_at_rest, self.pulse.get()) {
            pulse.wake();
        }
        self.count(Count::Started, 1);
    }

    /// Counts for others to see.
    pub(super) fn count(&self, count: Count, times: u64) {
        if self.counting.add(count, times) {
            self.told.notify_one();
        }
    }

    /// Tells attempts whose runs a caller has cancelled.
    pub(super) fn cancel(&self, asked: &[(RunId, ClaimId)]) {
        if asked.is_empty() {
            return;
        }
        let active = self.active();
        // A claim from before a retry is another attempt's.
        for context in asked.iter().filter_map(|attempt| active.get(attempt)) {
            context.inner().cancel.tell_of_a_caller();
        }
    }

    /// Takes in how an attempt ended; the settler writes it down.
    pub(super) fn end(&self, context: &Context, ending: Ending) {
        let run = &context.inner().run;
        self.outbox().push(Settlement {
            id: run.id,
            claim: run.claim,
            ending,
        });
        self.counted.fetch_add(1, Ordering::Relaxed);
        self.ends.notify_one();
    }

    /// How many attempts have ended since this was last asked.
    pub(super) fn count_ended(&self) -> usize {
        self.counted.swap(0, Ordering::Relaxed)
    }

    /// A run that is claimed ahead, for a place that has become free.
    pub(super) fn next_ahead(&self) -> Option<Next> {
        loop {
            if self.has_entered(Phase::Draining) {
                return None;
            }
            let next = self.ahead.take(Instant::now())?;
            // What was claimed before this worker was given up is another's now.
            if next.run.claim.worker() == self.id() && !self.given_up.load(Ordering::SeqCst) {
                return Some(next);
            }
        }
    }

    /// Takes in what is to be written down, for the first time or again.
    pub(super) fn put_back(&self, ends: Vec<Settlement>) {
        self.outbox().extend(ends);
        self.ends.notify_one();
    }

    /// Waits until an attempt has ended, or for a change of the phase; one that was before the call counts.
    pub(super) async fn some_end(&self) {
        self.ends.notified().await;
    }

    pub(super) fn count_ends(&self) -> usize {
        self.outbox().len()
    }

    pub(super) fn has_ends(&self) -> bool {
        !self.outbox().is_empty()
    }

    /// What has ended and is to be written down.
    pub(super) fn take_ends(&self) -> Vec<Settlement> {
        std::mem::take(&mut *self.outbox())
    }

    /// Takes attempts out that are written down.
    pub(super) fn written(&self, ended: &[Settlement]) {
        if ended.is_empty() {
            return;
        }
        let mut active = self.active();
        for settlement in ended {
            active.remove(&(settlement.id, settlement.claim));
        }
        drop(active);
        if self.counting.add_ends(ended) {
            self.told.notify_one();
        }
        self.ended.send_replace(());
        if self.is_done() {
            // The claimer ends too.
            self.sleeper.wake();
        }
    }

    /// Whether nothing is at work, nor ever will be.
    pub(super) fn is_done(&self) -> bool {
        self.has_entered(Phase::Draining) && !self.is_at_work()
    }

    /// The claimer says that it has ended.
    pub(super) fn end_claims(&self) {
        self.claims_are_over.store(true, Ordering::SeqCst);
        self.ends.notify_one();
    }

    /// Whether no end comes any more that is to be written down.
    pub(super) fn has_no_more_ends(&self) -> bool {
        self.claims_are_over.load(Ordering::SeqCst) && self.is_done() && !self.has_ends()
    }

    /// Waits until no attempt is at work.
    pub(super) async fn idle(&self) {
        let mut ended = self.ended.subscribe();
        while self.is_at_work() {
            // The sender lives as long as `self`.
            let _ = ended.changed().await;
        }
    }

    fn outbox(&self) -> MutexGuard<'_, Vec<Settlement>> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn active(&self) -> MutexGuard<'_, HashMap<(RunId, ClaimId), Context>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task that executes attempts, from before it is spawned until after its last one: what it has in hand is at work.
pub(super) struct Hand(Arc<Shared>);

impl Hand {
    pub(super) fn of(shared: &Arc<Shared>) -> Self {
        shared.hands.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(shared))
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.0
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        let shared = &self.0;
        shared.hands.fetch_sub(1, Ordering::SeqCst);
        // Whoever waits for the end of all work has seen this hand.
        if shared.has_entered(Phase::Draining) {
            shared.ended.send_replace(());
            shared.sleeper.wake();
            shared.ends.notify_one();
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // It finds that the worker is gone.
        if let Some(pulse) = self.pulse.get() {
            pulse.end();
        }
    }
}

async fn register(client: &Client, identity: &NewWorker) -> Result<WorkerId, Error> {
    let (identity, now) = (identity.clone(), client.now());
    client
        .write(1, move |store| store.register(&identity, now))
        .await
}

impl Wanted for Shared {
    fn rank(&self, kind: &Kind) -> Option<usize> {
        let job = self.plan.registry.get(&kind.job)?;
        // The check at the start was for the job's own queue; the call site may have named another.
        if self.plan.states.missing(job.states).is_some() {
            return None;
        }
        if job.fit_of(kind.version, kind.signature) == Fit::Foreign {
            return None;
        }
        self.plan.lanes.rank(&kind.queue)
    }

    fn limit(&self, job: &str) -> Option<Limit> {
        let job = self.plan.registry.get(job)?;
        Some(Limit {
            job: job.name,
            most: job.concurrency?,
        })
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("id", &self.id())
            .field("plan", &self.plan)
            .finish_non_exhaustive()
    }
}
