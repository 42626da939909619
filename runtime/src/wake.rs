//! "Look now" hints inside this process: a wake-up carries no run, and losing one costs delay only.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::Notify;

use crate::clock::Millis;
use crate::store::{Effects, NextDue};

/// The workers that share a client.
#[derive(Debug, Default)]
pub(crate) struct Wakes(Mutex<Vec<Weak<Sleeper>>>);

/// A worker that waits for something to do.
#[derive(Debug)]
pub(crate) struct Sleeper {
    notify: Notify,
    /// A run that is at work somewhere was cancelled.
    cancelling: AtomicBool,
    /// The moments at which it will look by itself.
    wall: AtomicI64,
    store: AtomicI64,
}

impl Wakes {
    /// Adds a worker; it is forgotten when it is dropped.
    pub(crate) fn join(&self) -> Arc<Sleeper> {
        let sleeper = Arc::new(Sleeper {
            notify: Notify::new(),
            cancelling: AtomicBool::new(false),
            wall: AtomicI64::new(Millis::MAX),
            store: AtomicI64::new(Millis::MAX),
        });
        let mut sleepers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sleepers.retain(|sleeper| sleeper.strong_count() > 0);
        sleepers.push(Arc::downgrade(&sleeper));
        sleeper
    }

    /// Wakes whom a commit concerns.
    pub(crate) fn committed(&self, effects: &Effects) {
        let all = effects.ready || effects.cancelling;
        if !all && effects.scheduled == NextDue::default() {
            return;
        }
        let sleepers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for sleeper in sleepers.iter().filter_map(Weak::upgrade) {
            if effects.cancelling {
                sleeper.cancelling.store(true, Ordering::SeqCst);
            }
            if all || sleeper.oversleeps(effects.scheduled) {
                sleeper.notify.notify_one();
            }
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
