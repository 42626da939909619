//! "Look now" hints: a wake-up carries no run, and losing one costs delay only. Workers that share a client are notified
//! directly; to other processes a hint goes by a socket beside the database, once the commit is over.

#[cfg(not(unix))]
mod elsewhere;
#[cfg(unix)]
mod folder;
#[cfg(unix)]
mod ring;
mod sleeper;
#[cfg(unix)]
mod unix;
mod word;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::error::Error;
use crate::run::RunId;
use crate::store::{Effects, WorkerId};

#[cfg(not(unix))]
use elsewhere::Others;
#[cfg(unix)]
use unix::Others;

#[cfg(not(unix))]
pub(crate) use elsewhere::Ear;
pub(crate) use sleeper::Sleeper;
#[cfg(unix)]
pub(crate) use unix::Ear;
pub(crate) use word::Call;

/// Whom a client can wake: the workers that share it, and other processes on the same file.
#[derive(Debug, Default)]
pub(crate) struct Wakes {
    sleepers: Mutex<Vec<Weak<Sleeper>>>,
    /// Unset in memory, where no other process can be.
    others: Option<Others>,
    untold: Mutex<Untold>,
}

/// What others are to be told as soon as nobody waits for it.
#[derive(Debug, Default)]
struct Untold {
    call: Call,
    cancelling: bool,
    finished: Vec<RunId>,
}

impl Wakes {
    /// Also for other processes on this file.
    pub(crate) fn on(database: &Path) -> Self {
        Self {
            others: Others::on(database),
            ..Self::default()
        }
    }

    /// Adds a worker; it is forgotten when it is dropped.
    pub(crate) fn join(&self) -> Arc<Sleeper> {
        let sleeper = Arc::<Sleeper>::default();
        let mut sleepers = self.sleepers();
        sleepers.retain(|sleeper| sleeper.strong_count() > 0);
        sleepers.push(Arc::downgrade(&sleeper));
        sleeper
    }

    /// Makes the folder in which workers hear other processes, and refuses one that others can write to.
    pub(crate) fn prepare(&self) -> Result<(), Error> {
        self.others.as_ref().map_or(Ok(()), Others::prepare)
    }

    /// A worker's ear for the words of other processes; to be opened within a runtime. `None` in memory.
    pub(crate) fn listen(&self, worker: WorkerId) -> Result<Option<Ear>, Error> {
        let others = self.others.as_ref();
        others.map(|others| others.listen(worker)).transpose()
    }

    /// An ear for the ends of runs, as [`Wakes::listen`].
    pub(crate) fn listen_for_ends(&self) -> Result<Option<Ear>, Error> {
        let others = self.others.as_ref();
        others.map(Others::listen_for_ends).transpose()
    }

    /// Wakes the workers here that a commit concerns, and keeps for [`Wakes::tell_others`] what the others should hear.
    pub(crate) fn committed(&self, effects: &Effects) {
        let call = Call::about(effects);
        let heard = self.tell_own(call, effects.cancelling);
        if self.others.is_none() {
            return;
        }
        let mut untold = self.untold();
        if !heard {
            untold.call.merge(call);
        }
        untold.cancelling |= effects.cancelling;
        let ids = effects.finished.iter().map(|(id, _)| *id);
        untold.finished.extend(ids);
    }

    /// Sends what other processes should hear. Never waits for them, but is not for the time between two commits.
    pub(crate) fn tell_others(&self) {
        let Some(others) = &self.others else { return };
        let untold = std::mem::take(&mut *self.untold());
        if !untold.call.is_empty() {
            others.call(untold.call);
        }
        if untold.cancelling {
            others.tell_of_cancelling();
        }
        others.tell_of_ends(&untold.finished);
    }

    /// Calls the next worker for what this one leaves behind.
    pub(crate) fn pass_on(&self, call: Call, ear: Option<&Ear>) {
        if let Some(others) = &self.others {
            others.pass_on(call, ear);
        }
    }

    /// Whether a worker here takes care of it: one that has a free place.
    fn tell_own(&self, call: Call, cancelling: bool) -> bool {
        let mut heard = call.is_empty();
        for sleeper in self.sleepers().iter().filter_map(Weak::upgrade) {
            if cancelling {
                sleeper.hear_of_cancelling();
            }
            heard |= sleeper.hear(call);
        }
        heard
    }

    fn sleepers(&self) -> MutexGuard<'_, Vec<Weak<Sleeper>>> {
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn untold(&self) -> MutexGuard<'_, Untold> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
