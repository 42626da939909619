//! Takes back the runs of workers that died or froze, and notices that this worker itself was given up.

use std::time::{Duration, Instant};

use super::looker::Commits;
use super::shared::{Phase, Shared};
use super::stillness::Stillness;
use crate::counters::Count;
use crate::error::Error;
use crate::failpoint;
use crate::liveness::{LockFile, LockFileId};
use crate::metrics;
use crate::place::Place;
use crate::store::{Loss, WorkerRow};

/// A worker with claims that has not moved for so long is given up; it finds out when it moves again.
const FROZEN: Duration = Duration::from_secs(15);
/// Runs taken back in one transaction.
const STEP: u32 = 500;

pub(super) struct Rescuer {
    /// Opened once more, because locks of one opening do not keep each other out.
    lock: LockFile,
    id: Option<LockFileId>,
    place: Place,
    stillness: Stillness,
    last_round: Instant,
    /// As the store had them when somebody last committed.
    workers: Vec<WorkerRow>,
    /// `None` if nobody can tell.
    commits: Option<Commits>,
}

impl Rescuer {
    /// `None` in memory, where nobody else can be.
    pub(super) fn new(shared: &Shared) -> Result<Option<Self>, Error> {
        let Some(lock) = shared.client().lock_file()? else {
            return Ok(None);
        };
        let Some(place) = shared.client().place_of_lock_file()? else {
            return Ok(None);
        };
        Ok(Some(Self {
            place,
            id: lock.id().map_err(lock_error)?,
            lock,
            stillness: Stillness::default(),
            last_round: Instant::now(),
            workers: Vec::new(),
            commits: Commits::of_all(shared),
        }))
    }

    /// Looks at all workers once.
    pub(super) async fn round(&mut self, shared: &Shared) -> Result<(), Error> {
        // Others cannot see that a worker lives whose lock file is gone.
        if let Err(gone) = shared
            .client()
            .check_place()
            .and_then(|()| self.place.check())
        {
            shared.fail(gone);
            return Ok(());
        }
        let me = shared.id();
        let workers = self.workers(shared).await?;
        if workers.iter().all(|worker| worker.id != me) {
            shared.was_given_up(me);
        }
        // On this process's own clock, which stands still when the machine does.
        let passed = self.last_round.elapsed();
        self.last_round = Instant::now();
        self.stillness.keep_only(&workers);
        for worker in workers.iter().filter(|worker| worker.id != me) {
            self.look_at(shared, worker, passed).await?;
        }
        Ok(())
    }

    /// Read again when somebody has committed: an idle worker should not read the same every time.
    async fn workers(&mut self, shared: &Shared) -> Result<Vec<WorkerRow>, Error> {
        let may_differ = self.commits.as_mut().is_none_or(Commits::are_new);
        if may_differ || self.workers.is_empty() {
            // If this fails, the next round tries again.
            self.workers.clear();
            self.workers = shared.client().workers().await?;
        }
        Ok(self.workers.clone())
    }

    async fn look_at(
        &mut self,
        shared: &Shared,
        worker: &WorkerRow,
        passed: Duration,
    ) -> Result<(), Error> {
        // The bytes of another lock file tell nothing of this worker: it may live, and then moves on as we do.
        let is_of_this_file = self.id == Some(LockFileId(worker.lock_file));
        if is_of_this_file && self.is_dead(worker) {
            // Held over the transactions, so that no new worker takes the byte meanwhile.
            let rescued = rescue(shared, worker, Loss::Died).await;
            failpoint::reached("after-rescue");
            self.lock.unlock(worker.slot).map_err(lock_error)?;
            return rescued;
        }
        let beat = self.lock.last_beat(worker.slot).ok();
        let beat = beat.filter(|_| is_of_this_file);
        if self.stillness.of(worker, beat, passed) >= FROZEN {
            rescue(shared, worker, Loss::Froze).await?;
        }
        Ok(())
    }

    /// Takes its byte, if that is free.
    fn is_dead(&self, worker: &WorkerRow) -> bool {
        self.lock.try_lock(worker.slot).unwrap_or_else(|error| {
            // A stranger's number may be no byte of a file; the others are looked at all the same.
            tracing::warn!(target: "afterhours", worker = worker.id.0, slot = worker.slot, %error, "the lock of this worker could not be asked");
            false
        })
    }
}

async fn rescue(shared: &Shared, worker: &WorkerRow, loss: Loss) -> Result<(), Error> {
    let id = worker.id;
    let mut runs = 0;
    loop {
        let now = shared.client().now();
        let rescued = shared
            .client()
            .write(STEP as usize, move |store| {
                store.rescue(id, loss, STEP, now)
            })
            .await?;
        runs += rescued;
        if rescued < STEP || shared.has_entered(Phase::Draining) {
            break;
        }
        failpoint::reached("between-rescues");
    }
    metrics::rescued(runs);
    shared.count(Count::Rescued, runs.into());
    let (worker, pid) = (id.0, worker.pid);
    match loss {
        Loss::Died => {
            tracing::warn!(target: "afterhours", worker, pid, runs, "a worker is gone: its runs were taken back");
        }
        Loss::Froze => {
            tracing::warn!(target: "afterhours", worker, pid, runs, "a worker has not moved for {FROZEN:?}: its runs were taken back");
        }
    }
    Ok(())
}

fn lock_error(source: std::io::Error) -> Error {
    Error::Io {
        what: "the lock file could not be asked".to_owned(),
        source,
    }
}
