//! Shows the other workers that this one moves, while it has runs at work: on a thread of its own, so that no job and
//! no busy runtime holds it up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread::Thread;
use std::time::Duration;

use super::shared::Shared;
use crate::error::Error;
use crate::liveness::LockFile;

/// Much less than what it takes to be given up.
const BEAT: Duration = Duration::from_secs(1);

/// For so many beats after the last run the thread stays awake: to wake it for the next one takes longer than many runs.
const LINGERS: u32 = 5;

/// The thread.
#[derive(Debug)]
pub(super) struct Pulse {
    thread: Thread,
    /// It sleeps until it is woken.
    is_asleep: Arc<AtomicBool>,
}

impl Pulse {
    /// To be called once runs are at work.
    pub(super) fn wake(&self) {
        if self.is_asleep.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
    }

    /// To be called once the worker is gone.
    pub(super) fn end(&self) {
        self.thread.unpark();
    }
}

/// Starts the thread; it ends when it is woken after the worker is gone.
pub(super) fn start(lock: LockFile, slot: i64, worker: Weak<Shared>) -> Result<Pulse, Error> {
    let is_asleep = Arc::<AtomicBool>::default();
    let thread = std::thread::Builder::new()
        .name("afterhours-pulse".to_owned())
        .spawn({
            let is_asleep = Arc::clone(&is_asleep);
            move || run(&lock, slot, &worker, &is_asleep)
        });
    let thread = thread.map_err(|source| Error::Io {
        what: "the thread that shows that a worker moves could not be started".to_owned(),
        source,
    })?;
    Ok(Pulse {
        thread: thread.thread().clone(),
        is_asleep,
    })
}

fn run(lock: &LockFile, slot: i64, worker: &Weak<Shared>, is_asleep: &AtomicBool) {
    // Goes on from what the last worker with this byte has said: a number that it repeats would be no news.
    let mut beat = lock.last_beat(slot).unwrap_or_default();
    let mut rested = 0;
    let is_at_work = || worker.upgrade().map(|worker| worker.is_at_work());
    while let Some(at_work) = is_at_work() {
        if at_work {
            rested = 0;
            beat = beat.wrapping_add(1);
            if let Err(error) = lock.beat(slot, beat) {
                tracing::error!(target: "afterhours", error = &error as &dyn std::error::Error, "the lock file could not be written: other workers may think that this one is frozen");
            }
        } else {
            rested += 1;
        }
        if rested <= LINGERS {
            std::thread::park_timeout(BEAT);
            continue;
        }
        // Whoever begins to work from here on finds it asleep, and wakes it before or after it has parked.
        is_asleep.store(true, Ordering::SeqCst);
        if is_at_work() == Some(false) {
            std::thread::park();
        }
        is_asleep.store(false, Ordering::SeqCst);
    }
}
