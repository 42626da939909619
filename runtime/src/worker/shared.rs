//! What the services of one worker share.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

use super::schedule::Seat;
use super::scheduler::Own;
use crate::client::Client;
use crate::context::Context;
use crate::error::Error;
use crate::job::Fit;
use crate::liveness::LockFile;
use crate::registry::Registry;
use crate::run::RunId;
use crate::states::States;
use crate::store::{ClaimId, Ending, Kind, Limit, Settlement, Wanted, WorkerId};
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

/// Ends of attempts, shared with the transaction that writes them.
pub(super) type Ended = Arc<[Settlement]>;

pub(super) struct Shared {
    pub(super) plan: Plan,
    id: WorkerId,
    /// Holds the byte that says that this worker is alive.
    _lock: Option<LockFile>,
    claims: AtomicI64,
    pub(super) slots: Arc<Semaphore>,
    pub(super) sleeper: Arc<Sleeper>,
    phase: watch::Sender<Phase>,
    active: Mutex<HashMap<RunId, Context>>,
    /// How attempts ended that the claimer has not yet written down.
    outbox: Mutex<Vec<Settlement>>,
    /// Changes whenever an attempt has ended and is written down.
    ended: watch::Sender<()>,
}

impl Shared {
    /// Takes a byte of the lock file, then a row in the store: nobody may see a worker that holds no lock.
    pub(super) async fn register(plan: Plan) -> Result<Arc<Self>, Error> {
        let client = plan.client.clone();
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
        let now = client.now();
        let id = client
            .write(1, move |store| store.register(slot, now))
            .await?;
        Ok(Arc::new(Self {
            id,
            _lock: lock,
            claims: AtomicI64::new(0),
            slots: Arc::new(Semaphore::new(plan.concurrency)),
            sleeper: client.wakes().join(),
            phase: watch::Sender::new(Phase::Working),
            active: Mutex::default(),
            outbox: Mutex::default(),
            ended: watch::Sender::new(()),
            plan,
        }))
    }

    pub(super) fn id(&self) -> WorkerId {
        self.id
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
        ClaimId::new(self.id, self.claims.fetch_add(1, Ordering::Relaxed))
    }

    /// Stops claiming.
    pub(super) fn drain(&self) {
        self.enter(Phase::Draining);
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
        // The claimer looks at the phase when it is awake.
        self.sleeper.wake();
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
        self.active().insert(context.id(), context.clone());
    }

    /// Tells attempts whose runs a caller has cancelled.
    pub(super) fn cancel(&self, asked: &[(RunId, ClaimId)]) {
        if asked.is_empty() {
            return;
        }
        let active = self.active();
        for (id, claim) in asked {
            // A claim from before a retry is another attempt's.
            if let Some(context) = active.get(id)
                && context.inner().run.claim == *claim
            {
                context.inner().cancel.tell_of_a_caller();
            }
        }
    }

    /// Takes in how an attempt ended; the claimer writes it down.
    pub(super) fn end(&self, context: &Context, ending: Ending) {
        let run = &context.inner().run;
        self.put_back(Settlement {
            id: run.id,
            claim: run.claim,
            ending,
        });
        self.sleeper.wake();
    }

    /// Takes in what could not be written yet.
    pub(super) fn put_back(&self, settlement: Settlement) {
        self.outbox().push(settlement);
    }

    /// What has ended and is to be written down.
    pub(super) fn take_ended(&self) -> Ended {
        std::mem::take(&mut *self.outbox()).into()
    }

    /// Takes attempts out that are written down.
    pub(super) fn written(&self, ended: &[Settlement]) {
        if ended.is_empty() {
            return;
        }
        let mut active = self.active();
        for settlement in ended {
            active.remove(&settlement.id);
        }
        drop(active);
        self.ended.send_replace(());
    }

    /// Whether the claimer has nothing more to do, ever.
    pub(super) fn is_done(&self) -> bool {
        self.has_entered(Phase::Draining) && self.active().is_empty()
    }

    /// Waits until no attempt is at work.
    pub(super) async fn idle(&self) {
        let mut ended = self.ended.subscribe();
        while !self.active().is_empty() {
            // The sender lives as long as `self`.
            let _ = ended.changed().await;
        }
    }

    fn outbox(&self) -> MutexGuard<'_, Vec<Settlement>> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn active(&self) -> MutexGuard<'_, HashMap<RunId, Context>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
            .field("id", &self.id)
            .field("plan", &self.plan)
            .finish_non_exhaustive()
    }
}
