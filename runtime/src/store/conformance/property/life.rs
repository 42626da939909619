//! One life: each step is taken by the store and by the [`Model`], and then all that can be seen is compared.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::sample::Index;

use super::super::model::{LIMITED, Model};
use super::super::{
    ClaimId, Due, Effects, Ending, KeepCaps, Kind, Millis, NewRun, RunId, Settlement, State, Trial,
    WorkerId, cancelled, done, every_ending, failed, ids, kind, park, retry, worker,
};
use super::{Right, Step, Twin, When};
use crate::job::Overlap;
use crate::store::{ClaimRequest, Limit, Loss, NextDue, Parked, Tick, Ticked, Unique, Wanted};

const QUEUES: [&str; 3] = ["default", "mail", "video"];
const SCHEDULES: [&str; 2] = ["hourly", "daily"];

/// The store, the model, and every claim that was ever made.
pub(super) struct Life {
    trial: Trial,
    model: Model,
    claims: Vec<(RunId, ClaimId)>,
    last_claim: BTreeMap<i64, ClaimId>,
    steps: u32,
}

/// So many steps lie between two looks at all histories: what was added to one stays there.
const HISTORIES: u32 = 8;

impl Life {
    pub(super) fn new(trial: Trial) -> Self {
        let mut life = Self {
            trial,
            model: Model::default(),
            claims: Vec::new(),
            last_claim: BTreeMap::new(),
            steps: 0,
        };
        (1..=3).for_each(|slot| life.register(slot));
        for name in SCHEDULES {
            life.trial.define(&super::super::schedule(name));
        }
        life
    }

    pub(super) fn take(&mut self, step: &Step) {
        match step {
            Step::Insert {
                queue,
                job,
                priority,
                when,
                twin,
            } => self.insert(*queue, *job, *priority, *when, *twin),
            Step::Claim {
                slot,
                limit,
                order,
                most,
            } => self.claim(*slot, *limit, order.clone(), *most),
            Step::Unpark { order, limit } => self.unpark(order.clone(), *limit),
            Step::Cancel { run, keep } => self.cancel(run, *keep),
            Step::Settle {
                run,
                keep,
                ending,
                claim,
            } => self.settle(run, *keep, ending, *claim),
            Step::Rescue { slot, froze, limit } => {
                let loss = if *froze { Loss::Froze } else { Loss::Died };
                self.rescue(*slot, loss, *limit);
            }
            Step::Stopping { slot } => self.stopping(*slot),
            Step::Register { slot } => self.register(*slot),
            Step::Unregister { slot } => self.unregister(*slot),
            Step::Tick {
                schedule,
                stale,
                at,
            } => self.tick(SCHEDULES[*schedule], *stale, *at),
            Step::Prune {
                limit,
                done,
                failed,
            } => {
                self.prune(
                    *limit,
                    KeepCaps {
                        done: *done,
                        failed: *failed,
                    },
                );
            }
            Step::Pass(time) => self.trial.pass(*time),
            Step::SetWall(jump) => self.trial.now.wall += jump,
            Step::Lose { crash } => self.lose(*crash),
            Step::Reopen => self.reopen(),
        }
        self.steps += 1;
        let opened = matches!(step, Step::Reopen | Step::Lose { .. });
        self.compare(opened || self.steps.is_multiple_of(HISTORIES));
    }

    /// Compares all there is once more.
    pub(super) fn end(mut self) {
        self.reopen();
        self.compare(true);
    }

    fn new_run(&self, queue: usize, job: usize, priority: i32, when: When) -> NewRun {
        let due = match when {
            When::Now => Due::Now,
            When::Wall(after) => Due::Wall(self.trial.now.wall + after),
            When::Store(after) => Due::Store(self.trial.now.store + after),
        };
        NewRun {
            kind: kind(QUEUES[queue], ["a", LIMITED][job]),
            priority,
            due,
            payload: vec![u8::try_from(self.model.highest % 251).unwrap()],
            options: (priority > 0).then(|| format!("{job}")),
            unique: None,
        }
    }

    fn insert(&mut self, queue: usize, job: usize, priority: i32, when: When, twin: Option<Twin>) {
        let new = NewRun {
            unique: twin.map(|Twin { key, period }| Unique {
                key: vec![key],
                period,
            }),
            ..self.new_run(queue, job, priority, when)
        };
        let (inserted, effects) = self.trial.watched(|store, now| store.insert(&new, now));
        let id = inserted.id;
        if let Some(twin) = self.model.twin(&new, self.trial.now) {
            assert_eq!((id, inserted.is_duplicate), (twin, true));
            return assert_effects(&effects, false, NextDue::default(), &[]);
        }
        assert!(!inserted.is_duplicate);
        assert!(id.0 > self.model.highest, "an id came back");
        self.model.insert(id, &new, self.trial.now, None);
        let run = &self.model.runs[&id];
        let next = match (run.state, run.due) {
            (State::Scheduled, Due::Wall(due)) => NextDue {
                wall: Some(due),
                store: None,
            },
            (State::Scheduled, Due::Store(due)) => NextDue {
                wall: None,
                store: Some(due),
            },
            _ => NextDue::default(),
        };
        assert_effects(&effects, run.state == State::Ready, next, &[]);
    }

    fn claim(&mut self, slot: i64, limit: u32, order: Vec<usize>, most: Option<u32>) {
        let Some(&worker) = self.model.workers.get(&slot) else {
            return;
        };
        let rank = move |kind: &Kind| order.iter().position(|at| QUEUES[*at] == kind.queue);
        let request = ClaimRequest {
            wanted: Arc::new(Limited {
                rank: rank.clone(),
                most,
            }),
            ..self.trial.request(worker, limit, rank.clone())
        };
        let (claimed, effects) = self.trial.watched(|store, now| store.claim(&request, now));
        assert_effects(&effects, false, NextDue::default(), &[]);
        let claimable = self.model.claimable(self.trial.now, rank.clone());
        let expected = self.model.within_limit(worker, claimable, limit, most);
        assert_eq!(ids(&claimed.runs), expected);
        assert_eq!(claimed.next, self.model.next_due());
        for run in claimed.runs {
            self.model.take(run.id, run.claim, worker, self.trial.now);
            let known = &self.model.runs[&run.id];
            assert_eq!(run.claim, request.claim);
            assert_eq!((run.attempt, run.lost), (known.attempts, known.lost));
            assert_eq!(
                (run.enqueued_at, run.due_at),
                (known.enqueued_at, known.due_at)
            );
            assert_eq!(
                (&run.payload, &run.options),
                (&known.new.payload, &known.new.options)
            );
            assert_eq!(*run.kind, known.new.kind);
            self.claims.push((run.id, run.claim));
        }
        assert_eq!(claimed.is_more, self.model.has_more(rank, most));
        self.last_claim.insert(slot, request.claim);
    }

    fn unpark(&mut self, order: Vec<usize>, limit: u32) {
        let rank = move |kind: &Kind| order.iter().position(|at| QUEUES[*at] == kind.queue);
        let wanted = Limited {
            rank: rank.clone(),
            most: None,
        };
        let mut after = Some(Parked::default());
        let mut told = false;
        while let Some(from) = after {
            let (next, effects) = self
                .trial
                .watched(|store, _| store.unpark(&wanted, from, limit));
            told |= effects.ready;
            after = next;
        }
        assert_eq!(told, self.model.unpark(rank));
    }

    fn cancel(&mut self, run: &Index, keep: Millis) {
        if self.model.highest == 0 {
            return;
        }
        // Also runs that are gone.
        let id = RunId(
            1 + i64::try_from(run.index(usize::try_from(self.model.highest).unwrap())).unwrap(),
        );
        let now = self.trial.now;
        let (cancelled, effects) = self.trial.watched(|store, now| store.cancel(id, keep, now));
        let before = self.model.runs.get(&id).map(|run| run.state);
        assert_eq!(cancelled, self.model.cancel(id, keep, now), "{before:?}");
        let runs = before == Some(State::Running);
        let finished = if cancelled && !runs { &[id][..] } else { &[] };
        assert_effects(&effects, false, NextDue::default(), finished);
        assert_eq!(effects.cancelling, runs);
    }

    fn settle(&mut self, run: &Index, keep: Millis, ending: &Index, right: Right) {
        let held: Vec<_> = self
            .claims
            .iter()
            .filter(|claim| self.holds(claim))
            .collect();
        let (id, claim) = match right {
            Right::Its if !held.is_empty() => **run.get(&held),
            _ if self.claims.is_empty() => return,
            Right::Its | Right::AnEarlier => *run.get(&self.claims),
            Right::Anothers => (run.get(&self.claims).0, ending.get(&self.claims).1),
        };
        let now = self.trial.now;
        let mut endings = every_ending(now);
        endings.extend([done(keep), failed(keep), cancelled(keep), park()]);
        endings.extend([
            retry(now.store + keep - 50),
            Ending::Snooze {
                due: now.store + keep,
            },
        ]);
        endings.push(Ending::Done {
            result: Vec::new(),
            keep,
        });
        let ending = ending.get(&endings).clone();
        let asked = self.holds(&(id, claim)) && self.model.runs[&id].cancel_keep.is_some();
        let settlement = Settlement {
            id,
            claim,
            ending: ending.clone(),
        };
        let (held, effects) = self
            .trial
            .watched(|store, now| store.settle(&settlement, now));
        assert_eq!(
            held,
            self.model.settle(id, claim, &ending, now),
            "{settlement:?}"
        );
        let next = match ending {
            Ending::Retry { due, .. } | Ending::Snooze { due } if held && !asked => NextDue {
                wall: None,
                store: Some(due),
            },
            _ => NextDue::default(),
        };
        let finished = if held && (asked || ending.concerns_joiners()) {
            &[id][..]
        } else {
            &[]
        };
        let told = held && std::mem::take(&mut self.model.held_up);
        let released = held && !asked && matches!(ending, Ending::Release);
        assert_effects(&effects, told || released, next, finished);
    }

    fn holds(&self, (id, claim): &(RunId, ClaimId)) -> bool {
        let run = self.model.runs.get(id);
        run.and_then(|run| run.claim)
            .is_some_and(|(held, _)| held == *claim)
    }

    fn rescue(&mut self, slot: i64, loss: Loss, limit: u32) {
        let Some(&worker) = self.model.workers.get(&slot) else {
            return;
        };
        let (count, mut effects) = self
            .trial
            .watched(|store, now| store.rescue(worker, loss, limit, now));
        // Nor does it matter which is told first.
        effects.finished.sort_unstable_by_key(|(id, _)| *id);
        let (rescued, ended, told) = self.follow_rescue(worker, loss);
        assert_eq!(count, rescued);
        let ready = told || rescued > u32::try_from(ended.len()).unwrap();
        assert_effects(&effects, ready, NextDue::default(), &ended);
        assert!(self.model.claimed_by(worker).is_empty() || rescued == limit);
        if rescued < limit {
            self.model.workers.remove(&slot);
        }
    }

    /// Any of a worker's runs may come first; the store tells which did. Also says whether others are told that places
    /// are free again.
    fn follow_rescue(&mut self, worker: WorkerId, loss: Loss) -> (u32, Vec<RunId>, bool) {
        let mut rescued = 0;
        let mut ended = Vec::new();
        for id in self.model.claimed_by(worker) {
            if self.trial.state(id) != Some(State::Running) {
                if self.model.rescue(id, loss, self.trial.now) {
                    ended.push(id);
                }
                rescued += 1;
            }
        }
        let told = !ended.is_empty() && std::mem::take(&mut self.model.held_up);
        (rescued, ended, told)
    }

    fn register(&mut self, slot: i64) {
        let worker = self.trial.register(slot);
        if let Some(dead) = self.model.workers.insert(slot, worker) {
            assert!(worker.0 > dead.0, "a worker's number came back");
            self.follow_rescue(dead, Loss::Died);
            assert_eq!(self.model.claimed_by(dead), []);
        }
    }

    fn stopping(&mut self, slot: i64) {
        if let Some(&worker) = self.model.workers.get(&slot) {
            self.trial.within(|store, _| store.stopping(worker));
            self.model.stopping.insert(worker);
        }
    }

    fn unregister(&mut self, slot: i64) {
        if let Some(&worker) = self.model.workers.get(&slot) {
            self.trial.within(|store, _| store.unregister(worker));
            if self.model.claimed_by(worker).is_empty() {
                self.model.workers.remove(&slot);
            }
        }
    }

    fn tick(&mut self, schedule: &'static str, stale: bool, after: Millis) {
        let last = self.model.ticks.get(schedule).copied();
        let known = last.map(|(at, _)| at - Millis::from(stale));
        let at = last.map_or(0, |(at, _)| at) + after;
        let tick = Tick {
            schedule: schedule.into(),
            after: known,
            at,
            overlap: Overlap::Skip,
            run: Arc::new(self.new_run(0, 0, 0, When::Now)),
            due_at: at + 5,
            missed: 0,
            failures: 0,
        };
        let (ticked, effects) = self.trial.watched(|store, now| store.tick(&tick, now));
        let active = last
            .and_then(|(_, run)| self.model.runs.get(&run))
            .is_some_and(|run| {
                matches!(run.state, State::Ready | State::Scheduled | State::Running)
            });
        let run = match (last, ticked) {
            (Some((at, _)), _) if stale => return assert_eq!(ticked, Ticked::Taken(Some(at))),
            (Some((_, run)), _) if active => {
                assert_eq!(ticked, Ticked::Overlap);
                run
            }
            (_, Ticked::Fired(id)) => {
                assert!(id.0 > self.model.highest, "an id came back");
                self.model
                    .insert(id, &tick.run, self.trial.now, Some(tick.due_at));
                id
            }
            (_, other) => panic!("{other:?} where the tick should have fired"),
        };
        assert_effects(&effects, !active, NextDue::default(), &[]);
        self.model.ticks.insert(schedule, (at, run));
    }

    /// Which of the prunable runs go first is the store's choice.
    fn prune(&mut self, limit: u32, caps: KeepCaps) {
        let pruned = self.trial.prune(limit, caps);
        let mut gone = 0;
        let prunable = self.model.prunable(caps, self.trial.now);
        assert_eq!(pruned, limit.min(u32::try_from(prunable.len()).unwrap()));
        for id in prunable {
            if self.trial.state(id).is_none() {
                self.model.runs.remove(&id);
                gone += 1;
            }
        }
        assert_eq!(gone, pruned, "what was pruned was not to be");
    }

    fn lose(&mut self, crash: bool) {
        let new = self.new_run(2, 1, 5, When::Now);
        self.trial.fixture.begin();
        let (store, now) = (self.trial.fixture.store(), self.trial.now);
        store.insert(&new, now).unwrap();
        if let Some((id, claim)) = self.claims.last().copied() {
            let ending = done(0);
            store
                .settle(&Settlement { id, claim, ending }, now)
                .unwrap();
        }
        store.register(&worker(2), now).unwrap();
        if crash {
            self.trial.fixture.crash();
        } else {
            self.trial.fixture.rollback();
        }
        // Who opens the store anew has held nobody up.
        self.model.held_up = !(crash && self.trial.fixture.survives_by_reopening());
    }

    fn reopen(&mut self) {
        let before = self.trial.fixture.contents();
        self.trial.fixture.reopen();
        assert_eq!(self.trial.fixture.contents(), before);
        // Who opens the store anew has held nobody up.
        self.model.held_up &= !self.trial.fixture.survives_by_reopening();
    }

    fn compare(&mut self, histories: bool) {
        let (now, model) = (self.trial.now, &self.model);
        self.trial.fixture.begin();
        let store = self.trial.fixture.store();
        for id in (1..=model.highest + 1).map(RunId) {
            let view = store.run(id, now).unwrap();
            let Some(run) = model.runs.get(&id) else {
                assert!(view.is_none(), "{id} is still there");
                if histories {
                    assert_eq!(store.attempts(id).unwrap(), []);
                }
                continue;
            };
            let view = view.unwrap_or_else(|| panic!("{id} is gone"));
            assert_eq!(
                (view.state, &view.status),
                (run.state, &run.status(now)),
                "{id}"
            );
            assert_eq!(
                (&view.result, &*view.job),
                (&run.result, &*run.new.kind.job)
            );
            if histories {
                assert_eq!(store.attempts(id).unwrap(), run.history);
            }
        }
        assert_eq!(store.workers().unwrap(), model.worker_rows());
        for schedule in SCHEDULES {
            let last = model.ticks.get(schedule).map(|(at, _)| *at);
            let view = store.schedule(schedule, self.trial.now).unwrap().unwrap();
            assert_eq!(view.last_tick, last);
        }
        self.trial.fixture.commit();
    }
}

/// Wants the queues in an order; so many runs of `b` at once.
struct Limited<F> {
    rank: F,
    most: Option<u32>,
}

impl<F: Fn(&Kind) -> Option<usize> + Send + Sync> Wanted for Limited<F> {
    fn rank(&self, kind: &Kind) -> Option<usize> {
        (self.rank)(kind)
    }

    fn limit(&self, job: &str) -> Option<Limit> {
        let most = self.most.filter(|_| job == LIMITED)?;
        Some(Limit { job: LIMITED, most })
    }
}

fn assert_effects(effects: &Effects, ready: bool, scheduled: NextDue, finished: &[RunId]) {
    assert_eq!((effects.ready, effects.scheduled), (ready, scheduled));
    let told: Vec<_> = effects.finished.iter().map(|(id, _)| *id).collect();
    assert_eq!(told, finished);
}
