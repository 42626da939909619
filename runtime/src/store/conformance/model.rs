//! The store as plain data: the simplest thing that keeps every promise. The property test compares stores with it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::{
    AttemptOutcome, AttemptRecord, ClaimId, Due, Ending, KeepCaps, Kind, NewRun, RunId, State,
    WorkerId, worker,
};
use crate::clock::{Millis, Now, from_millis};
use crate::run::Status;
use crate::store::{Loss, NewWorker, NextDue, Unique, WorkerRow};

#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) runs: BTreeMap<RunId, Run>,
    pub(super) workers: BTreeMap<i64, WorkerId>,
    /// Those that were told to stop.
    pub(super) stopping: BTreeSet<WorkerId>,
    pub(super) ticks: BTreeMap<&'static str, (Millis, RunId)>,
    /// Which run keeps the twins of a job and key out, and until when in any case.
    unique: BTreeMap<(String, Vec<u8>), (RunId, Option<Millis>)>,
    /// A limit has held up runs since a place was last told of.
    pub(super) held_up: bool,
    /// The highest id that was ever given out.
    pub(super) highest: i64,
}

/// The job that can have a limit.
pub(super) const LIMITED: &str = "b";

#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) new: NewRun,
    pub(super) state: State,
    pub(super) due: Due,
    pub(super) enqueued_at: Millis,
    pub(super) due_at: Millis,
    pub(super) attempts: u32,
    pub(super) lost: u32,
    crashes: u32,
    /// Set exactly while it runs.
    pub(super) claim: Option<(ClaimId, WorkerId)>,
    /// Set while it runs and is asked to end.
    pub(super) cancel_keep: Option<Millis>,
    started_at: Millis,
    finished_at: Millis,
    expires: Option<Millis>,
    note: String,
    pub(super) result: Option<Vec<u8>>,
    pub(super) history: Vec<AttemptRecord>,
}

impl Model {
    pub(super) fn insert(&mut self, id: RunId, new: &NewRun, now: Now, tick: Option<Millis>) {
        let (state, due_at) = match new.due {
            Due::Wall(due) if due > now.wall => (State::Scheduled, due),
            Due::Wall(passed) => (State::Ready, passed),
            Due::Store(due) if due > now.store => (State::Scheduled, now.wall + due - now.store),
            _ => (State::Ready, now.wall),
        };
        let run = Run {
            new: new.clone(),
            state,
            due: new.due,
            enqueued_at: now.wall,
            due_at: tick.unwrap_or(due_at),
            attempts: 0,
            lost: 0,
            crashes: 0,
            claim: None,
            cancel_keep: None,
            started_at: 0,
            finished_at: 0,
            expires: None,
            note: String::new(),
            result: None,
            history: Vec::new(),
        };
        self.highest = id.0;
        self.runs.insert(id, run);
        if let Some(unique) = &new.unique {
            let until = unique.period.map(|period| now.store + period);
            self.unique.insert(twins(new, unique), (id, until));
        }
    }

    /// The run that keeps this one out.
    pub(super) fn twin(&self, new: &NewRun, now: Now) -> Option<RunId> {
        let unique = new.unique.as_ref()?;
        let (id, until) = *self.unique.get(&twins(new, unique))?;
        let waits_or_runs = self.runs.get(&id).is_some_and(|run| {
            matches!(run.state, State::Ready | State::Scheduled | State::Running)
        });
        (waits_or_runs || until.is_some_and(|until| until > now.store)).then_some(id)
    }

    /// Of these, in their order, as many as are asked for and as the limit lets run, and one suspect in each worker.
    pub(super) fn within_limit(
        &mut self,
        worker: WorkerId,
        claimable: Vec<RunId>,
        asked: u32,
        most: Option<u32>,
    ) -> Vec<RunId> {
        let is_limited = |run: &Run| run.new.kind.job == LIMITED;
        let running = self
            .runs
            .values()
            .filter(|run| run.state == State::Running && is_limited(run));
        let mut running = u32::try_from(running.count()).unwrap();
        let of_worker = |run: &Run| run.claim.is_some_and(|(_, holder)| holder == worker);
        let mut has_suspect = self
            .runs
            .values()
            .any(|run| run.is_suspect() && of_worker(run));
        let mut taken = Vec::new();
        let mut met = false;
        for id in claimable {
            let limited = is_limited(&self.runs[&id]);
            let is_suspect = self.runs[&id].is_suspect();
            met |= limited;
            if taken.len() == usize::try_from(asked).unwrap() {
                continue;
            }
            if is_suspect && has_suspect || limited && most.is_some_and(|most| running >= most) {
                continue;
            }
            has_suspect |= is_suspect;
            running += u32::from(limited);
            taken.push(id);
        }
        self.held_up |= met && most.is_some_and(|most| running >= most);
        taken
    }

    /// Whether runs are ready that another worker could claim: those that this one does not want, and those for which
    /// it had no place.
    pub(super) fn has_more(
        &self,
        rank: impl Fn(&Kind) -> Option<usize>,
        most: Option<u32>,
    ) -> bool {
        let is_limited = |run: &Run| run.new.kind.job == LIMITED;
        let running = self
            .runs
            .values()
            .filter(|run| run.state == State::Running && is_limited(run));
        let running = u32::try_from(running.count()).unwrap();
        self.runs.values().any(|run| {
            let is_held_up = is_limited(run) && most.is_some_and(|most| running >= most);
            run.state == State::Ready && (rank(&run.new.kind).is_none() || !is_held_up)
        })
    }

    /// Whether any of these runs was parked; then it is ready.
    pub(super) fn unpark(&mut self, rank: impl Fn(&Kind) -> Option<usize>) -> bool {
        let mut unparked = false;
        for run in self.runs.values_mut() {
            if run.state == State::Incompatible && rank(&run.new.kind).is_some() {
                run.state = State::Ready;
                run.note = String::new();
                unparked = true;
            }
        }
        unparked
    }

    /// False if the run has ended, or never was.
    pub(super) fn cancel(&mut self, id: RunId, keep: Millis, now: Now) -> bool {
        let Some(run) = self.runs.get_mut(&id) else {
            return false;
        };
        match run.state {
            State::Running => run.cancel_keep = Some(keep),
            State::Ready | State::Scheduled | State::Incompatible => {
                self.end_cancelled(id, keep, now);
            }
            State::Done | State::Failed | State::Cancelled => return false,
        }
        true
    }

    fn end_cancelled(&mut self, id: RunId, keep: Millis, now: Now) {
        let run = self.runs.get_mut(&id).unwrap();
        run.state = State::Cancelled;
        run.claim = None;
        run.cancel_keep = None;
        run.note = "by a caller".to_owned();
        run.crashes = 0;
        run.finished_at = now.wall;
        run.expires = Some(now.store + keep);
        if keep == 0 && id.0 < self.highest {
            self.runs.remove(&id);
        }
    }

    /// Makes ready what is due, and says in which order these may be claimed.
    pub(super) fn claimable(
        &mut self,
        now: Now,
        rank: impl Fn(&Kind) -> Option<usize>,
    ) -> Vec<RunId> {
        for run in self.runs.values_mut() {
            let is_due = match run.due {
                Due::Now => true,
                Due::Wall(due) => due <= now.wall,
                Due::Store(due) => due <= now.store,
            };
            if run.state == State::Scheduled && is_due {
                run.state = State::Ready;
            }
        }
        let ready = self
            .runs
            .iter()
            .filter(|(_, run)| run.state == State::Ready);
        let mut order: Vec<_> = ready
            .filter_map(|(id, run)| Some((rank(&run.new.kind)?, Reverse(run.new.priority), *id)))
            .collect();
        order.sort_unstable();
        order.into_iter().map(|(_, _, id)| id).collect()
    }

    pub(super) fn next_due(&self) -> NextDue {
        let waiting = || {
            self.runs
                .values()
                .filter(|run| run.state == State::Scheduled)
        };
        let wall = waiting().filter_map(|run| match run.due {
            Due::Wall(due) => Some(due),
            _ => None,
        });
        let store = waiting().filter_map(|run| match run.due {
            Due::Store(due) => Some(due),
            _ => None,
        });
        NextDue {
            wall: wall.min(),
            store: store.min(),
        }
    }

    pub(super) fn take(&mut self, id: RunId, claim: ClaimId, worker: WorkerId, now: Now) {
        let run = self.runs.get_mut(&id).unwrap();
        run.state = State::Running;
        run.claim = Some((claim, worker));
        run.started_at = now.wall;
        run.attempts += 1;
    }

    /// Whether the claim holds; then the run has ended like this.
    pub(super) fn settle(&mut self, id: RunId, claim: ClaimId, ending: &Ending, now: Now) -> bool {
        let highest = self.highest;
        let Some(run) = self.runs.get_mut(&id) else {
            return false;
        };
        if run.claim.is_none_or(|(held, _)| held != claim) {
            return false;
        }
        let asked = run.cancel_keep.take();
        if let (Some(keep), false) = (
            asked,
            matches!(ending, Ending::Done { .. } | Ending::Cancelled { .. }),
        ) {
            if let Ending::Retry { outcome, error, .. } | Ending::Failed { outcome, error, .. } =
                ending
            {
                run.record(*outcome, error, now);
            }
            self.end_cancelled(id, keep, now);
            return true;
        }
        run.claim = None;
        if !matches!(ending, Ending::Release | Ending::Park { .. }) {
            run.crashes = 0;
        }
        let keep = match ending {
            Ending::Done { result, keep } => {
                run.state = State::Done;
                run.result = Some(result.clone()).filter(|result| !result.is_empty());
                *keep
            }
            Ending::Failed {
                outcome,
                error,
                keep,
            } => {
                run.state = State::Failed;
                run.record(*outcome, error, now);
                run.note.clone_from(error);
                *keep
            }
            Ending::Cancelled { reason, keep } => {
                run.state = State::Cancelled;
                run.note.clone_from(reason);
                *keep
            }
            Ending::Retry {
                outcome,
                error,
                due,
            } => {
                run.record(*outcome, error, now);
                (run.state, run.due) = (State::Scheduled, Due::Store(*due));
                return true;
            }
            Ending::Snooze { due } => {
                run.attempts -= 1;
                (run.state, run.due) = (State::Scheduled, Due::Store(*due));
                return true;
            }
            Ending::Release => {
                run.attempts -= 1;
                run.state = State::Ready;
                return true;
            }
            Ending::Park { reason } => {
                run.attempts -= 1;
                run.state = State::Incompatible;
                run.note.clone_from(reason);
                return true;
            }
        };
        run.finished_at = now.wall;
        run.expires = Some(now.store + keep);
        if keep == 0 && id.0 < highest {
            self.runs.remove(&id);
        }
        true
    }

    pub(super) fn claimed_by(&self, worker: WorkerId) -> Vec<RunId> {
        let held = |run: &Run| run.claim.is_some_and(|(_, holder)| holder == worker);
        let claimed = self.runs.iter().filter(|(_, run)| held(run));
        claimed.map(|(id, _)| *id).collect()
    }

    /// True if that was its end.
    pub(super) fn rescue(&mut self, id: RunId, loss: Loss, now: Now) -> bool {
        let run = self.runs.get_mut(&id).unwrap();
        let (_, worker) = run.claim.take().unwrap();
        if let Some(keep) = run.cancel_keep {
            run.record(AttemptOutcome::WorkerLost, "worker lost", now);
            self.end_cancelled(id, keep, now);
            return true;
        }
        run.lost += 1;
        if loss == Loss::Died && !self.stopping.contains(&worker) {
            run.crashes += 1;
        }
        if run.crashes < 3 {
            run.record(AttemptOutcome::WorkerLost, "worker lost", now);
            run.state = State::Ready;
            return false;
        }
        let error = "its worker died 3 times in a row while it was at work, the last time as the only suspect";
        run.record(AttemptOutcome::WorkerLost, error, now);
        run.state = State::Failed;
        run.note = error.to_owned();
        run.finished_at = now.wall;
        run.expires = Some(now.store + 7 * 24 * 3_600_000);
        true
    }

    /// The finished runs that may be deleted.
    pub(super) fn prunable(&self, caps: KeepCaps, now: Now) -> Vec<RunId> {
        let mut prunable = Vec::new();
        for (state, cap) in [
            (State::Done, caps.done),
            (State::Failed, caps.failed),
            (State::Cancelled, caps.done),
        ] {
            let ended = self.runs.iter().filter(|(_, run)| run.state == state);
            let mut ended: Vec<_> = ended.map(|(id, run)| (run.expires.unwrap(), *id)).collect();
            ended.sort_unstable_by_key(|end| Reverse(*end));
            let too_many = |at: usize| at >= usize::try_from(cap).unwrap();
            let over = ended
                .into_iter()
                .enumerate()
                .filter(|(at, (expires, _))| *expires <= now.store || too_many(*at));
            prunable.extend(over.map(|(_, (_, id))| id));
        }
        prunable.retain(|id| id.0 < self.highest);
        prunable
    }

    pub(super) fn worker_rows(&self) -> Vec<WorkerRow> {
        let mut rows: Vec<_> = self
            .workers
            .iter()
            .map(|(slot, id)| {
                let NewWorker {
                    slot,
                    lock_file,
                    boot,
                    pid,
                } = worker(*slot);
                WorkerRow {
                    id: *id,
                    slot,
                    lock_file,
                    boot,
                    pid,
                    has_claims: !self.claimed_by(*id).is_empty(),
                }
            })
            .collect();
        rows.sort_unstable_by_key(|row| row.id.0);
        rows
    }
}

fn twins(new: &NewRun, unique: &Unique) -> (String, Vec<u8>) {
    (new.kind.job.clone().into_owned(), unique.key.clone())
}

impl Run {
    fn is_suspect(&self) -> bool {
        self.crashes >= 2
    }

    fn record(&mut self, outcome: AttemptOutcome, error: &str, now: Now) {
        self.history.push(AttemptRecord {
            attempt: self.attempts,
            outcome,
            error: error.to_owned(),
            started_at: from_millis(self.started_at),
            ended_at: from_millis(now.wall),
        });
    }

    pub(super) fn status(&self, now: Now) -> Status {
        let at = from_millis(self.finished_at);
        let text = self.note.clone();
        match self.state {
            State::Ready => Status::Ready,
            State::Scheduled => Status::Scheduled {
                due: from_millis(match self.due {
                    Due::Now => now.wall,
                    Due::Wall(due) => due,
                    Due::Store(due) => now.wall + due - now.store,
                }),
            },
            State::Running => Status::Running {
                attempt: self.attempts,
                since: from_millis(self.started_at),
            },
            State::Done => Status::Done { at },
            State::Failed => Status::Failed { at, error: text },
            State::Cancelled => Status::Cancelled { at, reason: text },
            State::Incompatible => Status::Incompatible { reason: text },
        }
    }
}
