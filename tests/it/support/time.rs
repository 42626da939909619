//! Stores on a clock that is moved by hand. The tests that move it run on one thread: then whoever sleeps has begun
//! to sleep before the test goes on.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use afterhours::testing::ManualClock;
use afterhours::{Client, Result};

use super::Folder;

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
