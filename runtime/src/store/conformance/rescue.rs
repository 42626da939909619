//! Rescue: a dead worker's runs, and the workers that are known.

use super::{
    AttemptOutcome, Ending, HOUR, Loss, RunId, State, Trial, cancelled, contract, done, failed,
    ids, park, retry, run,
};
use crate::clock::from_millis;

contract! {
    only_the_runs_of_the_dead_worker_are_taken_back
    a_rescued_run_keeps_its_attempt_and_counts_it_as_lost
    a_rescue_leaves_an_entry_in_the_history
    rescue_goes_in_batches_and_forgets_the_worker_when_it_is_empty
    what_a_worker_has_settled_is_not_rescued
    registering_on_the_slot_of_a_dead_worker_rescues_its_runs
    a_worker_that_has_settled_everything_is_forgotten_when_it_unregisters
    a_worker_that_unregisters_with_claims_is_left_to_be_rescued
    two_workers_cannot_share_a_slot
    a_run_can_be_rescued_again_and_again
    suspects_are_at_work_one_at_a_time_in_each_worker
    three_crashes_fail_the_guilty_run_alone
    what_a_worker_leaves_that_was_told_to_stop_is_not_suspected
    what_a_frozen_worker_had_is_not_suspected
    an_attempt_that_ends_lifts_the_suspicion
}

fn only_the_runs_of_the_dead_worker_are_taken_back(trial: &mut Trial) {
    let workers = [1, 2, 3].map(|slot| trial.register(slot));
    let runs = workers.map(|worker| trial.claimed_one(worker));
    assert_eq!(trial.rescue(workers[1], 9), 1);
    let states = runs.each_ref().map(|run| trial.state(run.id));
    let [running, ready] = [Some(State::Running), Some(State::Ready)];
    assert_eq!(states, [running, ready, running]);
    assert_eq!(trial.slots(), [1, 3]);
    assert!(trial.settle(&runs[0], done(HOUR)));
    assert!(trial.settle(&runs[2], done(HOUR)));
}

fn a_rescued_run_keeps_its_attempt_and_counts_it_as_lost(trial: &mut Trial) {
    let dead = trial.register(1);
    let lost = trial.claimed_one(dead);
    trial.rescue(dead, 9);
    let worker = trial.register(1);
    let again = trial.claim(worker, 1).remove(0);
    assert_eq!((again.attempt, again.lost), (2, 1));
    assert_eq!((again.due_at, again.payload), (lost.due_at, lost.payload));
}

fn a_rescue_leaves_an_entry_in_the_history(trial: &mut Trial) {
    let dead = trial.register(1);
    let (lost, claimed) = (trial.claimed_one(dead), trial.now);
    trial.pass(300);
    trial.rescue(dead, 9);
    let [attempt] = <[_; 1]>::try_from(trial.attempts(lost.id)).unwrap();
    assert_eq!(
        (attempt.attempt, attempt.outcome),
        (1, AttemptOutcome::WorkerLost)
    );
    assert_eq!(attempt.error, "worker lost");
    assert_eq!(attempt.started_at, from_millis(claimed.wall));
    assert_eq!(attempt.ended_at, from_millis(trial.now.wall));
}

fn rescue_goes_in_batches_and_forgets_the_worker_when_it_is_empty(trial: &mut Trial) {
    let dead = trial.register(4);
    for _ in 0..6 {
        trial.claimed_one(dead);
    }
    // So that none of them is a suspect.
    trial.within(|store, _| store.stopping(dead));
    let batches = [3, 3].map(|limit| trial.rescue(dead, limit));
    assert_eq!((batches, trial.slots()), ([3, 3], vec![4]));
    assert_eq!((trial.rescue(dead, 3), trial.slots()), (0, vec![]));
    let worker = trial.register(4);
    let again = trial.claim(worker, 9);
    assert!(again.iter().all(|run| (run.attempt, run.lost) == (2, 1)));
    assert_eq!(again.len(), 6);
}

fn what_a_worker_has_settled_is_not_rescued(trial: &mut Trial) {
    let dead = trial.register(1);
    let due = trial.now.store + HOUR;
    let settled: Vec<_> = [
        done(HOUR),
        failed(HOUR),
        cancelled(HOUR),
        retry(due),
        Ending::Snooze { due },
        Ending::Release,
        park(),
    ]
    .into_iter()
    .map(|ending| (trial.claimed_one(dead), ending))
    .collect();
    let lost = trial.claimed_one(dead);
    for (run, ending) in settled {
        assert!(trial.settle(&run, ending));
    }
    assert_eq!(trial.rescue(dead, 99), 1);
    assert_eq!(trial.state(lost.id), Some(State::Ready));
}

fn registering_on_the_slot_of_a_dead_worker_rescues_its_runs(trial: &mut Trial) {
    let dead = trial.register(7);
    let lost = trial.claimed_one(dead);
    trial.fixture.crash();
    let worker = trial.register(7);
    assert_ne!(worker, dead);
    assert_eq!(trial.slots(), [7]);
    assert_eq!(ids(&trial.claim(worker, 9)), [lost.id]);
    assert!(!trial.settle(&lost, done(HOUR)));
}

fn a_worker_that_has_settled_everything_is_forgotten_when_it_unregisters(trial: &mut Trial) {
    let [one, two] = [trial.register(1), trial.register(2)];
    let run = trial.claimed_one(one);
    assert!(trial.settle(&run, done(HOUR)));
    trial.claimed_one(two);
    trial.within(|store, _| store.unregister(one));
    assert_eq!(trial.slots(), [2]);
    trial.within(|store, _| store.unregister(one));
    assert_eq!(trial.slots(), [2]);
}

fn a_worker_that_unregisters_with_claims_is_left_to_be_rescued(trial: &mut Trial) {
    let worker = trial.register(1);
    let stuck = trial.claimed_one(worker);
    trial.within(|store, _| store.unregister(worker));
    assert_eq!(trial.slots(), [1], "nobody would look for its run");
    let next = trial.register(1);
    assert_eq!(ids(&trial.claim(next, 9)), [stuck.id]);
}

fn two_workers_cannot_share_a_slot(trial: &mut Trial) {
    let [first, second] = [trial.register(1), trial.register(1)];
    assert_ne!(first, second);
    let workers = trial.within(|store, _| store.workers());
    assert_eq!((workers.len(), workers[0].id), (1, second));
}

/// A run that takes its worker with it, among others.
struct Poisoned {
    poison: RunId,
    innocent: Vec<RunId>,
}

/// Five runs that were at work in two workers, one after the other, which have died.
fn poisoned(trial: &mut Trial) -> Poisoned {
    let innocent = (0..4).map(|_| trial.insert(&run())).collect();
    let poison = trial.insert(&run());
    for _ in 0..2 {
        let dead = trial.register(1);
        // The first time nobody is suspected.
        assert_eq!(trial.claim(dead, 9).len(), 5);
        trial.rescue(dead, 99);
    }
    Poisoned { poison, innocent }
}

fn suspects_are_at_work_one_at_a_time_in_each_worker(trial: &mut Trial) {
    let Poisoned { poison, innocent } = poisoned(trial);
    let fresh = trial.insert(&run());
    let [one, two] = [trial.register(1), trial.register(2)];
    assert_eq!(ids(&trial.claim(one, 9)), [innocent[0], fresh]);
    assert_eq!(ids(&trial.claim(one, 9)), []);
    let of_two = trial.claim(two, 9);
    assert_eq!(ids(&of_two), [innocent[1]]);
    // Given back it has not been seen to end; one that ends makes room.
    trial.settle(&of_two[0], Ending::Release);
    let of_two = trial.claim(two, 9);
    assert_eq!(ids(&of_two), [innocent[1]]);
    trial.settle(&of_two[0], done(HOUR));
    assert_eq!(ids(&trial.claim(two, 9)), [innocent[2]]);
    assert_eq!(trial.state(poison), Some(State::Ready));
}

fn three_crashes_fail_the_guilty_run_alone(trial: &mut Trial) {
    let Poisoned { poison, innocent } = poisoned(trial);
    let beside = trial.insert(&run());
    loop {
        let worker = trial.register(1);
        let claimed = trial.claim(worker, 9);
        let (guilty, others): (Vec<_>, Vec<_>) =
            claimed.into_iter().partition(|run| run.id == poison);
        for run in others.iter().filter(|run| run.id != beside) {
            assert!(trial.settle(run, done(HOUR)));
        }
        if !guilty.is_empty() {
            trial.rescue(worker, 9);
            break;
        }
        for run in others.iter().filter(|run| run.id == beside) {
            assert!(trial.settle(run, Ending::Release));
        }
    }
    for id in innocent {
        assert_eq!(trial.state(id), Some(State::Done));
    }
    assert_eq!(trial.state(beside), Some(State::Ready));
    assert_eq!(trial.state(poison), Some(State::Failed));
    let history = trial.attempts(poison);
    let outcomes: Vec<_> = history.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [AttemptOutcome::WorkerLost; 3]);
    assert!(history[2].error.contains("died 3 times"), "{history:?}");
}

fn what_a_worker_leaves_that_was_told_to_stop_is_not_suspected(trial: &mut Trial) {
    let runs = [0; 2].map(|_| trial.insert(&run()));
    for _ in 0..5 {
        let leaving = trial.register(1);
        assert_eq!(ids(&trial.claim(leaving, 9)), runs);
        trial.within(|store, _| store.stopping(leaving));
        trial.rescue(leaving, 9);
    }
}

fn what_a_frozen_worker_had_is_not_suspected(trial: &mut Trial) {
    let runs = [0; 2].map(|_| trial.insert(&run()));
    for lost in 0..5 {
        let frozen = trial.register(1);
        let claimed = trial.claim(frozen, 9);
        assert_eq!((ids(&claimed), claimed[0].lost), (runs.to_vec(), lost));
        trial.within(|store, now| store.rescue(frozen, Loss::Froze, 9, now));
        assert!(!trial.settle(&claimed[0], done(HOUR)));
    }
}

fn an_attempt_that_ends_lifts_the_suspicion(trial: &mut Trial) {
    let due = trial.now.store;
    for ending in [retry(due), Ending::Snooze { due }] {
        let id = trial.insert(&run());
        for _ in 0..5 {
            for _ in 0..2 {
                let dead = trial.register(1);
                assert_eq!(ids(&trial.claim(dead, 1)), [id]);
                trial.rescue(dead, 9);
            }
            let worker = trial.register(1);
            let again = trial.claim(worker, 1).remove(0);
            trial.settle(&again, ending.clone());
        }
        let worker = trial.register(1);
        let last = trial.claim(worker, 1).remove(0);
        trial.settle(&last, done(HOUR));
    }
}

fn a_run_can_be_rescued_again_and_again(trial: &mut Trial) {
    let id = trial.insert(&run());
    for lost in 0..2 {
        let dead = trial.register(1);
        let claimed = trial.claim(dead, 1).remove(0);
        assert_eq!((claimed.attempt, claimed.lost), (lost + 1, lost));
        trial.rescue(dead, 9);
    }
    let numbers: Vec<_> = trial
        .attempts(id)
        .iter()
        .map(|attempt| attempt.attempt)
        .collect();
    assert_eq!(numbers, [1, 2]);
}
