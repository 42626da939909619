//! The SQLite store: one writing connection with a file for each verb. It knows no Tokio and asks nobody for the time.

mod again;
mod cancel;
mod checkpoint;
mod claim;
mod finish;
mod insert;
mod kinds;
mod limits;
pub(crate) mod list;
pub(crate) mod lock_holder;
mod many;
mod mounted;
mod open;
pub(crate) mod overview;
mod park;
pub(crate) mod prune;
pub(crate) mod query;
pub(crate) mod queues;
mod ready;
mod release;
mod rescue;
mod retry;
mod running;
pub(crate) mod schedules;
pub(crate) mod schema;
mod settle;
mod strange;
mod tick;
mod unique;
pub(crate) mod workers;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use self::kinds::Kinds;
use super::{
    ClaimId, ClaimRequest, Claimed, Cutoffs, Effects, Inserted, KeepCaps, ListRequest, Listed,
    Loss, NewRun, NewWorker, Overview, Parked, RunRow, RunView, ScheduleRow, ScheduleView,
    Settlement, Store, Tick, Ticked, Wanted, WorkerId, WorkerRow,
};
use crate::clock::{Millis, Now};
use crate::error::Error;
use crate::place::Place;
use crate::progress::Progress;
use crate::run::{AttemptRecord, RunId};

pub(crate) use checkpoint::{Haste, move_most};
pub(crate) use open::{Location, Settings, check_file, open_reader, open_writer, with_suffix};

/// The writing connection and what it remembers between transactions.
#[derive(Debug)]
pub(crate) struct Core {
    conn: Connection,
    kinds: Kinds,
    effects: Effects,
    /// A limit has held up runs that a worker of this process wanted: a place that gets free concerns it.
    held_up: bool,
    /// None in memory.
    path: Option<PathBuf>,
    /// None in memory.
    place: Option<Place>,
    /// When somebody last looked whether the files are in their place.
    looked: Instant,
    commits: u32,
    /// Since when, and for how long, there is no checkpoint: the last one was in vain.
    resting: Option<(Instant, Duration)>,
    /// How many bytes the arguments of a run may have.
    max_payload: usize,
}

/// How a transaction could not begin.
#[derive(Debug)]
pub(crate) enum BeginError {
    /// Another process holds the write lock at this moment.
    Busy,
    Other(Error),
}

/// Whether to checkpoint the WAL is looked at once in so many commits; each adds a few pages at least.
const WAL_LOOK: u32 = 16;
/// Who reads for long keeps the WAL as it is: after a checkpoint in vain there is none for so long, and each time for twice
/// as long.
const WAL_REST: Duration = Duration::from_millis(20);
const LONGEST_REST: Duration = Duration::from_secs(1);

/// That the files are in their place is looked at this often while something is written.
const PLACE_LOOK: Duration = Duration::from_millis(250);

impl Core {
    /// Begins a transaction that may write; never waits.
    pub(crate) fn begin(&mut self) -> Result<(), BeginError> {
        self.check_place().map_err(BeginError::Other)?;
        if !self.conn.is_autocommit() {
            self.rollback();
        }
        let began = self
            .conn
            .prepare_cached("BEGIN IMMEDIATE")
            .and_then(|mut begin| begin.execute([]));
        match began {
            Ok(_) => Ok(()),
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => {
                Err(BeginError::Busy)
            }
            Err(error) => Err(BeginError::Other(error.into())),
        }
    }

    fn check_place(&mut self) -> Result<(), Error> {
        if let Some(place) = &self.place
            && self.looked.elapsed() > PLACE_LOOK
        {
            place.check()?;
            self.looked = Instant::now();
        }
        Ok(())
    }

    /// The database; `None` in memory.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Where its files are; `None` in memory.
    pub(crate) fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// Commits, and hands out what others should hear of.
    pub(crate) fn commit(&mut self) -> Result<Effects, Error> {
        let committed = self
            .conn
            .prepare_cached("COMMIT")
            .and_then(|mut commit| commit.execute([]));
        if let Err(error) = committed {
            self.rollback();
            return Err(commit_error(error));
        }
        self.commits = self.commits.wrapping_add(1);
        Ok(std::mem::take(&mut self.effects))
    }

    /// Undoes the transaction and what was remembered in it.
    pub(crate) fn rollback(&mut self) {
        // SQLite has rolled back by itself after some errors; then this one says that there is nothing to undo.
        let _ = self.conn.execute_batch("ROLLBACK");
        self.kinds.forget();
        self.effects = Effects::default();
        // An undone settlement has told nobody of its place; a wake-up too many does no harm.
        self.held_up = true;
    }

    /// A number that changes when another connection has committed.
    pub(crate) fn others(&self) -> Option<i64> {
        query::data_version(&self.conn).ok()
    }

    /// How soon the WAL should be checkpointed.
    pub(crate) fn wants_checkpoint(&self) -> Haste {
        if self.path.is_none()
            || !self.commits.is_multiple_of(WAL_LOOK)
            || self
                .resting
                .is_some_and(|(since, rest)| since.elapsed() < rest)
        {
            return Haste::No;
        }
        checkpoint::haste(&self.conn)
    }

    /// Checkpoints the whole WAL.
    pub(crate) fn catch_up(&mut self) {
        self.checkpointed(checkpoint::catch_up);
    }

    /// Ends a checkpoint of which most is done.
    pub(crate) fn end_checkpoint(&mut self) {
        self.checkpointed(checkpoint::end);
    }

    fn checkpointed(&mut self, checkpoint: fn(&mut Connection) -> Result<bool, Error>) {
        // What cannot be moved now is moved by a later checkpoint.
        let is_done = checkpoint(&mut self.conn).unwrap_or(false);
        let rest = self
            .resting
            .map_or(WAL_REST, |(_, rest)| LONGEST_REST.min(2 * rest));
        self.resting = (!is_done).then(|| (Instant::now(), rest));
    }

    /// For tests that look at all there is.
    #[cfg(test)]
    pub(crate) fn connection(&self) -> &Connection {
        &self.conn
    }

    #[cfg(test)]
    pub(crate) fn connection_mut(&mut self) -> &mut Connection {
        &mut self.conn
    }

    /// For tests with many short lives: as new, but for the statements that are compiled already.
    #[cfg(test)]
    pub(crate) fn empty(&mut self) {
        self.rollback();
        self.held_up = false;
        let tables =
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 'afterhours_*'";
        let tables: Result<Vec<String>, _> = self
            .conn
            .prepare_cached(tables)
            .and_then(|mut tables| tables.query_map([], |row| row.get(0))?.collect());
        for table in tables
            .unwrap_or_default()
            .into_iter()
            .chain(["sqlite_sequence".to_owned()])
        {
            if table != "afterhours_meta" {
                let delete = format!("DELETE FROM {table}");
                let deleted = self
                    .conn
                    .prepare_cached(&delete)
                    .and_then(|mut delete| delete.execute([]));
                assert!(deleted.is_ok(), "{deleted:?}");
            }
        }
    }

    /// What to tell those who have waited so long in vain.
    pub(crate) fn busy(&self, waited: Duration) -> Error {
        Error::Busy {
            waited,
            holder: self.path.as_deref().and_then(lock_holder::of),
        }
    }
}

/// A full disk is noticed while the WAL is written, before the commit counts; after any other failure the commit may
/// still come back when the file is recovered.
fn commit_error(error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => Error::DiskFull,
        Some(rusqlite::ErrorCode::DatabaseBusy) => Error::Busy {
            waited: Duration::ZERO,
            holder: None,
        },
        _ => Error::Unknown(error),
    }
}

/// Inserts on a connection of the application, inside its transaction.
pub(crate) fn insert_beside(
    conn: &Connection,
    run: &NewRun,
    now: Now,
) -> Result<(Inserted, Effects), Error> {
    let (mut kinds, mut effects) = (Kinds::default(), Effects::default());
    let inserted = insert::insert(conn, &mut kinds, &mut effects, run, now, None)?;
    Ok((inserted, effects))
}

impl Store for Core {
    fn insert(&mut self, run: &NewRun, now: Now) -> Result<Inserted, Error> {
        insert::insert(
            &self.conn,
            &mut self.kinds,
            &mut self.effects,
            run,
            now,
            None,
        )
    }

    fn insert_all(&mut self, runs: &[(&NewRun, Now)]) -> Result<Vec<Inserted>, Error> {
        insert::insert_all(&self.conn, &mut self.kinds, &mut self.effects, runs)
    }

    fn claim(&mut self, request: &ClaimRequest, now: Now) -> Result<Claimed, Error> {
        let mut claim = claim::Claim {
            conn: &self.conn,
            kinds: &mut self.kinds,
            effects: &mut self.effects,
            max_payload: self.max_payload,
        };
        claim.claim(&mut self.held_up, request, now)
    }

    fn settle_all(
        &mut self,
        settlements: &[Settlement],
        now: Now,
    ) -> Result<Vec<(RunId, ClaimId)>, Error> {
        settle::settle(self, settlements, now)
    }

    fn cancel(&mut self, id: RunId, keep: Millis, now: Now) -> Result<bool, Error> {
        cancel::cancel(&self.conn, &mut self.effects, id, keep, now)
    }

    fn cancelling(&mut self, worker: WorkerId) -> Result<Vec<(RunId, ClaimId)>, Error> {
        cancel::cancelling(&self.conn, worker)
    }

    fn unpark(
        &mut self,
        wanted: &dyn Wanted,
        after: Parked,
        limit: u32,
    ) -> Result<Option<Parked>, Error> {
        park::unpark(
            &self.conn,
            &mut self.kinds,
            &mut self.effects,
            wanted,
            after,
            limit,
        )
    }

    fn register(&mut self, worker: &NewWorker, now: Now) -> Result<WorkerId, Error> {
        // The caller holds the lock of that byte, so whoever is registered with it is dead.
        if let Some(dead) = workers::holder(&self.conn, worker)? {
            self.rescue(dead, Loss::Died, u32::MAX, now)?;
        }
        workers::register(&self.conn, worker, now)
    }

    fn is_registered(&mut self, worker: WorkerId) -> Result<bool, Error> {
        workers::is_registered(&self.conn, worker)
    }

    fn stopping(&mut self, worker: WorkerId) -> Result<(), Error> {
        workers::stopping(&self.conn, worker)
    }

    fn unregister(&mut self, worker: WorkerId) -> Result<(), Error> {
        workers::unregister(&self.conn, worker)
    }

    fn workers(&mut self) -> Result<Vec<WorkerRow>, Error> {
        workers::list(&self.conn)
    }

    fn rescue(&mut self, worker: WorkerId, loss: Loss, limit: u32, now: Now) -> Result<u32, Error> {
        let rescued = rescue::rescue(&self.conn, &mut self.effects, worker, loss, limit, now)?;
        if !self.effects.finished.is_empty() && std::mem::take(&mut self.held_up) {
            self.effects.ready = true;
        }
        if rescued < limit {
            // Nothing of it is left.
            workers::unregister(&self.conn, worker)?;
        }
        Ok(rescued)
    }

    fn tick(&mut self, tick: &Tick, now: Now) -> Result<Ticked, Error> {
        tick::tick(&self.conn, &mut self.kinds, &mut self.effects, tick, now)
    }

    fn define(&mut self, schedule: &ScheduleRow, now: Now) -> Result<bool, Error> {
        let known = self.schedule(&schedule.name, now)?;
        schedules::define(
            &self.conn,
            &mut self.kinds,
            &mut self.effects,
            known.as_ref(),
            schedule,
            now,
        )
    }

    fn schedules(&mut self, now: Now) -> Result<Vec<ScheduleView>, Error> {
        schedules::all(&self.conn, now, self.max_payload)
    }

    fn schedule(&mut self, name: &str, now: Now) -> Result<Option<ScheduleView>, Error> {
        schedules::one(&self.conn, name, now, self.max_payload)
    }

    fn remove_schedule(&mut self, name: &str) -> Result<bool, Error> {
        schedules::remove(&self.conn, &mut self.effects, name)
    }

    fn pause(&mut self, name: &str) -> Result<bool, Error> {
        schedules::pause(&self.conn, name)
    }

    fn resume(
        &mut self,
        name: &str,
        since: Option<Millis>,
        last_tick: Option<Millis>,
    ) -> Result<bool, Error> {
        schedules::resume(&self.conn, name, since, last_tick)
    }

    fn run_now(&mut self, name: &str, now: Now) -> Result<Option<Inserted>, Error> {
        let Some(schedule) = self.schedule(name, now)? else {
            return Ok(None);
        };
        tick::run_now(
            &self.conn,
            &mut self.kinds,
            &mut self.effects,
            &schedule,
            now,
        )
        .map(Some)
    }

    fn cutoffs(&mut self, caps: KeepCaps) -> Result<Cutoffs, Error> {
        prune::cutoffs(&self.conn, caps)
    }

    fn prune(&mut self, limit: u32, cutoffs: &Cutoffs, now: Now) -> Result<u32, Error> {
        prune::prune(&self.conn, limit, cutoffs, now)
    }

    fn shrink(&mut self) -> Result<bool, Error> {
        prune::shrink(&self.conn)
    }

    fn progress(&mut self, told: &[(RunId, ClaimId, Progress)]) -> Result<(), Error> {
        running::progress(&self.conn, told)
    }

    fn retry_now(&mut self, id: RunId) -> Result<bool, Error> {
        again::retry(&self.conn, &mut self.effects, id)
    }

    fn discard(&mut self, id: RunId, now: Now) -> Result<bool, Error> {
        again::discard(&self.conn, &mut self.effects, id, now)
    }

    fn pause_queue(&mut self, queue: &str, paused: bool) -> Result<(), Error> {
        queues::pause(&self.conn, &mut self.effects, queue, paused)
    }

    fn list(&mut self, request: &ListRequest, now: Now) -> Result<Listed, Error> {
        list::list(&self.conn, request, now)
    }

    fn row(&mut self, id: RunId, now: Now) -> Result<Option<RunRow>, Error> {
        list::one(&self.conn, id, now)
    }

    fn count_ready(&mut self, queue: &str, most: u64) -> Result<u64, Error> {
        queues::count_ready(&self.conn, queue, most)
    }

    fn overview(&mut self) -> Result<Overview, Error> {
        overview::overview(&self.conn)
    }

    fn run(&mut self, id: RunId, now: Now) -> Result<Option<RunView>, Error> {
        query::run(&self.conn, id, now)
    }

    fn attempts(&mut self, id: RunId) -> Result<Vec<AttemptRecord>, Error> {
        query::attempts(&self.conn, id)
    }
}
