//! Who waits for which run in this process.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::run::RunId;
use crate::store::Ending;

/// Waiters by run. A run finishes once, so each entry is taken out once.
#[derive(Debug, Default)]
pub(crate) struct Joiners(Mutex<HashMap<RunId, watch::Sender<Option<Ending>>>>);

impl Joiners {
    /// Starts to listen for the end of a run. To be called before the store is asked, so that nothing falls in between.
    pub(crate) fn listen(&self, id: RunId) -> watch::Receiver<Option<Ending>> {
        self.lock()
            .entry(id)
            .or_insert_with(|| watch::Sender::new(None))
            .subscribe()
    }

    /// Tells everybody who listens.
    pub(crate) fn finished(&self, ended: Vec<(RunId, Ending)>) {
        let mut joiners = self.lock();
        if joiners.is_empty() {
            return;
        }
        for (id, ending) in ended {
            if let Some(sender) = joiners.remove(&id) {
                sender.send_replace(Some(ending));
            }
        }
    }

    /// Forgets runs that nobody listens for any more.
    pub(crate) fn forget(&self, id: RunId) {
        let mut joiners = self.lock();
        if joiners
            .get(&id)
            .is_some_and(|sender| sender.receiver_count() == 0)
        {
            joiners.remove(&id);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RunId, watch::Sender<Option<Ending>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
