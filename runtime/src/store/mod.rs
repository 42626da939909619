//! Where runs live. [`Store`] is what every store does inside one transaction; the verbs are those of a run's life.

pub(crate) mod sqlite;
pub(crate) mod writer;

#[cfg(test)]
mod conformance;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::clock::{Millis, Now};
use crate::error::Error;
use crate::job::{Missed, Overlap};
use crate::progress::Progress;
use crate::run::{AttemptOutcome, AttemptRecord, RunId, State, Status};

/// What a run is, as far as claiming goes: only a worker that knows all four may claim it. Stores keep each
/// combination once and a small number in the run's row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Kind {
    pub(crate) queue: Cow<'static, str>,
    pub(crate) job: Cow<'static, str>,
    pub(crate) version: u32,
    pub(crate) signature: u32,
}

/// When a new run may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// As soon as a worker is free.
    Now,
    /// When the wall clock shows it.
    Wall(Millis),
    /// When the store's clock shows it.
    Store(Millis),
}

/// A run to insert.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NewRun {
    pub(crate) kind: Kind,
    pub(crate) priority: i32,
    pub(crate) due: Due,
    /// The sealed arguments.
    pub(crate) payload: Vec<u8>,
    pub(crate) options: Option<String>,
    pub(crate) unique: Option<Unique>,
}

/// Keeps twins of a run out: runs of the same job with the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unique {
    pub(crate) key: Vec<u8>,
    /// So long after the insert in any case, also when the run has ended.
    pub(crate) period: Option<Millis>,
}

/// What an insert came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Inserted {
    pub(crate) id: RunId,
    /// Nothing was stored: `id` is the twin that was there before.
    pub(crate) is_duplicate: bool,
}

/// Which process executes. Never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct WorkerId(pub(crate) i64);

/// The number that one claim takes, never used again: the worker's id and a count of its claims. Everything that
/// is later written for the claimed runs is checked against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ClaimId(pub(crate) i64);

impl ClaimId {
    const COUNT_BITS: u32 = 36;

    pub(crate) fn new(worker: WorkerId, count: i64) -> Self {
        Self((worker.0 << Self::COUNT_BITS) | count)
    }

    /// Who made this claim.
    pub(crate) fn worker(self) -> WorkerId {
        WorkerId(self.0 >> Self::COUNT_BITS)
    }

    /// The claims that a worker can ever have made.
    pub(crate) fn range_of(worker: WorkerId) -> (i64, i64) {
        /// A number that no store has given out has no claims, and none of another's.
        const MOST: i64 = i64::MAX >> ClaimId::COUNT_BITS;
        if !(1..MOST).contains(&worker.0) {
            return (1, 0);
        }
        (
            Self::new(worker, 0).0,
            Self::new(WorkerId(worker.0 + 1), 0).0 - 1,
        )
    }
}

/// Decides what a worker takes.
pub(crate) trait Wanted: Send + Sync {
    /// The place of this kind in the worker's order of queues, lowest first; `None` if the worker cannot run it.
    fn rank(&self, kind: &Kind) -> Option<usize>;

    /// How many runs stored under this job name may run at a time, over all workers; `None` = as many as there are.
    fn limit(&self, job: &str) -> Option<Limit>;
}

/// The limit of a job. Runs stored under any of its names count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Limit {
    pub(crate) job: &'static str,
    pub(crate) most: u32,
}

/// A request for runs.
pub(crate) struct ClaimRequest {
    pub(crate) claim: ClaimId,
    pub(crate) limit: u32,
    pub(crate) wanted: Arc<dyn Wanted>,
}

/// A place among the parked runs, which are in the order of their kinds and ids.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Parked {
    pub(crate) kind: i64,
    pub(crate) id: i64,
}

/// What a claim brought.
#[derive(Debug, Default)]
pub(crate) struct Claimed {
    pub(crate) runs: Vec<ClaimedRun>,
    /// Some could not be read and were parked instead: others may be ready behind them.
    pub(crate) again: bool,
    /// When the next scheduled run is due, on either clock.
    pub(crate) next: NextDue,
    /// Ready runs stay behind that other workers may want: there are more than asked for, or they are not wanted here.
    pub(crate) is_more: bool,
    /// Scheduled runs became ready, of which nobody has heard.
    pub(crate) promoted: bool,
}

/// The earliest due moments on both clocks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct NextDue {
    pub(crate) wall: Option<Millis>,
    pub(crate) store: Option<Millis>,
}

/// A run that this worker may execute now.
#[derive(Debug, Clone)]
pub(crate) struct ClaimedRun {
    pub(crate) id: RunId,
    pub(crate) claim: ClaimId,
    pub(crate) kind: Arc<Kind>,
    /// Which attempt this is, from 1.
    pub(crate) attempt: u32,
    /// How many of the earlier attempts ended with the loss of their worker; those do not use up retries.
    pub(crate) lost: u32,
    pub(crate) enqueued_at: Millis,
    /// When the first attempt was due, on the wall clock.
    pub(crate) due_at: Millis,
    pub(crate) payload: Vec<u8>,
    pub(crate) options: Option<String>,
}

/// How a claim on one run ends.
#[derive(Debug, Clone)]
pub(crate) enum Ending {
    /// Finished, successfully.
    Done { result: Vec<u8>, keep: Millis },
    /// Finished: no more attempts.
    Failed {
        outcome: AttemptOutcome,
        error: String,
        keep: Millis,
    },
    /// Finished by the job's own wish.
    Cancelled { reason: String, keep: Millis },
    /// Another attempt follows at this moment of the store's clock.
    Retry {
        outcome: AttemptOutcome,
        error: String,
        due: Millis,
    },
    /// Again at this moment of the store's clock; the attempt does not count.
    Snooze { due: Millis },
    /// Given back unrun; the attempt does not count.
    Release,
    /// Its arguments do not fit this build; the attempt does not count.
    Park { reason: String },
}

/// The end of one claimed run, to be written if the claim still holds.
#[derive(Debug, Clone)]
pub(crate) struct Settlement {
    pub(crate) id: RunId,
    pub(crate) claim: ClaimId,
    pub(crate) ending: Ending,
}

/// A worker to register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewWorker {
    /// Its byte in the lock file.
    pub(crate) slot: i64,
    /// Which lock file that is.
    pub(crate) lock_file: i64,
    /// Which boot of which machine it runs in.
    pub(crate) boot: String,
    pub(crate) pid: u32,
}

/// A worker as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WorkerRow {
    pub(crate) id: WorkerId,
    pub(crate) slot: i64,
    pub(crate) lock_file: i64,
    pub(crate) boot: String,
    pub(crate) pid: u32,
    /// Whether runs are claimed by it.
    pub(crate) has_claims: bool,
}

/// One due moment of a schedule.
#[derive(Debug)]
pub(crate) struct Tick {
    /// The schedule's name.
    pub(crate) schedule: Arc<str>,
    /// The last tick that this worker knows of; the tick fires only if the store knows no later one.
    pub(crate) after: Option<Millis>,
    /// The tick, on the clock that the schedule counts on.
    pub(crate) at: Millis,
    /// What it does while the schedule's last run is active.
    pub(crate) overlap: Overlap,
    pub(crate) run: Arc<NewRun>,
    /// The wall-clock time that the run carries.
    pub(crate) due_at: Millis,
    /// How many ticks before this one passed without anybody to fire them.
    pub(crate) missed: u32,
    /// How often the store has failed to take this one.
    pub(crate) failures: u32,
}

/// What became of a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ticked {
    /// The run is enqueued.
    Fired(RunId),
    /// The last run of this schedule, or a twin of its run, is still active; the tick counts as done.
    Overlap,
    /// The schedule is paused; the tick counts as done.
    Paused,
    /// The last tick is another one than the worker knew of: this one.
    Taken(Option<Millis>),
    /// There is no such schedule any more.
    Gone,
}

/// What a schedule is: its rule, its policy, and what a tick enqueues.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ScheduleRow {
    /// Of a job's own schedule this is the job's name.
    pub(crate) name: String,
    pub(crate) origin: Origin,
    pub(crate) rule: StoredRule,
    pub(crate) overlap: Overlap,
    pub(crate) missed: Missed,
    pub(crate) missed_limit: Option<u32>,
    pub(crate) missed_window: Option<Millis>,
    pub(crate) run: NewRun,
}

/// Who made a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A job's attribute.
    Attribute,
    /// A call of `Client::schedule`.
    Client,
}

/// A rule as it is stored, not yet read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StoredRule {
    Every(Millis),
    Cron {
        expression: String,
        timezone: String,
    },
}

impl StoredRule {
    /// Whether it ticks on the wall clock; else on the store's.
    pub(crate) fn is_wall(&self) -> bool {
        matches!(self, Self::Cron { .. })
    }
}

/// A schedule, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ScheduleView {
    pub(crate) row: ScheduleRow,
    /// What is wrong with its row, if that cannot be read. Then only the name, the origin and the rule are as stored.
    pub(crate) unreadable: Option<String>,
    pub(crate) is_paused: bool,
    /// Ticks up to here were never this rule's.
    pub(crate) since: Option<Millis>,
    pub(crate) last_tick: Option<Millis>,
    pub(crate) last_run: Option<RunId>,
    /// How that run stands, or how it ended if its row is gone.
    pub(crate) last_status: Option<Status>,
    pub(crate) missed: u64,
    pub(crate) skipped: u64,
    pub(crate) failures: u64,
}

impl ScheduleView {
    /// After this moment its ticks count.
    pub(crate) fn base(&self) -> Option<Millis> {
        // Nothing is later than `None`.
        self.last_tick.max(self.since)
    }
}

/// How a worker was lost that had claimed runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Its process has ended: one of the runs at work may be why.
    Died,
    /// It does not move; that is no run's doing.
    Froze,
}

/// A worker died while the run was at work, so often in a row: then it is a suspect. The first time nobody can tell
/// which run it was, and most often it was none.
pub(crate) const SUSPECT_CRASHES: u32 = 2;
/// So many fail it: the last time it was the only suspect at work.
pub(crate) const MOST_CRASHES: u32 = 3;

/// How many finished runs stay at most, whatever their age.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeepCaps {
    pub(crate) done: u32,
    pub(crate) failed: u32,
}

/// In each state the newest run that is too many, by the moment it expires and its id.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cutoffs {
    pub(crate) done: Option<(Millis, i64)>,
    pub(crate) failed: Option<(Millis, i64)>,
    pub(crate) cancelled: Option<(Millis, i64)>,
}

/// One run as the store shows it.
#[derive(Debug, Clone)]
pub(crate) struct RunView {
    pub(crate) job: String,
    pub(crate) state: State,
    pub(crate) status: Status,
    /// The result's bytes, once done.
    pub(crate) result: Option<Vec<u8>>,
    /// Its time to be kept is over, and pruning has not got to it yet.
    pub(crate) is_expired: bool,
    pub(crate) version: u32,
    pub(crate) signature: u32,
    /// What the call site set for it.
    pub(crate) options: Option<String>,
}

/// Which runs to list.
#[derive(Debug, Clone, Default)]
pub(crate) struct ListRequest {
    pub(crate) state: Option<State>,
    pub(crate) job: Option<String>,
    pub(crate) queue: Option<String>,
    pub(crate) tag: Option<String>,
    /// A part of the last error, in whatever case.
    pub(crate) error: Option<String>,
    pub(crate) limit: usize,
    /// Where the page before ended, in the order of the state.
    pub(crate) after: Option<[i64; 4]>,
}

/// A page of runs.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub(crate) runs: Vec<RunRow>,
    /// Where the next page begins, if there may be one.
    pub(crate) next: Option<[i64; 4]>,
}

/// All that is known of one run.
#[derive(Debug, Clone)]
pub(crate) struct RunRow {
    pub(crate) id: RunId,
    pub(crate) job: String,
    pub(crate) queue: String,
    pub(crate) priority: i64,
    pub(crate) state: State,
    pub(crate) status: Status,
    /// That have begun.
    pub(crate) attempts: u32,
    pub(crate) enqueued_at: Millis,
    pub(crate) due_at: Option<Millis>,
    pub(crate) started_at: Option<Millis>,
    pub(crate) finished_at: Option<Millis>,
    pub(crate) tags: Vec<String>,
    pub(crate) metadata: BTreeMap<String, String>,
    /// How far its attempt has come, as that has told.
    pub(crate) progress: Option<Progress>,
    /// Unless it is too large to be shown.
    pub(crate) payload: Option<Vec<u8>>,
    /// Why it has ended or is parked, or else what its last attempt has come to that did not succeed.
    pub(crate) error: Option<String>,
}

/// How much there is of everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overview {
    pub(crate) scheduled: u64,
    pub(crate) done: u64,
    pub(crate) failed: u64,
    pub(crate) cancelled: u64,
    pub(crate) incompatible: u64,
    pub(crate) workers: u64,
    /// Since when the ready run waits that has waited longest, on the wall clock.
    pub(crate) ready_since: Option<Millis>,
    pub(crate) queues: BTreeMap<String, QueueCounts>,
}

/// How much there is in one queue.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct QueueCounts {
    pub(crate) ready: u64,
    pub(crate) running: u64,
    pub(crate) is_paused: bool,
}

/// What a transaction changed that others should hear of once it is committed.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Runs became ready.
    pub(crate) ready: bool,
    /// Running runs are asked to end.
    pub(crate) cancelling: bool,
    /// Schedules were added, changed or removed.
    pub(crate) schedules: bool,
    /// Runs were scheduled, the earliest for these moments.
    pub(crate) scheduled: NextDue,
    /// Runs that finished or were parked, with their results.
    pub(crate) finished: Vec<(RunId, Ending)>,
}

impl Effects {
    pub(crate) fn schedule_wall(&mut self, due: Millis) {
        self.scheduled.wall = Some(self.scheduled.wall.map_or(due, |earlier| earlier.min(due)));
    }

    pub(crate) fn schedule_store(&mut self, due: Millis) {
        self.scheduled.store = Some(self.scheduled.store.map_or(due, |earlier| earlier.min(due)));
    }
}

/// What a store does inside one transaction. Synchronous: who calls it decides where it may block.
pub(crate) trait Store {
    /// Stores a run, unless a twin keeps it out: one that waits or runs, or whose period lasts.
    fn insert(&mut self, run: &NewRun, now: Now) -> Result<Inserted, Error>;

    /// As [`Store::insert`], for many, in their order.
    fn insert_all(&mut self, runs: &[(&NewRun, Now)]) -> Result<Vec<Inserted>, Error>;

    /// Makes scheduled runs ready whose time has come, then gives out ready runs: by the worker's order of queues,
    /// then priority, then age. Those of a job that has a limit stay where they are while it is reached, and suspects
    /// while the worker has one at work.
    fn claim(&mut self, request: &ClaimRequest, now: Now) -> Result<Claimed, Error>;

    /// Writes how claimed runs ended. Returns those whose claim no longer holds: of them nothing is written.
    fn settle_all(
        &mut self,
        settlements: &[Settlement],
        now: Now,
    ) -> Result<Vec<(RunId, ClaimId)>, Error>;

    /// As [`Store::settle_all`], for one; false if its claim no longer holds.
    #[cfg(test)]
    fn settle(&mut self, settlement: &Settlement, now: Now) -> Result<bool, Error> {
        let lost = self.settle_all(std::slice::from_ref(settlement), now)?;
        Ok(lost.is_empty())
    }

    /// Ends a run that waits, and asks one that runs to end: then nothing follows its attempt, and it ends as
    /// cancelled, unless the attempt succeeds. False if the run has ended already, or never was.
    fn cancel(&mut self, id: RunId, keep: Millis, now: Now) -> Result<bool, Error>;

    /// Which of a worker's runs are asked to end.
    fn cancelling(&mut self, worker: WorkerId) -> Result<Vec<(RunId, ClaimId)>, Error>;

    /// Makes parked runs ready again that a worker wants: at most `limit` of those after this place, and says where to
    /// go on; `None` at the end. A worker does that once, because it may be the one that knows them.
    fn unpark(
        &mut self,
        wanted: &dyn Wanted,
        after: Parked,
        limit: u32,
    ) -> Result<Option<Parked>, Error>;

    /// Adds a worker that holds its byte of the lock file; whoever had the byte before is dead and rescued.
    fn register(&mut self, worker: &NewWorker, now: Now) -> Result<WorkerId, Error>;

    /// Whether the worker is still there: one that froze was given up, and must not claim under its old number.
    fn is_registered(&mut self, worker: WorkerId) -> Result<bool, Error>;

    /// Says that a worker was told to stop: what it has at work is not suspected if it dies.
    fn stopping(&mut self, worker: WorkerId) -> Result<(), Error>;

    /// Removes a worker that has settled all it claimed; one that has not stays, to be rescued.
    fn unregister(&mut self, worker: WorkerId) -> Result<(), Error>;

    /// The workers that have registered and not unregistered.
    fn workers(&mut self) -> Result<Vec<WorkerRow>, Error>;

    /// Takes back at most `limit` runs of a lost worker; when none is left, forgets the worker. If it died, those at
    /// work count a crash; one that was a suspect already fails.
    fn rescue(&mut self, worker: WorkerId, loss: Loss, limit: u32, now: Now) -> Result<u32, Error>;

    /// Enqueues the run of a tick, once.
    fn tick(&mut self, tick: &Tick, now: Now) -> Result<Ticked, Error>;

    /// Adds a schedule, or makes an older one of the name what this says; where its rule is the same it goes on where
    /// it was. A job's own schedule takes the name from one that a caller has made, never the other way round. False
    /// if the name is a job's own.
    fn define(&mut self, schedule: &ScheduleRow, now: Now) -> Result<bool, Error>;

    /// All schedules, by name.
    fn schedules(&mut self, now: Now) -> Result<Vec<ScheduleView>, Error>;

    /// One schedule, if it exists.
    fn schedule(&mut self, name: &str, now: Now) -> Result<Option<ScheduleView>, Error>;

    /// Removes a schedule; its runs stay. False if there is none.
    fn remove_schedule(&mut self, name: &str) -> Result<bool, Error>;

    /// Lets the ticks of a schedule pass without a run. False if there is none.
    fn pause(&mut self, name: &str) -> Result<bool, Error>;

    /// Lets a schedule go on after these moments. False if there is none.
    fn resume(
        &mut self,
        name: &str,
        since: Option<Millis>,
        last_tick: Option<Millis>,
    ) -> Result<bool, Error>;

    /// Enqueues a run of a schedule outside of its ticks, which are not disturbed.
    fn run_now(&mut self, name: &str, now: Now) -> Result<Option<Inserted>, Error>;

    /// Which finished runs are too many. Looks at as many as may stay.
    fn cutoffs(&mut self, caps: KeepCaps) -> Result<Cutoffs, Error>;

    /// Deletes at most `limit` finished runs whose time is over or that are too many.
    fn prune(&mut self, limit: u32, cutoffs: &Cutoffs, now: Now) -> Result<u32, Error>;

    /// Gives back some of the space that is not used, if it is much; true if more can follow.
    fn shrink(&mut self) -> Result<bool, Error>;

    /// Writes down how far these attempts have come whose claims still hold.
    fn progress(&mut self, told: &[(RunId, ClaimId, Progress)]) -> Result<(), Error>;

    /// Makes a run ready that waits for its time, has failed, was cancelled or is parked. False if it is none of these.
    fn retry_now(&mut self, id: RunId) -> Result<bool, Error>;

    /// Fails a run that waits or is parked. False if it is none of these.
    fn discard(&mut self, id: RunId, now: Now) -> Result<bool, Error>;

    /// Lets nobody claim from a queue, or lets it go on.
    fn pause_queue(&mut self, queue: &str, paused: bool) -> Result<(), Error>;

    /// Runs, a page at a time.
    fn list(&mut self, request: &ListRequest, now: Now) -> Result<Listed, Error>;

    /// All that is known of one run, if it exists.
    fn row(&mut self, id: RunId, now: Now) -> Result<Option<RunRow>, Error>;

    /// How many runs of a queue are ready, as far as `most`.
    fn count_ready(&mut self, queue: &str, most: u64) -> Result<u64, Error>;

    /// How much there is of everything.
    fn overview(&mut self) -> Result<Overview, Error>;

    /// One run, if it exists.
    fn run(&mut self, id: RunId, now: Now) -> Result<Option<RunView>, Error>;

    /// The attempts of a run that did not succeed, the oldest first.
    fn attempts(&mut self, id: RunId) -> Result<Vec<AttemptRecord>, Error>;
}

impl Ending {
    /// Whether this is all that a joiner of this build can wait for.
    pub(crate) fn concerns_joiners(&self) -> bool {
        match self {
            Self::Done { .. }
            | Self::Failed { .. }
            | Self::Cancelled { .. }
            | Self::Park { .. } => true,
            Self::Retry { .. } | Self::Snooze { .. } | Self::Release => false,
        }
    }
}
