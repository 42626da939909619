//! Who waits for which run in this process, and how they hear of the end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::run::RunId;
use crate::store::Ending;
use crate::wake::Ear;

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

    /// Lets those who listen for these runs look at them: they have ended in another process.
    fn look(&self, ended: &[RunId]) {
        let joiners = self.lock();
        for sender in ended.iter().filter_map(|id| joiners.get(id)) {
            // Said once more, without a word.
            sender.send_replace(None);
        }
    }

    /// Listens to other processes.
    pub(crate) fn listen_with(self: &Arc<Self>, ear: Ear) -> Listening {
        let joiners = Arc::clone(self);
        Listening(tokio::spawn(async move {
            while let Ok(heard) = ear.hear().await {
                joiners.look(&heard.ended);
            }
        }))
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

/// A task that listens, until this is dropped.
pub(crate) struct Listening(JoinHandle<()>);

impl Listening {
    /// Whether it has not ended with its runtime.
    pub(crate) fn goes_on(&self) -> bool {
        !self.0.is_finished()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}
