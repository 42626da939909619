//! What people decide: a run once more or never again, a queue not now.

use super::{
    Due, HOUR, RunId, State, Trial, cancelled, contract, done, failed, ids, kind, park, retry, run,
    run_due, run_of,
};
use crate::run::{DISCARDED, Status};
use crate::store::Ending;

contract! {
    what_has_not_succeeded_gets_another_attempt
    what_is_at_work_or_done_is_not_retried
    a_retried_run_that_failed_is_not_pruned
    what_waits_is_discarded_as_failed
    what_is_at_work_or_ended_is_not_discarded
    nothing_is_claimed_from_a_paused_queue
    a_rolled_back_decision_changes_nothing
}

fn retry_now(trial: &mut Trial, id: RunId) -> (bool, bool) {
    let (done, effects) = trial.watched(|store, _| store.retry_now(id));
    (done, effects.ready)
}

fn discard(trial: &mut Trial, id: RunId) -> bool {
    trial.within(|store, now| store.discard(id, now))
}

fn what_has_not_succeeded_gets_another_attempt(trial: &mut Trial) {
    let worker = trial.register(1);
    for ending in [
        failed(HOUR),
        cancelled(HOUR),
        park(),
        retry(trial.now.store + HOUR),
        Ending::Snooze {
            due: trial.now.store + HOUR,
        },
    ] {
        let counts = matches!(
            ending,
            Ending::Failed { .. } | Ending::Retry { .. } | Ending::Cancelled { .. }
        );
        let run = trial.claimed_one(worker);
        assert!(trial.settle(&run, ending));
        let history = trial.attempts(run.id);
        assert_eq!(retry_now(trial, run.id), (true, true));
        assert_eq!(trial.view(run.id).unwrap().status, Status::Ready);
        assert_eq!(trial.attempts(run.id), history);
        let again = trial.claim(worker, 9);
        assert_eq!(ids(&again), [run.id]);
        assert_eq!(again[0].attempt, 1 + u32::from(counts));
        assert!(trial.settle(&again[0], done(HOUR)));
        assert!(!trial.settle(&run, done(HOUR)), "that claim is over");
    }
    for due in [
        Due::Wall(trial.now.wall + HOUR),
        Due::Store(trial.now.store + HOUR),
    ] {
        let id = trial.insert(&run_due(due));
        assert_eq!(retry_now(trial, id), (true, true));
        assert_eq!(ids(&trial.claim(worker, 9)), [id]);
    }
    trial.pass(2 * HOUR);
    assert!(trial.claim(worker, 9).is_empty(), "none is due once more");
}

fn what_is_at_work_or_done_is_not_retried(trial: &mut Trial) {
    let worker = trial.register(1);
    let running = trial.claimed_one(worker);
    assert_eq!(retry_now(trial, running.id), (false, false));
    assert!(trial.settle(&running, done(HOUR)));
    assert_eq!(retry_now(trial, running.id), (false, false));
    assert_eq!(trial.state(running.id), Some(State::Done));
    let ready = trial.insert(&run());
    assert_eq!(retry_now(trial, ready), (false, false));
    assert_eq!(ids(&trial.claim(worker, 9)), [ready]);
    assert_eq!(retry_now(trial, RunId(77)), (false, false));
}

fn a_retried_run_that_failed_is_not_pruned(trial: &mut Trial) {
    let worker = trial.register(1);
    let run = trial.claimed_one(worker);
    trial.insert(&run_of(kind("default", "the highest id"), 1));
    assert!(trial.settle(&run, failed(HOUR)));
    retry_now(trial, run.id);
    trial.pass(2 * HOUR);
    assert_eq!(trial.prune(9, super::NO_CAPS), 0);
    assert_eq!(trial.state(run.id), Some(State::Ready));
}

fn what_waits_is_discarded_as_failed(trial: &mut Trial) {
    let worker = trial.register(1);
    let parked = trial.claimed_one(worker);
    assert!(trial.settle(&parked, park()));
    let ready = trial.insert(&run());
    let scheduled = trial.insert(&run_due(Due::Wall(trial.now.wall + 500)));
    for id in [parked.id, ready, scheduled] {
        let (discarded, effects) = trial.watched(|store, now| store.discard(id, now));
        assert!(discarded);
        assert!(matches!(&effects.finished[..], [(ended, Ending::Failed { .. })] if *ended == id));
        let view = trial.view(id).unwrap();
        assert!(matches!(view.status, Status::Failed { error, .. } if error == DISCARDED));
    }
    trial.pass(1000);
    assert!(trial.claim(worker, 9).is_empty());
}

fn what_is_at_work_or_ended_is_not_discarded(trial: &mut Trial) {
    let worker = trial.register(1);
    let run = trial.claimed_one(worker);
    assert!(!discard(trial, run.id));
    assert!(trial.settle(&run, done(HOUR)));
    assert!(!discard(trial, run.id));
    assert_eq!(trial.state(run.id), Some(State::Done));
    assert!(!discard(trial, RunId(77)));
}

fn nothing_is_claimed_from_a_paused_queue(trial: &mut Trial) {
    let worker = trial.register(1);
    let mail = trial.insert(&run_of(kind("mail", "send"), 20));
    let other = trial.insert(&run());
    let (_, effects) = trial.watched(|store, _| store.pause_queue("mail", true));
    assert!(!effects.ready);
    trial.within(|store, _| store.pause_queue("mail", true));
    let claimed = trial.claim_wanted(worker, 9, |_| Some(0));
    assert_eq!(ids(&claimed.runs), [other]);
    assert!(!claimed.is_more, "no other worker is to be called for it");
    let (_, effects) = trial.watched(|store, _| store.pause_queue("mail", false));
    assert!(effects.ready);
    assert_eq!(ids(&trial.claim(worker, 9)), [mail]);
}

fn a_rolled_back_decision_changes_nothing(trial: &mut Trial) {
    let worker = trial.register(1);
    let run = trial.claimed_one(worker);
    assert!(trial.settle(&run, failed(HOUR)));
    let ready = trial.insert(&super::run());
    let before = trial.fixture.contents();
    trial.undone(|store, _| store.retry_now(run.id));
    trial.undone(|store, now| store.discard(ready, now));
    trial.undone(|store, _| store.pause_queue("default", true));
    assert_eq!(trial.fixture.contents(), before);
}
