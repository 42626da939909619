//! The place that an attempt takes among the worker's concurrent ones, and how it is lent while the attempt waits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::wake::Sleeper;

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
    Held { permit: OwnedSemaphorePermit },
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
        let place = Mutex::new(Place::Held { permit });
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

    /// Whether the attempt has ended.
    pub(crate) fn is_over(&self) -> bool {
        matches!(*self.place(), Place::Over)
    }

    /// Ends the attempt's hold on its place, and hands it out if it is not lent: freed when it is dropped.
    pub(crate) fn end(&self) -> Option<OwnedSemaphorePermit> {
        match std::mem::replace(&mut *self.place(), Place::Over) {
            Place::Held { permit } => Some(permit),
            Place::Lent { .. } | Place::Over => None,
        }
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
            *place = Place::Held { permit };
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
