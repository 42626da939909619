//! Limits: no more runs of a job are claimed than may run at once, over all workers.

use super::{
    ClaimId, ClaimRequest, ClaimedRun, Ending, HOUR, Kind, Limit, RunId, State, Trial, Wanted,
    WorkerId, contract, done, every_ending, failed, ids, kind, park, retry, run_of,
};
use std::sync::Arc;

contract! {
    no_more_are_claimed_than_may_run_at_once
    what_a_limit_holds_up_does_not_stand_before_the_rest
    what_a_limit_holds_up_is_not_for_others
    every_kind_and_queue_of_a_job_counts
    the_names_of_one_job_share_its_limit
    a_limit_of_a_later_build_holds_for_what_runs_already
    any_settlement_frees_a_place
    a_settlement_in_the_same_transaction_frees_a_place
    a_dead_worker_s_places_are_free_again
    a_rolled_back_claim_takes_no_place
    a_freed_place_is_told_to_those_who_were_held_up
}

/// Wants everything; `few` may run twice at once, also as `old`, and `one` only once.
struct Limited;

impl Wanted for Limited {
    fn rank(&self, kind: &Kind) -> Option<usize> {
        (kind.version == 1).then(|| usize::from(kind.queue == "second"))
    }

    fn limit(&self, job: &str) -> Option<Limit> {
        match job {
            "few" | "old" => Some(Limit {
                job: "few",
                most: 2,
            }),
            "one" => Some(Limit {
                job: "one",
                most: 1,
            }),
            _ => None,
        }
    }
}

fn request(trial: &mut Trial, worker: WorkerId, limit: u32) -> ClaimRequest {
    trial.claims += 1;
    ClaimRequest {
        claim: ClaimId::new(worker, trial.claims),
        limit,
        wanted: Arc::new(Limited),
    }
}

fn claim(trial: &mut Trial, worker: WorkerId, limit: u32) -> Vec<ClaimedRun> {
    let request = request(trial, worker, limit);
    trial.within(|store, now| store.claim(&request, now)).runs
}

fn insert<const N: usize>(trial: &mut Trial, job: &'static str) -> [RunId; N] {
    [(); N].map(|()| trial.insert(&run_of(kind("default", job), 10)))
}

fn no_more_are_claimed_than_may_run_at_once(trial: &mut Trial) {
    let workers = [1, 2, 3].map(|slot| trial.register(slot));
    let all: [RunId; 7] = insert(trial, "few");
    let mut running = Vec::new();
    let mut ended = Vec::new();
    for turn in 0..20 {
        running.extend(claim(
            trial,
            workers[turn % 3],
            1 + u32::try_from(turn % 4).unwrap(),
        ));
        assert!(running.len() <= 2);
        if turn % 2 == 1 && !running.is_empty() {
            let run = running.remove(0);
            assert!(trial.settle(&run, done(HOUR)));
            ended.push(run.id);
        }
    }
    assert_eq!(ended, all);
}

fn what_a_limit_holds_up_does_not_stand_before_the_rest(trial: &mut Trial) {
    let worker = trial.register(1);
    let few: [RunId; 20] = insert(trial, "few");
    let [one, _] = insert(trial, "one");
    let [free, last] = insert(trial, "free");
    let claimed = claim(trial, worker, 4);
    assert_eq!(ids(&claimed), [few[0], few[1], one, free]);
    assert_eq!(ids(&claim(trial, worker, 4)), [last]);
    assert_eq!(claim(trial, worker, 4).len(), 0);
    assert_eq!(trial.state(few[2]), Some(State::Ready));
}

fn what_a_limit_holds_up_is_not_for_others(trial: &mut Trial) {
    let worker = trial.register(1);
    let _: [RunId; 3] = insert(trial, "few");
    let is_more = |trial: &mut Trial| {
        let request = request(trial, worker, 1);
        let claimed = trial.within(|store, now| store.claim(&request, now));
        (claimed.runs.len(), claimed.is_more)
    };
    assert_eq!(is_more(trial), (1, true));
    assert_eq!(is_more(trial), (1, false));
    assert_eq!(is_more(trial), (0, false));
}

fn every_kind_and_queue_of_a_job_counts(trial: &mut Trial) {
    let [old, new] = [1, 2].map(|slot| trial.register(slot));
    let unknown = Kind {
        version: 2,
        ..kind("default", "few")
    };
    let foreign = trial.insert(&run_of(unknown, 1));
    assert_eq!(ids(&trial.claim(new, 1)), [foreign]);
    let second = trial.insert(&run_of(kind("second", "few"), 99));
    let first = trial.insert(&run_of(kind("first", "few"), 1));
    assert_eq!(ids(&claim(trial, old, 9)), [first], "the order of queues");
    assert_eq!(trial.state(second), Some(State::Ready));
}

fn the_names_of_one_job_share_its_limit(trial: &mut Trial) {
    let worker = trial.register(1);
    let [new] = insert(trial, "few");
    let [old, next] = insert(trial, "old");
    let claimed = claim(trial, worker, 9);
    assert_eq!(ids(&claimed), [new, old]);
    assert!(trial.settle(&claimed[0], done(HOUR)));
    assert_eq!(ids(&claim(trial, worker, 9)), [next]);
}

fn a_limit_of_a_later_build_holds_for_what_runs_already(trial: &mut Trial) {
    let [before, after] = [1, 2].map(|slot| trial.register(slot));
    let _: [RunId; 4] = insert(trial, "few");
    let running = trial.claim(before, 3);
    assert_eq!(claim(trial, after, 9).len(), 0);
    for run in &running[..2] {
        assert_eq!(claim(trial, after, 9).len(), 0);
        assert!(trial.settle(run, done(HOUR)));
    }
    assert_eq!(claim(trial, after, 9).len(), 1);
}

fn any_settlement_frees_a_place(trial: &mut Trial) {
    let worker = trial.register(1);
    for ending in every_ending(trial.now) {
        let [_, _] = insert(trial, "one");
        let running = claim(trial, worker, 9).remove(0);
        assert_eq!(claim(trial, worker, 9).len(), 0);
        assert!(trial.settle(&running, ending.clone()));
        let next = claim(trial, worker, 9);
        assert_eq!(next.len(), 1, "{ending:?}");
        assert!(trial.settle(&next[0], failed(HOUR)));
    }
}

fn a_settlement_in_the_same_transaction_frees_a_place(trial: &mut Trial) {
    let worker = trial.register(1);
    let [_, second] = insert(trial, "one");
    let running = claim(trial, worker, 9).remove(0);
    let end = super::settlement(&running, done(HOUR));
    let request = request(trial, worker, 9);
    let claimed = trial.within(|store, now| {
        assert!(store.settle(&end, now)?);
        store.claim(&request, now)
    });
    assert_eq!(ids(&claimed.runs), [second]);
}

fn a_dead_worker_s_places_are_free_again(trial: &mut Trial) {
    let [dead, other] = [1, 2].map(|slot| trial.register(slot));
    let all: [RunId; 3] = insert(trial, "few");
    assert_eq!(claim(trial, dead, 9).len(), 2);
    trial.fixture.crash();
    assert_eq!(claim(trial, other, 9).len(), 0);
    trial.within(|store, _| store.stopping(dead));
    trial.rescue(dead, 9);
    assert_eq!(ids(&claim(trial, other, 9)), all[..2]);
}

fn a_rolled_back_claim_takes_no_place(trial: &mut Trial) {
    let worker = trial.register(1);
    let all: [RunId; 3] = insert(trial, "few");
    let lost = request(trial, worker, 9);
    trial.undone(|store, now| store.claim(&lost, now));
    assert_eq!(ids(&claim(trial, worker, 9)), all[..2]);
}

fn a_freed_place_is_told_to_those_who_were_held_up(trial: &mut Trial) {
    let worker = trial.register(1);
    let due = trial.now.store + HOUR;
    for ending in [done(0), park(), retry(due), Ending::Snooze { due }] {
        let [_, _] = insert(trial, "one");
        let running = claim(trial, worker, 9).remove(0);
        assert_eq!(claim(trial, worker, 9).len(), 0);
        let end = super::settlement(&running, ending);
        let (_, effects) = trial.watched(|store, now| store.settle(&end, now));
        assert!(effects.ready);
        for next in claim(trial, worker, 9) {
            trial.settle(&next, done(0));
        }
    }
    let [_] = insert(trial, "free");
    let running = claim(trial, worker, 9).remove(0);
    let end = super::settlement(&running, done(0));
    let (_, effects) = trial.watched(|store, now| store.settle(&end, now));
    assert!(!effects.ready, "nobody was held up");
}
