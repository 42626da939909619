//! The way to a store: open it, put runs in, look at them. A [`Client`] is a cheap clone.

use std::borrow::Cow;
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
#[cfg(feature = "testing")]
use std::sync::Weak;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::watch;

use crate::blocking::blocking;
use crate::clock::{Clock, Now, this_boot};
use crate::error::Error;
use crate::gate::Gates;
use crate::hooks::Hooks;
use crate::joiners::{Joiners, Listening};
use crate::liveness::{LockFile, LockFileId, lock_path_of};
use crate::metrics::Metrics;
use crate::place::Place;
use crate::readers::Readers;
use crate::run::{AttemptRecord, RunId};
use crate::sizes;
use crate::store::sqlite::{Location, Settings, check_file, lock_holder, open_writer, with_suffix};
use crate::store::writer::{OnCommit, Writer};
use crate::store::{Cutoffs, Effects, Inserted, KeepCaps, Kind, NewRun, RunView, Store, WorkerRow};
use crate::wake::Wakes;
#[cfg(feature = "testing")]
use crate::worker::inline::Inline;

/// A handle to one store: clone it freely.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
/// use afterhours::{Client, Worker, job};
///
/// #[job]
/// async fn greet(name: &str) -> afterhours::Result<String> {
///     Ok(format!("hello {name}"))
/// }
///
/// let client = Client::open_in_memory().await?;
/// let worker = Worker::builder(client.clone()).jobs([greet::JOB]).build()?.start().await?;
/// let run = client.enqueue(greet::prepare("Ada")).await?;
/// assert_eq!(run.join().await?, "hello Ada");
/// worker.stop().await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    writer: Writer,
    /// Unset in memory, where only the writing connection sees the store.
    readers: Option<Readers>,
    location: Location,
    /// Unset in memory.
    lock_file: Option<LockFileId>,
    /// Unset in memory.
    place: Option<Place>,
    settings: Settings,
    hooks: Hooks,
    gates: Gates,
    /// Only schedules put runs in: a worker without a store keeps its own here, and forgets them when it ends.
    is_sealed: bool,
    clock: Clock,
    /// What to add to the time since boot to get the store's clock.
    offset: i64,
    shared: Arc<Shared>,
    /// Hears of runs that end in other processes, once somebody has waited for one.
    listening: Mutex<Option<Listening>>,
    /// Executes what is enqueued, in a test that wants it so.
    #[cfg(feature = "testing")]
    inline: OnceLock<Weak<Inline>>,
}

/// What hears of commits.
#[derive(Default)]
struct Shared {
    wakes: Wakes,
    joiners: Arc<Joiners>,
    metrics: Metrics,
    /// Changes whenever a schedule does.
    schedules: watch::Sender<()>,
}

struct Told(Arc<Shared>);

impl OnCommit for Told {
    fn committed(&self, effects: Effects) {
        self.0.wakes.committed(&effects);
        if effects.schedules {
            self.0.schedules.send_replace(());
        }
        self.0.joiners.finished(effects.finished);
    }

    fn afterwards(&self) {
        self.0.wakes.tell_others();
    }
}

static INSTALLED: OnceLock<Client> = OnceLock::new();

impl Client {
    /// Makes this the client that `perform_*` functions use in this process.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # use afterhours::{Client, Error, job};
    /// # #[job] async fn send_email(user_id: u64) {}
    /// let client = Client::open_in_memory().await?;
    /// client.install()?;
    /// send_email::perform_async(42).await?;
    /// assert!(matches!(client.install(), Err(Error::AlreadyInstalled)));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::AlreadyInstalled`] at the second call.
    pub fn install(&self) -> Result<(), Error> {
        INSTALLED
            .set(self.clone())
            .map_err(|_| Error::AlreadyInstalled)
    }

    /// Stores what is under way and closes the file. Other clones then answer [`Error::Closed`].
    /// Stop the workers of this store first.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # use afterhours::{Client, Error};
    /// # let client = Client::open_in_memory().await?;
    /// let clone = client.clone();
    /// client.close().await?;
    /// assert!(matches!(clone.stats().await, Err(Error::Closed)));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If the runtime is shutting down.
    pub async fn close(self) -> Result<(), Error> {
        blocking(move || {
            self.0.writer.close();
            if let Some(readers) = &self.0.readers {
                readers.close();
            }
            *self.listening() = None;
            Ok(())
        })
        .await
    }

    /// The client that was installed, if any.
    pub(crate) fn installed() -> Option<Self> {
        INSTALLED.get().cloned()
    }

    /// What a worker without a store keeps the runs of its schedules in.
    pub(crate) fn of_schedules(clock: Clock) -> Result<Self, Error> {
        let settings = Settings {
            full: false,
            mmap: false,
            busy_timeout: Duration::ZERO,
            max_payload: sizes::PAYLOAD,
        };
        Self::opened(Location::Memory, settings, clock, Default::default(), true)
    }

    /// Opens; blocks while it does.
    pub(crate) fn open_blocking(
        location: Location,
        settings: Settings,
        clock: Clock,
        around: (Hooks, Gates),
    ) -> Result<Self, Error> {
        Self::opened(location, settings, clock, around, false)
    }

    fn opened(
        location: Location,
        settings: Settings,
        clock: Clock,
        (hooks, gates): (Hooks, Gates),
        is_sealed: bool,
    ) -> Result<Self, Error> {
        // Of many processes that open a fresh file, each must find it either absent or complete.
        // The lock ends with `opening`.
        let opening = match &location {
            Location::File(path) => {
                check_file(path, settings)?;
                Some(lock_to_open(path, settings.busy_timeout)?)
            }
            Location::Memory => None,
        };
        let (mut core, offset) = open_writer(&location, settings, &clock)?;
        let place = core.place().cloned();
        let lock_file = match (&opening, &location) {
            (Some(lock), Location::File(path)) => {
                let id = lock.id_or(fastrand::i64(1..)).map_err(lock_error)?;
                refuse_another_machine(path, lock, id, &core.workers()?)?;
                Some(id)
            }
            _ => None,
        };
        let readers = match &location {
            Location::File(path) => Some(Readers::new(path.clone(), settings)),
            Location::Memory => None,
        };
        let shared = Arc::new(Shared {
            wakes: match &location {
                Location::File(path) => Wakes::on(path),
                Location::Memory => Wakes::default(),
            },
            ..Shared::default()
        });
        let on_commit = Told(Arc::clone(&shared));
        let writer = Writer::start(core, settings, Box::new(on_commit))?;
        Ok(Self(Arc::new(Inner {
            writer,
            readers,
            location,
            lock_file,
            place,
            settings,
            hooks,
            gates,
            is_sealed,
            clock,
            offset,
            shared,
            listening: Mutex::default(),
            #[cfg(feature = "testing")]
            inline: OnceLock::new(),
        })))
    }

    /// A store in memory for one test.
    #[cfg(feature = "testing")]
    pub(crate) fn open_sandbox(clock: Clock, hooks: Hooks) -> Result<Self, Error> {
        let settings = Settings {
            full: false,
            mmap: false,
            busy_timeout: Duration::ZERO,
            max_payload: sizes::PAYLOAD,
        };
        Self::opened(
            Location::Memory,
            settings,
            clock,
            (hooks, Gates::default()),
            false,
        )
    }

    /// From now on, enqueueing executes what is due, as long as this is there.
    #[cfg(feature = "testing")]
    pub(crate) fn execute_inline(&self, inline: &Arc<Inline>) {
        // Set by the sandbox that has opened the store, alone.
        let _ = self.0.inline.set(Arc::downgrade(inline));
    }

    /// Executes what is due, in a sandbox that does so at once.
    #[cfg(feature = "testing")]
    async fn executed_inline(&self) -> Result<(), Error> {
        match self.0.inline.get().and_then(Weak::upgrade) {
            Some(inline) => Box::pin(inline.drain()).await.map(drop),
            None => Ok(()),
        }
    }

    #[cfg(not(feature = "testing"))]
    #[expect(clippy::unused_async, reason = "there are no sandboxes")]
    async fn executed_inline(&self) -> Result<(), Error> {
        Ok(())
    }

    /// As [`Client::write`], for threads outside of a runtime.
    pub(crate) fn write_blocking<R, F>(&self, work: F) -> Result<R, Error>
    where
        F: FnMut(&mut dyn Store) -> Result<R, Error> + Send + 'static,
        R: Send + 'static,
    {
        self.0.writer.call_blocking(1, work)
    }

    /// What is counted.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.shared.metrics
    }

    pub(crate) fn gates(&self) -> &Gates {
        &self.0.gates
    }

    pub(crate) fn hooks(&self) -> &Hooks {
        &self.0.hooks
    }

    /// How many bytes the arguments of a run may have, and its result.
    pub(crate) fn max_payload(&self) -> usize {
        self.0.settings.max_payload
    }

    /// This moment on both clocks.
    pub(crate) fn now(&self) -> Now {
        Now {
            wall: self.0.clock.wall(),
            store: self.0.clock.boot() + self.0.offset,
        }
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(crate) fn wakes(&self) -> &Wakes {
        &self.0.shared.wakes
    }

    /// Hears of schedules that are added, changed or removed with this client or a clone of it.
    pub(crate) fn schedule_changes(&self) -> watch::Receiver<()> {
        self.0.shared.schedules.subscribe()
    }

    pub(crate) fn joiners(&self) -> &Arc<Joiners> {
        &self.0.shared.joiners
    }

    /// Lets joiners hear of runs that end in other processes, as long as this client and runtime last.
    pub(crate) async fn listen_for_ends(&self) {
        let goes_on = || self.listening().as_ref().is_some_and(Listening::goes_on);
        if self.readers().is_none() || goes_on() {
            return;
        }
        let client = self.clone();
        let begin = move || {
            let ear = client.wakes().listen_for_ends()?;
            *client.listening() = ear.map(|ear| client.joiners().listen_with(ear));
            Ok(())
        };
        if let Err(error) = blocking(begin).await {
            tracing::debug!(target: "afterhours", error = &error as &dyn std::error::Error, "ends of runs in other processes are not heard of: looking for them");
        }
    }

    fn listening(&self) -> MutexGuard<'_, Option<Listening>> {
        self.0
            .listening
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn readers(&self) -> Option<&Readers> {
        self.0.readers.as_ref()
    }

    /// Opens the lock file of this store once more; `None` in memory, where no other process can be.
    pub(crate) fn lock_file(&self) -> Result<Option<LockFile>, Error> {
        let Location::File(path) = &self.0.location else {
            return Ok(None);
        };
        let lock = lock_file_of(path)?;
        if lock.id().map_err(lock_error)? != self.lock_file_id() {
            let reason = "its lock file (`-afterhours.lock`) was removed or replaced: stop all processes that have the database open, then start them again";
            return Err(Error::Open {
                path: path.clone(),
                reason: reason.to_owned(),
            });
        }
        Ok(Some(lock))
    }

    /// Which lock file this client has opened the store with; `None` in memory.
    pub(crate) fn lock_file_id(&self) -> Option<LockFileId> {
        self.0.lock_file
    }

    /// Fails if the files of the store were replaced or deleted.
    pub(crate) fn check_place(&self) -> Result<(), Error> {
        self.0.place.as_ref().map_or(Ok(()), Place::check)
    }

    /// The lock file at its path; `None` in memory.
    pub(crate) fn place_of_lock_file(&self) -> Result<Option<Place>, Error> {
        let Location::File(path) = &self.0.location else {
            return Ok(None);
        };
        let path = std::path::absolute(lock_path_of(path));
        Ok(Some(
            path.and_then(|path| Place::of([path]))
                .map_err(lock_error)?,
        ))
    }

    /// The database; `None` in memory.
    pub(crate) fn path(&self) -> Option<&Path> {
        match &self.0.location {
            Location::File(path) => Some(path),
            Location::Memory => None,
        }
    }

    /// The WAL; `None` in memory.
    pub(crate) fn wal(&self) -> Option<PathBuf> {
        self.path().map(|path| with_suffix(path, "-wal"))
    }

    /// The workers that are registered.
    pub(crate) async fn workers(&self) -> Result<Vec<WorkerRow>, Error> {
        match &self.0.readers {
            Some(readers) => readers.read(crate::store::sqlite::workers::list).await,
            None => self.write(0, |store| store.workers()).await,
        }
    }

    /// Which finished runs are too many.
    pub(crate) async fn cutoffs(&self, caps: KeepCaps) -> Result<Cutoffs, Error> {
        match &self.0.readers {
            Some(readers) => {
                readers
                    .read(move |conn| crate::store::sqlite::prune::cutoffs(conn, caps))
                    .await
            }
            None => self.write(0, move |store| store.cutoffs(caps)).await,
        }
    }

    /// Whether this connection has the client's file open.
    pub(crate) fn is_on_the_file_of(&self, conn: &Connection) -> bool {
        let Location::File(own) = &self.0.location else {
            return false;
        };
        // Names can differ for one file, by links or relative paths.
        let real = |path: &Path| std::fs::canonicalize(path).ok();
        let other = conn.path().and_then(|path| real(Path::new(path)));
        other.is_some() && other == real(own)
    }

    /// Does something in a transaction of the writer.
    pub(crate) async fn write<R, F>(&self, rows: usize, work: F) -> Result<R, Error>
    where
        F: FnMut(&mut dyn Store) -> Result<R, Error> + Send + 'static,
        R: Send + 'static,
    {
        self.0.writer.call(rows, work).await
    }

    /// A number that changes when another process, or another client in this one, has committed. `None` while this client
    /// writes.
    pub(crate) fn others(&self) -> Option<i64> {
        self.0.writer.others()
    }

    /// Whether nobody may enqueue here: what is in this store is lost when its worker ends.
    pub(crate) fn is_sealed(&self) -> bool {
        self.0.is_sealed
    }

    /// Refuses what would be lost with the worker.
    pub(crate) fn must_take_runs(&self) -> Result<(), Error> {
        if self.is_sealed() {
            return Err(Error::NoStore);
        }
        Ok(())
    }

    /// Stores one run, unless a twin keeps it out.
    pub(crate) async fn insert(&self, run: NewRun) -> Result<Inserted, Error> {
        self.must_take_runs()?;
        self.admit(std::slice::from_ref(&run)).await?;
        let now = self.now();
        let kind = run.kind.clone();
        let since = Instant::now();
        let inserted = self.0.writer.insert(run, now).await?;
        let id = inserted.id;
        if inserted.is_duplicate {
            tracing::debug!(target: "afterhours", job = &*kind.job, %id, "not enqueued: a twin keeps it out");
        } else {
            self.count(&kind, 1, since.elapsed());
            tracing::debug!(target: "afterhours", job = &*kind.job, %id, queue = &*kind.queue, "enqueued");
        }
        self.executed_inline().await?;
        Ok(inserted)
    }

    /// As [`Client::insert`], for threads outside of a runtime.
    pub(crate) fn insert_blocking(&self, run: NewRun) -> Result<Inserted, Error> {
        self.must_take_runs()?;
        self.admit_blocking(&run)?;
        let now = self.now();
        self.write_blocking(move |store| store.insert(&run, now))
    }

    /// Stores many runs in one transaction.
    pub(crate) async fn insert_all(&self, runs: Vec<NewRun>) -> Result<Vec<Inserted>, Error> {
        self.must_take_runs()?;
        self.admit(&runs).await?;
        let now = self.now();
        let (runs, since) = (Arc::new(runs), Instant::now());
        let stored = Arc::clone(&runs);
        let inserted = self
            .write(runs.len(), move |store| {
                let runs: Vec<_> = stored.iter().map(|run| (run, now)).collect();
                store.insert_all(&runs)
            })
            .await?;
        let took = since.elapsed();
        for alike in runs.chunk_by(|one, other| one.kind == other.kind) {
            if let [first, ..] = alike {
                self.count(&first.kind, alike.len(), took);
            }
        }
        self.executed_inline().await?;
        Ok(inserted)
    }

    /// Counts runs that were enqueued in one call.
    fn count(&self, kind: &Kind, runs: usize, took: Duration) {
        // All that call sites enqueue is of a job that is linked in.
        if let Cow::Borrowed(job) = kind.job {
            let metrics = self.metrics();
            metrics.of(job, &kind.queue, |series| {
                series.enqueued(runs as u64, took);
            });
        }
    }

    /// Looks at one run.
    pub(crate) async fn view(&self, id: RunId) -> Result<Option<RunView>, Error> {
        let now = self.now();
        match &self.0.readers {
            Some(readers) => {
                readers
                    .read(move |conn| crate::store::sqlite::query::run(conn, id, now))
                    .await
            }
            None => self.write(0, move |store| store.run(id, now)).await,
        }
    }

    /// The history of one run.
    pub(crate) async fn attempts(&self, id: RunId) -> Result<Vec<AttemptRecord>, Error> {
        match &self.0.readers {
            Some(readers) => {
                readers
                    .read(move |conn| crate::store::sqlite::query::attempts(conn, id))
                    .await
            }
            None => self.write(0, move |store| store.attempts(id)).await,
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client").field(&self.0.location).finish()
    }
}

fn lock_file_of(path: &Path) -> Result<LockFile, Error> {
    let lock_path = lock_path_of(path);
    LockFile::open(&lock_path).map_err(|source| match source.kind() {
        // It is there already: another user has made it, for himself alone.
        ErrorKind::PermissionDenied if lock_path.exists() => Error::Open {
            path: path.to_owned(),
            reason: format!(
                "its lock file `{}` belongs to another user: run all processes of a store as one user",
                lock_path.display()
            ),
        },
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Error::ReadOnly {
            path: path.to_owned(),
        },
        ErrorKind::StorageFull => Error::DiskFull,
        _ => Error::Io {
            what: format!("the lock file `{}` cannot be opened", lock_path.display()),
            source,
        },
    })
}

/// Locks do not reach beyond a machine, so its workers and ours would take each other for dead.
fn refuse_another_machine(
    path: &Path,
    lock: &LockFile,
    id: LockFileId,
    workers: &[WorkerRow],
) -> Result<(), Error> {
    let boot = this_boot();
    let of_others = workers
        .iter()
        .filter(|worker| worker.boot != boot && LockFileId(worker.lock_file) == id);
    for worker in of_others {
        if !lock.try_lock(worker.slot).map_err(lock_error)? {
            return Err(Error::Open {
                path: path.to_owned(),
                reason: format!(
                    "a worker of another machine works on it (process {} there): one file serves the processes of one machine",
                    worker.pid
                ),
            });
        }
        lock.unlock(worker.slot).map_err(lock_error)?;
    }
    Ok(())
}

fn lock_error(source: std::io::Error) -> Error {
    Error::Io {
        what: "the lock file could not be used".to_owned(),
        source,
    }
}

fn lock_to_open(path: &Path, limit: Duration) -> Result<LockFile, Error> {
    let lock = lock_file_of(path)?;
    let locked = lock.wait_to_open(limit).map_err(|source| Error::Io {
        what: "the lock file could not be locked".to_owned(),
        source,
    })?;
    if !locked {
        return Err(Error::Busy {
            waited: limit,
            // Whoever opens for long is migrating, or waits for a lock itself.
            holder: lock_holder::of(path),
        });
    }
    Ok(lock)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Due;

    /// Every enqueue allocates it, and what is larger costs glibc several times as much.
    #[tokio::test]
    async fn the_future_of_an_enqueue_is_of_a_size_that_is_found_at_once() {
        const FAST: usize = 1024;
        let location = Location::Memory;
        let settings = Settings {
            full: false,
            mmap: false,
            busy_timeout: Duration::ZERO,
            max_payload: sizes::PAYLOAD,
        };
        let client =
            Client::open_blocking(location, settings, Clock::System, Default::default()).unwrap();
        let kind = Kind {
            queue: "default".into(),
            job: "job".into(),
            version: 1,
            signature: 1,
        };
        let run = NewRun {
            kind,
            priority: 10,
            due: Due::Now,
            payload: Vec::new(),
            options: None,
            unique: None,
        };
        let size = size_of_val(&client.insert(run));
        assert!(size < FAST, "{size} bytes");
    }
}
