//! What handlers tell: that a no-op job was executed, and when a job that carries its time of sending was started.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::{Measured, Result};

/// Shorter than the script's own patience, so that it is the program that says what did not happen.
const PATIENCE: Duration = Duration::from_secs(90);
/// The first starts fill caches and prepare statements; they are not counted, whoever the library is by.
pub(crate) const WARM_UP: u64 = 10;

static LEFT: AtomicU64 = AtomicU64::new(0);
static IS_OVER: Mutex<bool> = Mutex::new(false);
static OVER: Condvar = Condvar::new();

static STARTS: Mutex<Vec<u64>> = Mutex::new(Vec::new());
static STARTED: Condvar = Condvar::new();

/// Set in a process that works for another: it tells its parent.
pub(crate) static IS_CHILD: AtomicBool = AtomicBool::new(false);

/// So many no-op jobs will be executed.
pub fn expect(jobs: u64) {
    LEFT.store(jobs, Ordering::Release);
}

/// Called by the no-op handler.
pub fn executed() {
    if LEFT.fetch_sub(1, Ordering::AcqRel) == 1 {
        *IS_OVER.lock().unwrap_or_else(PoisonError::into_inner) = true;
        OVER.notify_all();
    }
}

/// Blocks until all no-op jobs were executed. The thread of `main` is none of a tokio runtime's workers, so it may.
pub fn wait_until_executed() -> Result {
    let is_over = IS_OVER.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = OVER.wait_timeout_while(is_over, PATIENCE, |is_over| !*is_over);
    let (_is_over, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
    if timeout.timed_out() {
        let left = LEFT.load(Ordering::Acquire);
        return Err(format!("{left} jobs were not executed within {PATIENCE:?}").into());
    }
    Ok(())
}

/// Nanoseconds on a clock that all processes share.
pub fn now() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
}

/// Called by the handler of a job that carries when it was sent, before anything else.
pub fn arrived(sent: u64) {
    let took = now().saturating_sub(sent);
    if IS_CHILD.load(Ordering::Relaxed) {
        // A parent that has ended needs no answer.
        let _ = writeln!(std::io::stdout().lock(), "{took}");
    } else {
        started(took);
    }
}

pub(crate) fn started(took: u64) {
    let mut starts = STARTS.lock().unwrap_or_else(PoisonError::into_inner);
    starts.push(took);
    STARTED.notify_all();
}

/// Blocks until so many jobs were started besides those that are not counted.
pub(crate) fn all_starts(count: u64) -> Result<Measured> {
    let all = count + WARM_UP;
    let starts = STARTS.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = STARTED.wait_timeout_while(starts, PATIENCE, |starts| (starts.len() as u64) < all);
    let (starts, _) = waited.unwrap_or_else(PoisonError::into_inner);
    let came = starts.len() as u64;
    if came < all {
        return Err(format!("{came} of {all} jobs were started within {PATIENCE:?}").into());
    }
    let counted = starts.iter().skip(WARM_UP as usize);
    Ok(Measured::times(
        counted.map(|took| Duration::from_nanos(*took)).collect(),
    ))
}
