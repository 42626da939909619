//! What each worker has counted, for any process of the machine to see: a small file beside the database, in which each
//! worker has a record of its own. Nobody locks anything and nobody is asked: a record carries a checksum, so one that is
//! read while it is written is read again. The file's pages are memory that all processes share. They are written by
//! `write` and not through a mapping, in which a full disk or a file cut short would end the worker by a signal.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::clock::{Millis, from_millis};
use crate::error::Error;
use crate::liveness::{LockFile, lock_path_of, open_shared, write_at};
use crate::run::AttemptOutcome;
use crate::store::Ending;
use crate::store::sqlite::with_suffix;

/// What is counted of attempts and ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Count {
    Started,
    Succeeded,
    Failed,
    TimedOut,
    Panicked,
    Retried,
    Snoozed,
    Skipped,
    Rescued,
}

impl Count {
    pub(crate) const ALL: [Self; 9] = [
        Self::Started,
        Self::Succeeded,
        Self::Failed,
        Self::TimedOut,
        Self::Panicked,
        Self::Retried,
        Self::Snoozed,
        Self::Skipped,
        Self::Rescued,
    ];

    /// What the end of an attempt counts as.
    pub(crate) fn of(ending: &Ending) -> impl Iterator<Item = Self> {
        let (first, second) = match ending {
            Ending::Done { .. } => (Some(Self::Succeeded), None),
            Ending::Failed { outcome, .. } => (Some(Self::of_failure(*outcome)), None),
            Ending::Retry { outcome, .. } => {
                (Some(Self::of_failure(*outcome)), Some(Self::Retried))
            }
            Ending::Snooze { .. } => (Some(Self::Snoozed), None),
            Ending::Cancelled { .. } | Ending::Release | Ending::Park { .. } => (None, None),
        };
        first.into_iter().chain(second)
    }

    fn of_failure(outcome: AttemptOutcome) -> Self {
        match outcome {
            AttemptOutcome::Error | AttemptOutcome::WorkerLost => Self::Failed,
            AttemptOutcome::Timeout => Self::TimedOut,
            AttemptOutcome::Panic => Self::Panicked,
        }
    }
}

/// What a worker of this machine has counted since it started, seen from any process. Nobody is asked, so it works while
/// the worker is busy or stuck, and the store need not be opened.
///
/// A worker writes its counters four times a second while something happens. With a recorder of `metrics` installed, the
/// process of a worker counts the same by job and queue.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("jobs.db");
/// # let client = afterhours::Client::open(&path).await?;
/// # #[afterhours::job] async fn tidy_up() {}
/// use afterhours::{Worker, WorkerCounters};
///
/// assert!(WorkerCounters::read(&path)?.is_empty());
/// let builder = Worker::builder(client).jobs([tidy_up::JOB]);
/// let worker = builder.concurrency(4).build()?.start().await?;
///
/// for worker in WorkerCounters::read(&path)? {
///     println!("process {}: {} of {} places taken", worker.pid, worker.active, worker.concurrency);
/// #   assert_eq!((worker.pid, worker.active, worker.concurrency), (std::process::id(), 0, 4));
/// }
/// # assert_eq!(WorkerCounters::read(&path)?.len(), 1);
/// worker.stop().await?;
/// assert!(WorkerCounters::read(&path)?.is_empty());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerCounters {
    /// Its process.
    pub pid: u32,
    /// When it started, to the millisecond.
    pub started_at: SystemTime,
    /// When it wrote this, to the millisecond. Long ago if nothing has happened since; not while it waits for its last
    /// attempts, after it was told to stop.
    pub written_at: SystemTime,
    /// How many attempts it executes at a time.
    pub concurrency: u64,
    /// Attempts that are at work, or have ended and wait to be written down.
    pub active: u64,
    /// Attempts that have started.
    pub started: u64,
    /// Attempts that succeeded, as far as that is written down; likewise those below.
    pub succeeded: u64,
    /// Attempts that returned an error.
    pub failed: u64,
    /// Attempts that took too long.
    pub timed_out: u64,
    /// Attempts that panicked.
    pub panicked: u64,
    /// Of the three above, those after which another one follows.
    pub retried: u64,
    /// Attempts that want to be asked again.
    pub snoozed: u64,
    /// Ticks that found the last run still active.
    pub skipped: u64,
    /// Runs that this worker has taken back from dead or frozen ones.
    pub rescued: u64,
}

impl WorkerCounters {
    /// Those of all living workers of the store at this path, of whatever process. Empty if there are none, or no store.
    ///
    /// # Errors
    /// If the file `-afterhours.counters` beside the database, or the lock file there, cannot be read: they belong to the
    /// user who runs the workers.
    pub fn read(store: impl AsRef<Path>) -> Result<Vec<Self>, Error> {
        read_living(store.as_ref()).map_err(|source| Error::Io {
            what: format!(
                "the workers' counters beside `{}` cannot be read",
                store.as_ref().display()
            ),
            source,
        })
    }
}

/// What is written down of one worker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) pid: u32,
    pub(crate) started_at: Millis,
    pub(crate) written_at: Millis,
    pub(crate) concurrency: u64,
    pub(crate) active: u64,
    pub(crate) counts: [u64; Count::ALL.len()],
}

/// The first number of a record that is laid out like this.
const LAYOUT: u64 = 1;
/// Numbers of eight bytes; the last is the checksum of the others.
const NUMBERS: usize = 32;
const BYTES: usize = NUMBERS * 8;
/// Where the counts begin.
const COUNTS: usize = 6;
/// A record is written in less than a microsecond.
const TRIES: u32 = 3;

impl Record {
    fn encode(&self) -> [u8; BYTES] {
        let mut numbers = [0; NUMBERS];
        numbers[..COUNTS].copy_from_slice(&[
            LAYOUT,
            self.pid.into(),
            self.started_at.cast_unsigned(),
            self.written_at.cast_unsigned(),
            self.concurrency,
            self.active,
        ]);
        numbers[COUNTS..COUNTS + self.counts.len()].copy_from_slice(&self.counts);
        let mut bytes = [0; BYTES];
        for (place, number) in bytes.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        let sum = u64::from(crc32fast::hash(&bytes[..BYTES - 8]));
        bytes[BYTES - 8..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// `None` of a record that is empty, laid out by another build, or read while it was written.
    fn decode(bytes: &[u8; BYTES]) -> Option<Self> {
        let mut numbers = [0; NUMBERS];
        for (number, place) in numbers.iter_mut().zip(bytes.chunks_exact(8)) {
            *number = u64::from_le_bytes(place.try_into().ok()?);
        }
        let sum = u64::from(crc32fast::hash(&bytes[..BYTES - 8]));
        if numbers[0] != LAYOUT || numbers[NUMBERS - 1] != sum {
            return None;
        }
        Some(Self {
            pid: u32::try_from(numbers[1]).ok()?,
            started_at: numbers[2].cast_signed(),
            written_at: numbers[3].cast_signed(),
            concurrency: numbers[4],
            active: numbers[5],
            counts: numbers[COUNTS..].first_chunk().copied()?,
        })
    }
}

impl From<Record> for WorkerCounters {
    fn from(record: Record) -> Self {
        let count = |count: Count| record.counts[count as usize];
        Self {
            pid: record.pid,
            started_at: from_millis(record.started_at),
            written_at: from_millis(record.written_at),
            concurrency: record.concurrency,
            active: record.active,
            started: count(Count::Started),
            succeeded: count(Count::Succeeded),
            failed: count(Count::Failed),
            timed_out: count(Count::TimedOut),
            panicked: count(Count::Panicked),
            retried: count(Count::Retried),
            snoozed: count(Count::Snoozed),
            skipped: count(Count::Skipped),
            rescued: count(Count::Rescued),
        }
    }
}

/// The place of one worker's record.
#[derive(Debug)]
pub(crate) struct Page {
    file: File,
    offset: u64,
}

impl Page {
    /// That of the worker that holds this byte of the lock file.
    pub(crate) fn open(store: &Path, slot: i64) -> io::Result<Self> {
        Ok(Self {
            file: open_shared(&path_of(store))?,
            offset: (place(slot) * BYTES) as u64,
        })
    }

    pub(crate) fn write(&self, record: &Record) -> io::Result<()> {
        write_at(&self.file, &record.encode(), self.offset)
    }

    /// The worker is gone.
    pub(crate) fn clear(&self) -> io::Result<()> {
        write_at(&self.file, &[0; BYTES], self.offset)
    }
}

fn path_of(store: &Path) -> PathBuf {
    with_suffix(store, "-afterhours.counters")
}

/// Slots count from 1.
fn place(slot: i64) -> usize {
    usize::try_from(slot - 1).unwrap_or_default()
}

fn read_living(store: &Path) -> io::Result<Vec<WorkerCounters>> {
    let (path, lock_path) = (path_of(store), lock_path_of(store));
    let found = read_all(&path)?;
    // To open a lock file that is not there would make one.
    if found.is_empty() || !lock_path.try_exists()? {
        return Ok(Vec::new());
    }
    let lock = LockFile::open(&lock_path)?;
    let mut living = Vec::new();
    for (slot, record) in (1..).zip(found) {
        if lock.is_locked(slot)? {
            let record =
                record.map_or_else(|| read_again(&path, slot), |record| Ok(Some(record)))?;
            living.extend(record.map(WorkerCounters::from));
        }
    }
    Ok(living)
}

/// One that was being written, or that has not been written yet.
fn read_again(path: &Path, slot: i64) -> io::Result<Option<Record>> {
    for _ in 1..TRIES {
        let record = read_all(path)?.into_iter().nth(place(slot)).flatten();
        if record.is_some() {
            return Ok(record);
        }
    }
    Ok(None)
}

/// The records of all slots, in their order.
fn read_all(path: &Path) -> io::Result<Vec<Option<Record>>> {
    match std::fs::read(path) {
        Ok(found) => Ok(found.as_chunks().0.iter().map(Record::decode).collect()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(pid: u32) -> Record {
        Record {
            pid,
            started_at: 1_000,
            written_at: 2_000,
            concurrency: 4,
            active: 3,
            counts: std::array::from_fn(|at| at as u64 + 10),
        }
    }

    /// Slots in the lock file of a store, held as by workers.
    fn held(store: &Path, slots: usize) -> io::Result<Vec<LockFile>> {
        let slot = |_| {
            let lock = LockFile::open(&lock_path_of(store))?;
            lock.take_slot()?;
            Ok(lock)
        };
        (0..slots).map(slot).collect()
    }

    #[test]
    fn each_living_worker_is_seen_with_what_it_has_written() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let store = folder.path().join("jobs.db");
        assert_eq!(read_living(&store)?, []);
        let locks = held(&store, 3)?;
        // The second has written nothing yet.
        Page::open(&store, 3)?.write(&record(33))?;
        let page = Page::open(&store, 1)?;
        page.write(&record(10))?;
        page.write(&record(11))?;
        let pids = |living: &[WorkerCounters]| {
            let pids = living.iter().map(|worker| worker.pid);
            pids.collect::<Vec<_>>()
        };
        let living = read_living(&store)?;
        assert_eq!(pids(&living), [11, 33]);
        let first = &living[0];
        assert_eq!((first.concurrency, first.active), (4, 3));
        assert_eq!(first.started_at, from_millis(1_000));
        assert_eq!(first.written_at, from_millis(2_000));
        let counts = [
            first.started,
            first.succeeded,
            first.failed,
            first.timed_out,
            first.panicked,
            first.retried,
            first.snoozed,
            first.skipped,
            first.rescued,
        ];
        assert_eq!(counts, record(0).counts);
        page.clear()?;
        assert_eq!(pids(&read_living(&store)?), [33]);
        drop(locks);
        assert_eq!(read_living(&store)?, [], "their processes have ended");
        Ok(())
    }

    #[test]
    fn a_record_of_another_build_or_half_written_is_none() {
        let mut half = record(1).encode();
        half[..64].copy_from_slice(&record(2).encode()[..64]);
        assert_eq!(Record::decode(&half), None);
        let mut other = record(1).encode();
        other[0] = 2;
        let sum = u64::from(crc32fast::hash(&other[..BYTES - 8]));
        other[BYTES - 8..].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(Record::decode(&other), None);
        assert_eq!(Record::decode(&[0; BYTES]), None);
        assert_eq!(Record::decode(&record(1).encode()), Some(record(1)));
    }

    #[test]
    fn a_store_whose_lock_file_is_gone_has_no_workers_and_gets_no_file() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let store = folder.path().join("jobs.db");
        Page::open(&store, 1)?.write(&record(1))?;
        assert_eq!(read_living(&store)?, []);
        assert!(!lock_path_of(&store).exists());
        Ok(())
    }
}
