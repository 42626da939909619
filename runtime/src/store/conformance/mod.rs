//! What every store must do, told verb by verb. A store joins by bringing a [`Fixture`] and a line in `contract!`.

mod cancel;
mod claim;
mod decisions;
mod effects;
mod effort;
mod fencing;
mod insert;
mod limits;
mod list;
mod model;
mod property;
mod prune;
mod query;
mod rescue;
mod schedules;
mod schema;
mod settle;
mod sqlite;
mod strange;
mod tick;
mod unique;

use std::sync::Arc;

use super::{
    ClaimId, ClaimRequest, Claimed, ClaimedRun, Due, Effects, Ending, Inserted, KeepCaps, Kind,
    Limit, Loss, NewRun, NewWorker, Origin, RunView, ScheduleRow, Settlement, Store, StoredRule,
    Unique, Wanted, WorkerId,
};
use crate::clock::{Millis, Now};
use crate::error::Error;
use crate::job::{Missed, Overlap};
use crate::run::{AttemptOutcome, AttemptRecord, RunId, State};

/// A store under test.
trait Fixture {
    fn store(&mut self) -> &mut dyn Store;
    fn begin(&mut self);
    fn commit(&mut self) -> Effects;
    fn rollback(&mut self);
    /// Ends as a killed process does and opens what is left. A store that lives in the process only rolls back.
    fn crash(&mut self);
    /// Closes in good order and opens again. A store that lives in the process stays as it is.
    fn reopen(&mut self);
    /// Whether what a killed process leaves is opened anew.
    fn survives_by_reopening(&self) -> bool;
    /// Everything that is stored, as text.
    fn contents(&mut self) -> Vec<String>;
}

/// Makes each of these functions a test of every store.
macro_rules! contract {
    ($($name:ident)*) => {
        mod file {
            $(#[test] fn $name() { super::$name(&mut crate::store::conformance::sqlite::file()); })*
        }
        mod memory {
            $(#[test] fn $name() { super::$name(&mut crate::store::conformance::sqlite::memory()); })*
        }
    };
}
use contract;

const HOUR: Millis = 3_600_000;
const NO_CAPS: KeepCaps = KeepCaps {
    done: u32::MAX,
    failed: u32::MAX,
};

/// A store, the time, and the claims that were made.
struct Trial {
    fixture: Box<dyn Fixture>,
    now: Now,
    claims: i64,
}

impl Trial {
    fn new(fixture: impl Fixture + 'static) -> Self {
        let now = Now {
            wall: 1_700_000_000_000,
            store: 90_000_000,
        };
        Self {
            fixture: Box::new(fixture),
            now,
            claims: 0,
        }
    }

    /// Lets time pass on both clocks.
    fn pass(&mut self, time: Millis) {
        self.now.wall += time;
        self.now.store += time;
    }

    /// Does something in a transaction that commits.
    fn within<R>(&mut self, work: impl FnOnce(&mut dyn Store, Now) -> Result<R, Error>) -> R {
        self.watched(work).0
    }

    /// As `within`, and tells what others hear of it.
    fn watched<R>(
        &mut self,
        work: impl FnOnce(&mut dyn Store, Now) -> Result<R, Error>,
    ) -> (R, Effects) {
        self.fixture.begin();
        let value = work(self.fixture.store(), self.now).unwrap();
        (value, self.fixture.commit())
    }

    /// Does something in a transaction that is rolled back.
    fn undone<R>(&mut self, work: impl FnOnce(&mut dyn Store, Now) -> Result<R, Error>) -> R {
        self.fixture.begin();
        let value = work(self.fixture.store(), self.now).unwrap();
        self.fixture.rollback();
        value
    }

    fn insert(&mut self, run: &NewRun) -> RunId {
        self.within(|store, now| store.insert(run, now)).id
    }

    fn define(&mut self, row: &ScheduleRow) -> bool {
        self.within(|store, now| store.define(row, now))
    }

    fn register(&mut self, slot: i64) -> WorkerId {
        self.within(|store, now| store.register(&worker(slot), now))
    }

    fn claim(&mut self, worker: WorkerId, limit: u32) -> Vec<ClaimedRun> {
        self.claim_wanted(worker, limit, |_| Some(0)).runs
    }

    fn claim_wanted(
        &mut self,
        worker: WorkerId,
        limit: u32,
        rank: impl Fn(&Kind) -> Option<usize> + Send + Sync + 'static,
    ) -> Claimed {
        let request = self.request(worker, limit, rank);
        self.within(|store, now| store.claim(&request, now))
    }

    /// A request that takes a new claim number.
    fn request(
        &mut self,
        worker: WorkerId,
        limit: u32,
        rank: impl Fn(&Kind) -> Option<usize> + Send + Sync + 'static,
    ) -> ClaimRequest {
        self.claims += 1;
        ClaimRequest {
            claim: ClaimId::new(worker, self.claims),
            limit,
            wanted: Arc::new(Ranked(rank)),
        }
    }

    /// One run, claimed.
    fn claimed_one(&mut self, worker: WorkerId) -> ClaimedRun {
        self.insert(&run());
        self.claim(worker, 1).remove(0)
    }

    fn settle(&mut self, run: &ClaimedRun, ending: Ending) -> bool {
        let settlement = settlement(run, ending);
        self.within(|store, now| store.settle(&settlement, now))
    }

    /// After the worker's process has ended.
    fn rescue(&mut self, worker: WorkerId, limit: u32) -> u32 {
        self.within(|store, now| store.rescue(worker, Loss::Died, limit, now))
    }

    fn prune(&mut self, limit: u32, caps: KeepCaps) -> u32 {
        self.within(|store, now| {
            let cutoffs = store.cutoffs(caps)?;
            store.prune(limit, &cutoffs, now)
        })
    }

    fn view(&mut self, id: RunId) -> Option<RunView> {
        self.within(|store, now| store.run(id, now))
    }

    fn state(&mut self, id: RunId) -> Option<State> {
        self.view(id).map(|view| view.state)
    }

    fn attempts(&mut self, id: RunId) -> Vec<AttemptRecord> {
        self.within(|store, _| store.attempts(id))
    }

    fn slots(&mut self) -> Vec<i64> {
        let workers = self.within(|store, _| store.workers());
        workers.into_iter().map(|worker| worker.slot).collect()
    }
}

/// A worker that holds this byte of the one lock file.
fn worker(slot: i64) -> NewWorker {
    NewWorker {
        slot,
        lock_file: 1,
        boot: "this one".to_owned(),
        pid: 4711,
    }
}

struct Ranked<F>(F);

impl<F: Fn(&Kind) -> Option<usize> + Send + Sync> Wanted for Ranked<F> {
    fn rank(&self, kind: &Kind) -> Option<usize> {
        self.0(kind)
    }

    fn limit(&self, _: &str) -> Option<Limit> {
        None
    }
}

fn settlement(run: &ClaimedRun, ending: Ending) -> Settlement {
    Settlement {
        id: run.id,
        claim: run.claim,
        ending,
    }
}

fn kind(queue: &'static str, job: &'static str) -> Kind {
    Kind {
        queue: queue.into(),
        job: job.into(),
        version: 1,
        signature: 7,
    }
}

/// An interval that enqueues [`run`].
fn schedule(name: &str) -> ScheduleRow {
    ScheduleRow {
        name: name.to_owned(),
        origin: Origin::Attribute,
        rule: StoredRule::Every(1000),
        overlap: Overlap::Skip,
        missed: Missed::Skip,
        missed_limit: None,
        missed_window: None,
        run: run(),
    }
}

/// A run that is ready at once.
fn run() -> NewRun {
    run_due(Due::Now)
}

fn run_due(due: Due) -> NewRun {
    NewRun {
        kind: kind("default", "job"),
        priority: 10,
        due,
        payload: b"arguments".to_vec(),
        options: None,
        unique: None,
    }
}

fn run_of(kind: Kind, priority: i32) -> NewRun {
    NewRun {
        kind,
        priority,
        ..run()
    }
}

fn done(keep: Millis) -> Ending {
    Ending::Done {
        result: b"result".to_vec(),
        keep,
    }
}

/// As most runs end; many are written at once.
fn plain(keep: Millis) -> Ending {
    Ending::Done {
        result: Vec::new(),
        keep,
    }
}

fn failed(keep: Millis) -> Ending {
    Ending::Failed {
        outcome: AttemptOutcome::Panic,
        error: "it broke".to_owned(),
        keep,
    }
}

fn cancelled(keep: Millis) -> Ending {
    Ending::Cancelled {
        reason: "not needed".to_owned(),
        keep,
    }
}

fn retry(due: Millis) -> Ending {
    Ending::Retry {
        outcome: AttemptOutcome::Timeout,
        error: "too slow".to_owned(),
        due,
    }
}

fn park() -> Ending {
    Ending::Park {
        reason: "another signature".to_owned(),
    }
}

/// One ending of each sort.
fn every_ending(now: Now) -> Vec<Ending> {
    let due = now.store + 500;
    vec![
        done(0),
        done(HOUR),
        plain(0),
        plain(HOUR),
        failed(0),
        failed(HOUR),
        cancelled(0),
        cancelled(HOUR),
        retry(due),
        Ending::Snooze { due },
        Ending::Release,
        park(),
    ]
}

fn ids(runs: &[ClaimedRun]) -> Vec<RunId> {
    runs.iter().map(|run| run.id).collect()
}
