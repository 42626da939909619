//! What can be seen of a store as a whole.

use std::time::Duration;

use crate::blocking::blocking;
use crate::client::Client;
use crate::clock::until;
use crate::error::Error;
use crate::metrics;
use crate::store::Overview;
use crate::store::sqlite::overview::overview;

/// A look at the store, from [`Client::stats`], which shows it in use.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Runs that wait for a worker.
    pub ready: u64,
    /// Runs that wait for their time.
    pub scheduled: u64,
    /// Runs that workers have claimed.
    pub running: u64,
    /// Runs that are done and kept.
    pub done: u64,
    /// Runs that have failed for good and are kept.
    pub failed: u64,
    /// Runs that were cancelled and are kept.
    pub cancelled: u64,
    /// Runs that are parked because their arguments do not fit a build that looked at them.
    pub incompatible: u64,
    /// How long the first of the ready runs has waited, to the millisecond. Of each job and priority the run is looked
    /// at that was enqueued first; one that was retried counts from then too.
    pub oldest_ready: Option<Duration>,
    /// How many workers there are, in all processes; one that died counts until others have taken its runs back.
    pub workers: u64,
    /// The queues that were ever used, and those that are paused, by name.
    pub queues: Vec<QueueStats>,
    /// How large the `-wal` file beside the database is, in bytes; 0 in memory.
    ///
    /// 32 to 65 MiB are usual where much is written. If it keeps growing, some process reads the database in one
    /// transaction for very long; workers warn of that in their log.
    pub wal_size: u64,
}

/// A queue, from [`Client::stats`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
/// # use afterhours::{Client, job};
/// # #[job(queue = "mail")] async fn send_email(user_id: u64) {}
/// # let client = Client::open_in_memory().await?;
/// client.enqueue(send_email::prepare(42)).await?;
/// let queue = &client.stats().await?.queues[0];
/// assert_eq!((queue.name.as_str(), queue.ready, queue.running), ("mail", 1, 0));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStats {
    /// Its name.
    pub name: String,
    /// Runs of it that wait for a worker.
    pub ready: u64,
    /// Runs of it that workers have claimed.
    pub running: u64,
    /// Whether nothing is claimed from it: see [`Client::pause_queue`].
    pub is_paused: bool,
}

impl Client {
    /// Looks at the store as a whole, and sets the gauges of the store to what it sees. It counts what is there: some 10 ms for each million of runs.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("jobs.db");
    /// use afterhours::Client;
    ///
    /// let client = Client::open(path).await?;
    /// let stats = client.stats().await?;
    /// assert_eq!((stats.ready, stats.oldest_ready), (0, None));
    /// assert!(stats.wal_size < 64 * 1024 * 1024);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn stats(&self) -> Result<Stats, Error> {
        let wal_size = match self.wal() {
            None => 0,
            // Looking at the name alone: to open the file would drop the locks of SQLite.
            Some(wal) => {
                blocking(move || match std::fs::metadata(&wal) {
                    Ok(found) => Ok(found.len()),
                    Err(source) => Err(Error::Io {
                        what: format!("`{}` cannot be looked at", wal.display()),
                        source,
                    }),
                })
                .await?
            }
        };
        let overview = self.overview().await?;
        let now = self.now().wall;
        let queues = overview
            .queues
            .into_iter()
            .map(|(name, counts)| QueueStats {
                name,
                ready: counts.ready,
                running: counts.running,
                is_paused: counts.is_paused,
            });
        let queues: Vec<QueueStats> = queues.collect();
        let stats = Stats {
            ready: queues.iter().map(|queue| queue.ready).sum(),
            running: queues.iter().map(|queue| queue.running).sum(),
            scheduled: overview.scheduled,
            done: overview.done,
            failed: overview.failed,
            cancelled: overview.cancelled,
            incompatible: overview.incompatible,
            oldest_ready: overview.ready_since.map(|since| until(now, since)),
            workers: overview.workers,
            queues,
            wal_size,
        };
        metrics::looked(&stats);
        Ok(stats)
    }

    async fn overview(&self) -> Result<Overview, Error> {
        match self.readers() {
            Some(readers) => {
                readers
                    .read(|conn| overview(&*conn.unchecked_transaction()?))
                    .await
            }
            None => self.write(0, |store| store.overview()).await,
        }
    }
}
