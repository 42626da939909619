//! Taking turns with other processes. SQLite gives its write lock to whoever asks at the right moment: a process that asks
//! again as soon as it has committed would get it again and again, while the others sleep between two questions.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::store::sqlite::{BeginError, Core};

/// Others that have written so lately may want to write again.
const LATELY: Duration = Duration::from_millis(5);
/// So long the lock is left to others between two transactions: time enough for one of them to ask.
const PAUSE: Duration = Duration::from_micros(20);
/// The shortest and the longest time between two questions.
const SHORTEST: Duration = Duration::from_micros(15);
const LONGEST: Duration = Duration::from_millis(5);

/// What is known of the others.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<Option<Instant>>);

impl Turns {
    /// When another process was last in the way.
    fn busy(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether others write too, so that a transaction may have to wait.
    pub(super) fn are_taken(&self) -> bool {
        self.busy().is_some_and(|at| at.elapsed() < LATELY)
    }

    /// Begins, waiting for other processes. A step is a tenth of what was waited so far: who waits for other commits
    /// should not sleep through many of them, and who waits for an outsider should not ask a thousand times.
    pub(super) fn begin(&self, core: &mut Core, patience: Duration) -> Result<(), BeginError> {
        let since = Instant::now();
        loop {
            match core.begin() {
                Err(BeginError::Busy) => {
                    *self.busy() = Some(Instant::now());
                    if since.elapsed() >= patience {
                        return Err(BeginError::Busy);
                    }
                    std::thread::sleep((since.elapsed() / 10).clamp(SHORTEST, LONGEST));
                }
                outcome => return outcome,
            }
        }
    }

    /// Between two transactions of the writer thread: lets others go first who wait.
    pub(super) fn give_way(&self) {
        if self.are_taken() {
            std::thread::sleep(PAUSE);
        }
    }
}

/// Lets this thread sleep for as short as it says: by itself the system adds 50 microseconds, to wake several at once.
pub(super) fn sleep_exactly() {
    #[cfg(target_os = "linux")]
    // Without it, waiting takes a little longer.
    let _ = nix::sys::prctl::set_timerslack(1_000);
}
