//! A clock that is moved by hand.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use super::{Millis, duration_millis, to_millis};

/// A clock for tests: it moves when it is told to, and wakes whoever waits on it.
///
/// ```
/// use afterhours::testing::ManualClock;
/// use std::time::{Duration, SystemTime};
///
/// let clock = ManualClock::starting_at(SystemTime::UNIX_EPOCH);
/// clock.advance(Duration::from_secs(60));
/// clock.set_wall(SystemTime::UNIX_EPOCH); // somebody sets the wall clock back
/// ```
///
/// As the clock of a store, it lets what was delayed start:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
/// # use afterhours::{Client, Status, Worker, job, testing::ManualClock};
/// # use std::{sync::Arc, time::{Duration, SystemTime}};
/// # #[job] async fn send_email(user_id: u64) {}
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("jobs.db");
/// let clock = ManualClock::starting_at(SystemTime::now());
/// let client = Client::builder(path).clock(Arc::clone(&clock)).open().await?;
/// # let worker = Worker::builder(client.clone()).jobs([send_email::JOB]).build()?.start().await?;
/// let run = client.enqueue(send_email::prepare(42).delay(Duration::from_secs(3600))).await?;
/// assert!(matches!(run.status().await?, Status::Scheduled { .. }));
/// clock.advance(Duration::from_secs(3600));
/// run.join().await?;
/// # worker.stop().await
/// # }
/// ```
#[derive(Debug)]
pub struct ManualClock(watch::Sender<Reading>);

#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pub(super) wall: Millis,
    pub(super) boot: Millis,
}

impl ManualClock {
    /// A clock that shows `wall`, to the millisecond, until it is moved.
    #[must_use]
    pub fn starting_at(wall: SystemTime) -> Arc<Self> {
        let wall = to_millis(wall);
        Arc::new(Self(watch::Sender::new(Reading { wall, boot: 0 })))
    }

    /// Lets time pass on both clocks, to the millisecond.
    pub fn advance(&self, duration: Duration) {
        let step = duration_millis(duration);
        self.0.send_modify(|reading| {
            reading.wall += step;
            reading.boot += step;
        });
    }

    /// Sets the wall clock, as an administrator or NTP would; no time passes.
    pub fn set_wall(&self, wall: SystemTime) {
        self.0.send_modify(|reading| reading.wall = to_millis(wall));
    }

    /// Milliseconds since 1970.
    #[cfg(feature = "testing")]
    pub(crate) fn wall(&self) -> Millis {
        self.read().wall
    }

    pub(super) fn read(&self) -> Reading {
        *self.0.borrow()
    }

    pub(super) async fn sleep(&self, duration: Duration) {
        let until = self.read().boot + duration_millis(duration);
        let mut readings = self.0.subscribe();
        // The sender lives as long as `self`, so this cannot fail.
        let _ = readings.wait_for(|reading| reading.boot >= until).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use std::time::UNIX_EPOCH;

    #[tokio::test(start_paused = true)]
    async fn a_manual_sleep_ends_when_the_clock_is_moved() {
        let manual = ManualClock::starting_at(UNIX_EPOCH);
        let clock = Clock::Manual(Arc::clone(&manual));
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep(Duration::from_secs(60)).await }
        });
        tokio::task::yield_now().await;
        manual.set_wall(UNIX_EPOCH + Duration::from_secs(3600));
        manual.advance(Duration::from_secs(59));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        manual.advance(Duration::from_secs(1));
        sleeper.await.unwrap();
        assert_eq!(clock.boot(), 60_000);
    }
}
