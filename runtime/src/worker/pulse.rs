//! Shows the other workers that this one moves, while it has runs at work: on a thread of its own, so that no job and
//! no busy runtime holds it up.

use std::sync::Weak;
use std::thread::Thread;
use std::time::Duration;

use super::shared::Shared;
use crate::error::Error;
use crate::liveness::LockFile;

/// Much less than what it takes to be given up.
const BEAT: Duration = Duration::from_secs(1);

/// Starts the thread; it ends when it is unparked after the worker is gone.
pub(super) fn start(lock: LockFile, slot: i64, worker: Weak<Shared>) -> Result<Thread, Error> {
    let thread = std::thread::Builder::new()
        .name("afterhours-pulse".to_owned())
        .spawn(move || run(&lock, slot, &worker));
    let thread = thread.map_err(|source| Error::Io {
        what: "the thread that shows that a worker moves could not be started".to_owned(),
        source,
    })?;
    Ok(thread.thread().clone())
}

fn run(lock: &LockFile, slot: i64, worker: &Weak<Shared>) {
    // Goes on from what the last worker with this byte has said: a number that it repeats would be no news.
    let mut beat = lock.last_beat(slot).unwrap_or_default();
    loop {
        let Some(is_at_work) = worker.upgrade().map(|worker| worker.is_at_work()) else {
            return;
        };
        if !is_at_work {
            std::thread::park();
            continue;
        }
        beat = beat.wrapping_add(1);
        if let Err(error) = lock.beat(slot, beat) {
            tracing::error!(target: "afterhours", error = &error as &dyn std::error::Error, "the lock file could not be written: other workers may think that this one is frozen");
        }
        std::thread::park_timeout(BEAT);
    }
}
