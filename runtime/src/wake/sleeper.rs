//! A worker that waits for something to do, as those who wake it see it.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use super::Call;
use crate::clock::Millis;
use crate::store::NextDue;

/// One worker's sleep.
#[derive(Debug)]
pub(crate) struct Sleeper {
    notify: Notify,
    /// A run that is at work somewhere was cancelled.
    cancelling: AtomicBool,
    /// It has no free place, or takes no more runs: others must be called.
    is_full: AtomicBool,
    /// How many others may be called for the ready runs that it was called for and does not take.
    hops: AtomicU8,
    /// The moments at which it will look by itself.
    wall: AtomicI64,
    store: AtomicI64,
    /// What is to be passed on to other workers.
    passing: Mutex<Call>,
    to_pass: Notify,
}

impl Default for Sleeper {
    fn default() -> Self {
        Self {
            notify: Notify::new(),
            cancelling: AtomicBool::new(false),
            is_full: AtomicBool::new(false),
            hops: AtomicU8::new(0),
            wall: AtomicI64::new(Millis::MAX),
            store: AtomicI64::new(Millis::MAX),
            passing: Mutex::default(),
            to_pass: Notify::new(),
        }
    }
}

impl Sleeper {
    /// Says until when this worker will sleep. To be said before it looks, so that nothing falls in between.
    pub(crate) fn set_next(&self, next: NextDue) {
        self.wall
            .store(next.wall.unwrap_or(Millis::MAX), Ordering::SeqCst);
        self.store
            .store(next.store.unwrap_or(Millis::MAX), Ordering::SeqCst);
    }

    /// Says whether this worker can take runs, and returns how many others may be called for what it was called for
    /// until now. To be said before it looks, or sleeps without a look.
    pub(crate) fn set_full(&self, is_full: bool) -> u8 {
        self.is_full.store(is_full, Ordering::SeqCst);
        self.hops.swap(0, Ordering::SeqCst)
    }

    /// Waits for a wake-up; one that came before the call counts.
    pub(crate) async fn woken(&self) {
        self.notify.notified().await;
    }

    /// Whether a run was cancelled since this was last asked.
    pub(crate) fn take_cancelling(&self) -> bool {
        self.cancelling.swap(false, Ordering::SeqCst)
    }

    /// Wakes this worker.
    pub(crate) fn wake(&self) {
        self.notify.notify_one();
    }

    /// Wakes this worker to look for runs that are to end.
    pub(crate) fn hear_of_cancelling(&self) {
        self.cancelling.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// Wakes this worker if the call concerns it. False if it takes nothing now, so that another must be called.
    pub(crate) fn hear(&self, call: Call) -> bool {
        if self.is_full.load(Ordering::SeqCst) {
            return false;
        }
        if call.ready {
            self.hops.fetch_max(call.hops, Ordering::SeqCst);
        }
        if call.ready || self.oversleeps(call.scheduled) {
            self.wake();
        }
        true
    }

    /// Lets another worker be called.
    pub(crate) fn pass_on(&self, call: Call) {
        if call.hops > 0 {
            self.passing
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .merge(call);
            self.to_pass.notify_one();
        }
    }

    /// Waits for what is to be passed on.
    pub(crate) async fn to_pass(&self) -> Call {
        self.to_pass.notified().await;
        std::mem::take(&mut *self.passing.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Only a moment earlier than the one it sleeps until concerns a worker.
    fn oversleeps(&self, scheduled: NextDue) -> bool {
        scheduled
            .wall
            .is_some_and(|due| due < self.wall.load(Ordering::SeqCst))
            || scheduled
                .store
                .is_some_and(|due| due < self.store.load(Ordering::SeqCst))
    }
}
