//! Cancel: at once while a run waits; after its attempt, unless that succeeds, while it runs.

use super::{
    AttemptOutcome, Ending, HOUR, Loss, RunId, State, Trial, cancelled, contract, done,
    every_ending, failed, park, run, run_due,
};
use crate::run::Status;
use crate::store::{Due, NextDue};

contract! {
    a_run_that_waits_is_cancelled_at_once
    a_parked_run_can_be_cancelled
    one_that_runs_is_asked_to_end
    whatever_its_attempt_comes_to_it_ends_as_cancelled
    success_stands_and_so_does_the_job_s_own_word
    only_its_own_worker_hears_of_it
    a_failed_attempt_stays_in_the_history
    with_its_worker_it_is_gone_too
    what_has_ended_stays_as_it_is
    a_run_that_is_not_kept_is_deleted
    a_rolled_back_cancel_asks_nothing
}

fn cancel(trial: &mut Trial, id: RunId) -> bool {
    trial.within(|store, now| store.cancel(id, HOUR, now))
}

fn assert_cancelled(trial: &mut Trial, id: RunId) {
    let at = crate::clock::from_millis(trial.now.wall);
    let reason = "by a caller".to_owned();
    let view = trial.view(id).unwrap();
    assert_eq!(view.status, Status::Cancelled { at, reason });
}

fn a_run_that_waits_is_cancelled_at_once(trial: &mut Trial) {
    let worker = trial.register(1);
    let (wall, store) = (trial.now.wall + 50, trial.now.store + 50);
    for due in [Due::Now, Due::Wall(wall), Due::Store(store)] {
        let id = trial.insert(&run_due(due));
        let (cancelled, effects) = trial.watched(|store, now| store.cancel(id, HOUR, now));
        assert!(cancelled && !effects.cancelling);
        assert_eq!(effects.finished[0].0, id);
        assert_cancelled(trial, id);
    }
    trial.pass(100);
    let claimed = trial.claim_wanted(worker, 9, |_| Some(0));
    assert_eq!((claimed.runs.len(), claimed.next), (0, NextDue::default()));
}

fn a_parked_run_can_be_cancelled(trial: &mut Trial) {
    let worker = trial.register(1);
    let parked = trial.claimed_one(worker);
    trial.settle(&parked, park());
    assert!(cancel(trial, parked.id));
    assert_cancelled(trial, parked.id);
}

fn one_that_runs_is_asked_to_end(trial: &mut Trial) {
    let worker = trial.register(1);
    let running = trial.claimed_one(worker);
    let (asked, effects) = trial.watched(|store, now| store.cancel(running.id, HOUR, now));
    assert!(asked && effects.cancelling && effects.finished.is_empty());
    assert_eq!(trial.state(running.id), Some(State::Running));
    assert!(cancel(trial, running.id), "twice is fine");
    let asked = trial.within(|store, _| store.cancelling(worker));
    assert_eq!(asked, [(running.id, running.claim)]);
    trial.settle(&running, Ending::Release);
    let asked = trial.within(|store, _| store.cancelling(worker));
    assert_eq!(asked, []);
}

fn whatever_its_attempt_comes_to_it_ends_as_cancelled(trial: &mut Trial) {
    let worker = trial.register(1);
    for ending in every_ending(trial.now) {
        if let Ending::Done { .. } | Ending::Cancelled { .. } = ending {
            continue;
        }
        let running = trial.claimed_one(worker);
        cancel(trial, running.id);
        let end = super::settlement(&running, ending);
        let (held, effects) = trial.watched(|store, now| store.settle(&end, now));
        assert!(held && !effects.ready);
        assert!(matches!(
            effects.finished[..],
            [(id, Ending::Cancelled { .. })] if id == running.id
        ));
        assert_cancelled(trial, running.id);
    }
}

fn success_stands_and_so_does_the_job_s_own_word(trial: &mut Trial) {
    let worker = trial.register(1);
    for (ending, state) in [
        (done(HOUR), State::Done),
        (cancelled(HOUR), State::Cancelled),
    ] {
        let running = trial.claimed_one(worker);
        cancel(trial, running.id);
        trial.settle(&running, ending);
        assert_eq!(trial.state(running.id), Some(state));
        let asked = trial.within(|store, _| store.cancelling(worker));
        assert_eq!(asked, []);
    }
}

fn only_its_own_worker_hears_of_it(trial: &mut Trial) {
    let [one, other] = [1, 2].map(|slot| trial.register(slot));
    let [mine, theirs] = [one, other].map(|worker| trial.claimed_one(worker));
    cancel(trial, theirs.id);
    let [heard, elsewhere] =
        [one, other].map(|worker| trial.within(|store, _| store.cancelling(worker)));
    assert_eq!(
        (heard, elsewhere),
        (vec![], vec![(theirs.id, theirs.claim)])
    );
    assert_eq!(trial.state(mine.id), Some(State::Running));
}

fn a_failed_attempt_stays_in_the_history(trial: &mut Trial) {
    let worker = trial.register(1);
    let running = trial.claimed_one(worker);
    cancel(trial, running.id);
    trial.settle(&running, failed(HOUR));
    assert_eq!(trial.attempts(running.id)[0].error, "it broke");
}

fn with_its_worker_it_is_gone_too(trial: &mut Trial) {
    let dead = trial.register(1);
    let other = trial.register(2);
    let running = trial.claimed_one(dead);
    cancel(trial, running.id);
    trial.fixture.crash();
    let (count, effects) = trial.watched(|store, now| store.rescue(dead, Loss::Died, 9, now));
    assert_eq!(count, 1);
    assert_eq!(effects.finished[0].0, running.id);
    assert_cancelled(trial, running.id);
    assert_eq!(
        trial.attempts(running.id)[0].outcome,
        AttemptOutcome::WorkerLost
    );
    assert_eq!(trial.claim(other, 9).len(), 0);
}

fn what_has_ended_stays_as_it_is(trial: &mut Trial) {
    let worker = trial.register(1);
    for ending in [done(HOUR), failed(HOUR), cancelled(HOUR)] {
        let ended = trial.claimed_one(worker);
        trial.settle(&ended, ending);
        let before = format!("{:?}", trial.view(ended.id));
        assert!(!cancel(trial, ended.id));
        assert_eq!(format!("{:?}", trial.view(ended.id)), before);
    }
    assert!(!cancel(trial, RunId(1_000_000)), "never was");
}

fn a_run_that_is_not_kept_is_deleted(trial: &mut Trial) {
    let id = trial.insert(&run());
    trial.insert(&run());
    assert!(trial.within(|store, now| store.cancel(id, 0, now)));
    assert!(trial.view(id).is_none());
}

fn a_rolled_back_cancel_asks_nothing(trial: &mut Trial) {
    let worker = trial.register(1);
    let running = trial.claimed_one(worker);
    trial.undone(|store, now| store.cancel(running.id, HOUR, now));
    let asked = trial.within(|store, _| store.cancelling(worker));
    assert_eq!(asked, []);
}
