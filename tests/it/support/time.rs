//! Stores on a clock that is moved by hand. The tests that move it run on one thread: then whoever sleeps has begun
//! to sleep before the test goes on.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, SystemTime};

use afterhours::testing::ManualClock;
use afterhours::{Client, Result};

use super::{Folder, LIMIT};

/// Monday, 5 January 2026, midnight in UTC.
pub(crate) fn monday() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_571_200)
}

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A store whose clock shows [`monday`] until it is moved.
pub(crate) async fn store_at_rest() -> Result<(Client, Arc<ManualClock>, Folder)> {
    store_at(monday()).await
}

/// A store whose clock shows this moment until it is moved.
pub(crate) async fn store_at(moment: SystemTime) -> Result<(Client, Arc<ManualClock>, Folder)> {
    let folder = Folder::new()?;
    let clock = ManualClock::starting_at(moment);
    let client = Client::builder(folder.store())
        .clock(Arc::clone(&clock))
        .open()
        .await?;
    Ok((client, clock, folder))
}

/// While it is kept, no timer of the runtime fires, so nothing happens that was not asked for by a word. To be made
/// where the runtime's time is paused.
pub(crate) struct StandingTime {
    end: Sender<()>,
    /// Paused time does not go on by itself while such a task is at work. Returns whether that was until the end.
    task: tokio::task::JoinHandle<bool>,
}

impl StandingTime {
    pub(crate) fn new() -> Self {
        let (end, ended) = channel();
        let task = tokio::task::spawn_blocking(move || {
            // After the limit time goes on, so that a test that waits in vain fails.
            ended.recv_timeout(LIMIT) != Err(RecvTimeoutError::Timeout)
        });
        Self { end, task }
    }

    /// Lets time go on, as far as it is waited for.
    pub(crate) async fn end(self) -> Result {
        drop(self.end);
        assert!(self.task.await?, "only after a time-out did it go on");
        Ok(())
    }
}

/// Lets the tasks of a runtime with one thread go on until all of them wait.
pub(crate) async fn all_wait() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}
