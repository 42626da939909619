//! Opening a client, and its settings.

use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use crate::blocking::blocking;
use crate::client::Client;
use crate::clock::Clock;
use crate::error::Error;
use crate::gate::{Gates, QueueLimit};
use crate::hooks::{Hook, Hooks};
use crate::sizes;
use crate::store::sqlite::{Location, Settings};

const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
const QUEUE_WAIT: Duration = Duration::from_secs(2);

impl Client {
    /// Opens the store in this file; creates and migrates it if need be.
    ///
    /// All processes of a store run on one machine and as one user, and see its whole folder: a file that a container
    /// mounts by itself is refused. A process that forks opens its store after the fork.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # let folder = tempfile::tempdir()?;
    /// # std::env::set_current_dir(&folder)?;
    /// let client = afterhours::Client::open("jobs.db").await?;
    /// assert_eq!(client.stats().await?.ready, 0);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If the folder does not exist or everybody can write to it, if the file is no database, damaged, read-only,
    /// of a newer schema, mounted by itself, locked for longer than
    /// [`busy_timeout`](ClientBuilder::busy_timeout), or at work on another machine. The file is then left as it was.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::builder(path).open().await
    }

    /// A store that is gone when its last client and worker are; for tests and for work that may be lost.
    ///
    /// # Errors
    /// If SQLite has no memory, or no thread can be started.
    pub async fn open_in_memory() -> Result<Self, Error> {
        ClientBuilder::new(Location::Memory).open().await
    }

    /// Settings for [`Client::open`].
    pub fn builder(path: impl AsRef<Path>) -> ClientBuilder {
        ClientBuilder::new(Location::File(path.as_ref().to_owned()))
    }

    /// Creates or migrates the file and closes it again: a step for releases. Opening does it too.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("jobs.db");
    /// afterhours::Client::migrate(&path).await?;
    /// assert!(path.exists());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Client::open`].
    pub async fn migrate(path: impl AsRef<Path>) -> Result<(), Error> {
        Self::open(path).await?.close().await
    }
}

/// What survives a power cut. A crash of the process loses nothing with either. [`ClientBuilder`] shows it in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Durability {
    /// The system writes to the disk when it sees fit: a power cut can lose what was accepted shortly before.
    #[default]
    Normal,
    /// `perform_*` returns after the disk has confirmed: slower, and a power cut loses nothing that was accepted.
    Full,
}

/// Settings for opening a store: [`Client::builder`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
/// use afterhours::{Client, Durability};
/// use std::time::Duration;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("jobs.db");
/// let client = Client::builder(&path)
///     .durability(Durability::Full)
///     .mmap(false)
///     .busy_timeout(Duration::from_secs(5))
///     .open()
///     .await?;
/// assert!(path.exists());
/// client.close().await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct ClientBuilder {
    location: Location,
    durability: Durability,
    mmap: bool,
    busy_timeout: Duration,
    max_payload: usize,
    clock: Clock,
    hooks: Hooks,
    limits: Vec<(String, QueueLimit)>,
    queue_wait: Duration,
}

impl ClientBuilder {
    pub(crate) fn new(location: Location) -> Self {
        Self {
            location,
            durability: Durability::default(),
            mmap: true,
            busy_timeout: BUSY_TIMEOUT,
            max_payload: sizes::PAYLOAD,
            clock: Clock::System,
            hooks: Hooks::default(),
            limits: Vec::new(),
            queue_wait: QUEUE_WAIT,
        }
    }

    /// What survives a power cut. Default: [`Durability::Normal`].
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Whether the file is mapped into memory for reading. Default: true. Say `false` where the file lies on an
    /// overlay file system.
    pub fn mmap(mut self, mmap: bool) -> Self {
        self.mmap = mmap;
        self
    }

    /// How long a call waits while somebody else holds the file's write lock; then it is [`Error::Busy`].
    /// Default: 30 s.
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// How many bytes the arguments of a run may have, and its result, as they are stored. Default: 1,048,576 (1 MiB);
    /// from 1 byte to 256 MiB. Larger arguments are refused when they are enqueued, with
    /// [`Error::TooLarge`]; a run whose result is larger has failed, without another attempt; a worker parks runs whose
    /// arguments are larger than its own client allows. So give all processes of a store the same limit, and keep
    /// large data elsewhere: a store is read and written faster with small rows.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # use afterhours::{Client, Error, job};
    /// # #[job] async fn count_words(text: &str) {}
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("jobs.db");
    /// let client = Client::builder(path).max_payload(64 * 1024).open().await?;
    /// let refused = client.enqueue(count_words::prepare(&"a ".repeat(64 * 1024))).await;
    /// assert!(matches!(refused, Err(Error::TooLarge { limit: 65_536, .. })));
    /// # Ok(()) }
    /// ```
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.max_payload = bytes;
        self
    }

    /// How many runs of a queue may wait for a worker. From the upper number on the queue is full, until so few are left as
    /// the lower one says: meanwhile enqueueing there waits, and then fails with [`Error::QueueFull`]. So a service that is
    /// flooded says no, instead of collecting what it can never do. Default: no limit.
    ///
    /// It holds for what is enqueued with this client to start at once: not for what waits for its time, nor for schedules.
    /// A client counts ten times a second, so what others enqueue meanwhile can come on top. A batch comes in as a whole
    /// while there is room for one run.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # use afterhours::{Client, Error, job};
    /// # use std::time::Duration;
    /// # #[job(queue = "mail")] async fn send_email(user_id: u64) {}
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("jobs.db");
    /// let client = Client::builder(path)
    ///     .queue_limit("mail", 1..=2)
    ///     .queue_wait(Duration::ZERO)
    ///     .open()
    ///     .await?;
    /// for user in [1, 2] {
    ///     client.enqueue(send_email::prepare(user)).await?;
    /// }
    /// let refused = client.enqueue(send_email::prepare(3)).await;
    /// assert!(matches!(refused, Err(Error::QueueFull { limit: 2, .. })));
    /// # Ok(()) }
    /// ```
    pub fn queue_limit(mut self, queue: impl Into<String>, runs: RangeInclusive<u64>) -> Self {
        let (low, most) = runs.into_inner();
        self.limits.push((queue.into(), QueueLimit { most, low }));
        self
    }

    /// How long enqueueing into a full queue waits for room. Default: 2 s. Inside of a transaction of the application,
    /// [`enqueue_with`](crate::Prepared::enqueue_with) never waits. [`queue_limit`](Self::queue_limit) shows it in use.
    pub fn queue_wait(mut self, wait: Duration) -> Self {
        self.queue_wait = wait;
        self
    }

    /// Adds something to do around every enqueue with this client, and around every attempt of its workers. See [`Hook`].
    pub fn hook(mut self, hook: impl Hook) -> Self {
        self.hooks.add(hook);
        self
    }

    /// The clock of this store, for tests. Default: the system's. [`ManualClock`](crate::testing::ManualClock) shows it
    /// in use.
    #[cfg(feature = "testing")]
    pub fn clock(mut self, clock: std::sync::Arc<crate::clock::ManualClock>) -> Self {
        self.clock = Clock::Manual(clock);
        self
    }

    /// Opens the store.
    ///
    /// # Errors
    /// As [`Client::open`]; [`Error::Setting`] if a setting is out of range.
    pub async fn open(self) -> Result<Client, Error> {
        sizes::check_setting(self.max_payload)?;
        for (queue, limit) in &self.limits {
            check_limit(queue, *limit)?;
        }
        let settings = Settings {
            full: self.durability == Durability::Full,
            mmap: self.mmap,
            busy_timeout: self.busy_timeout,
            max_payload: self.max_payload,
        };
        let around = (self.hooks, Gates::new(self.limits, self.queue_wait));
        blocking(move || Client::open_blocking(self.location, settings, self.clock, around)).await
    }
}

fn check_limit(queue: &str, QueueLimit { most, low }: QueueLimit) -> Result<(), Error> {
    if most > 0 && low < most {
        return Ok(());
    }
    Err(Error::Setting {
        setting: "queue_limit",
        reason: format!(
            "of the queue `{queue}` {low}..={most} is no limit: the upper number is when it is full, at least 1, and the lower \
             one, below it, when it takes runs again"
        ),
    })
}
