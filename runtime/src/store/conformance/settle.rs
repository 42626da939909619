//! Settle: every way a claimed run can end.

use super::{
    AttemptOutcome, Ending, HOUR, State, Trial, cancelled, contract, done, failed, park, plain,
    retry, run,
};
use crate::clock::from_millis;
use crate::run::Status;

contract! {
    a_done_run_keeps_its_result
    an_empty_result_is_none
    a_finished_run_that_is_kept_for_no_time_goes_with_its_history
    the_newest_run_stays_although_it_is_kept_for_no_time
    a_failed_run_keeps_its_error_and_its_history
    a_cancelled_run_keeps_its_reason
    a_retried_run_waits_on_the_store_clock_and_has_used_an_attempt
    a_retry_that_is_due_already_is_claimed_next
    a_snoozed_run_has_not_used_an_attempt
    a_released_run_is_ready_and_has_not_used_an_attempt
    a_parked_run_is_kept_and_never_claimed
    a_run_that_waited_for_the_wall_clock_is_retried_on_the_store_clock
    the_history_tells_every_attempt_in_order
    the_history_keeps_the_latest_attempts_and_no_more
}

fn a_done_run_keeps_its_result(trial: &mut Trial) {
    let worker = trial.register(1);
    let run = trial.claimed_one(worker);
    trial.pass(5);
    assert!(trial.settle(&run, done(HOUR)));
    let view = trial.view(run.id).unwrap();
    assert_eq!(view.result.as_deref(), Some(&b"result"[..]));
    let at = from_millis(trial.now.wall);
    assert_eq!(view.status, Status::Done { at });
    assert_eq!(trial.attempts(run.id), []);
    assert_eq!(trial.claim(worker, 9).len(), 0);
}

fn an_empty_result_is_none(trial: &mut Trial) {
    let worker = trial.register(1);
    let run = trial.claimed_one(worker);
    let ending = Ending::Done {
        result: Vec::new(),
        keep: HOUR,
    };
    assert!(trial.settle(&run, ending));
    assert_eq!(trial.view(run.id).unwrap().result, None);
}

fn a_finished_run_that_is_kept_for_no_time_goes_with_its_history(trial: &mut Trial) {
    let worker = trial.register(1);
    for ending in [done(0), plain(0), failed(0), cancelled(0)] {
        let run = trial.claimed_one(worker);
        trial.settle(&run, retry(trial.now.store));
        let run = trial.claim(worker, 1).remove(0);
        assert_eq!(trial.attempts(run.id).len(), 1);
        trial.insert(&super::run_of(super::kind("other", "newer"), 0));
        assert!(trial.settle(&run, ending));
        assert_eq!(trial.state(run.id), None);
        assert_eq!(trial.attempts(run.id), []);
    }
}

fn the_newest_run_stays_although_it_is_kept_for_no_time(trial: &mut Trial) {
    let worker = trial.register(1);
    for (ending, state) in [
        (done(0), State::Done),
        (plain(0), State::Done),
        (failed(0), State::Failed),
        (cancelled(0), State::Cancelled),
    ] {
        let run = trial.claimed_one(worker);
        assert!(trial.settle(&run, ending));
        assert_eq!(trial.state(run.id), Some(state));
        assert_eq!(trial.claim(worker, 9).len(), 0);
    }
}

fn a_failed_run_keeps_its_error_and_its_history(trial: &mut Trial) {
    let worker = trial.register(1);
    let (run, claimed) = (trial.claimed_one(worker), trial.now);
    trial.pass(5);
    assert!(trial.settle(&run, failed(HOUR)));
    let (at, error) = (from_millis(trial.now.wall), "it broke".to_owned());
    assert_eq!(
        trial.view(run.id).unwrap().status,
        Status::Failed { at, error }
    );
    let [attempt] = <[_; 1]>::try_from(trial.attempts(run.id)).unwrap();
    assert_eq!(
        (attempt.attempt, attempt.outcome),
        (1, AttemptOutcome::Panic)
    );
    assert_eq!(attempt.error, "it broke");
    assert_eq!(attempt.started_at, from_millis(claimed.wall));
    assert_eq!(attempt.ended_at, at);
}

fn a_cancelled_run_keeps_its_reason(trial: &mut Trial) {
    let worker = trial.register(1);
    let run = trial.claimed_one(worker);
    assert!(trial.settle(&run, cancelled(HOUR)));
    let (at, reason) = (from_millis(trial.now.wall), "not needed".to_owned());
    assert_eq!(
        trial.view(run.id).unwrap().status,
        Status::Cancelled { at, reason }
    );
    assert_eq!(trial.attempts(run.id), []);
}

fn a_retried_run_waits_on_the_store_clock_and_has_used_an_attempt(trial: &mut Trial) {
    let worker = trial.register(1);
    let run = trial.claimed_one(worker);
    assert!(trial.settle(&run, retry(trial.now.store + 100)));
    let due = from_millis(trial.now.wall + 100);
    assert_eq!(
        trial.view(run.id).unwrap().status,
        Status::Scheduled { due }
    );
    trial.now.wall += HOUR;
    assert_eq!(trial.claim(worker, 9).len(), 0);
    trial.now.store += 100;
    let again = trial.claim(worker, 9).remove(0);
    assert_eq!((again.id, again.attempt, again.lost), (run.id, 2, 0));
    assert_eq!((again.due_at, again.payload), (run.due_at, run.payload));
}

fn a_retry_that_is_due_already_is_claimed_next(trial: &mut Trial) {
    let worker = trial.register(1);
    let run = trial.claimed_one(worker);
    assert!(trial.settle(&run, retry(trial.now.store - 1)));
    assert_eq!(trial.claim(worker, 9).remove(0).attempt, 2);
}

fn a_snoozed_run_has_not_used_an_attempt(trial: &mut Trial) {
    let worker = trial.register(1);
    let run = trial.claimed_one(worker);
    let due = trial.now.store + 100;
    assert!(trial.settle(&run, Ending::Snooze { due }));
    assert_eq!(trial.state(run.id), Some(State::Scheduled));
    assert_eq!(trial.attempts(run.id), []);
    trial.pass(100);
    assert_eq!(trial.claim(worker, 9).remove(0).attempt, 1);
}

fn a_released_run_is_ready_and_has_not_used_an_attempt(trial: &mut Trial) {
    let worker = trial.register(1);
    let run = trial.claimed_one(worker);
    assert!(trial.settle(&run, Ending::Release));
    assert_eq!(trial.state(run.id), Some(State::Ready));
    assert_eq!(trial.attempts(run.id), []);
    let again = trial.claim(worker, 9).remove(0);
    assert_eq!((again.attempt, again.lost), (1, 0));
    assert_ne!(again.claim, run.claim);
}

fn a_parked_run_is_kept_and_never_claimed(trial: &mut Trial) {
    let worker = trial.register(1);
    let run = trial.claimed_one(worker);
    assert!(trial.settle(&run, park()));
    let reason = "another signature".to_owned();
    assert_eq!(
        trial.view(run.id).unwrap().status,
        Status::Incompatible { reason }
    );
    trial.insert(&super::run_of(super::kind("other", "newer"), 0));
    trial.pass(1000 * HOUR);
    trial.prune(u32::MAX, super::KeepCaps { done: 0, failed: 0 });
    let unwanted = |kind: &super::Kind| (kind.queue == "default").then_some(0);
    assert_eq!(trial.claim_wanted(worker, 9, unwanted).runs.len(), 0);
    assert_eq!(trial.state(run.id), Some(State::Incompatible));
}

fn a_run_that_waited_for_the_wall_clock_is_retried_on_the_store_clock(trial: &mut Trial) {
    let worker = trial.register(1);
    let due = trial.now.wall + 10;
    let id = trial.insert(&super::run_due(super::Due::Wall(due)));
    trial.pass(10);
    let run = trial.claim(worker, 1).remove(0);
    assert_eq!((run.id, run.due_at), (id, due));
    assert!(trial.settle(&run, retry(trial.now.store + HOUR)));
    trial.pass(HOUR - 1);
    assert_eq!(trial.claim(worker, 1).len(), 0);
    trial.pass(1);
    assert_eq!(trial.claim(worker, 1).remove(0).due_at, due);
}

fn the_history_tells_every_attempt_in_order(trial: &mut Trial) {
    let worker = trial.register(1);
    let id = trial.insert(&run());
    let endings = [
        retry(trial.now.store),
        Ending::Release,
        Ending::Snooze {
            due: trial.now.store,
        },
        retry(trial.now.store),
        failed(HOUR),
    ];
    for ending in endings {
        let run = trial.claim(worker, 1).remove(0);
        assert!(trial.settle(&run, ending));
    }
    let history: Vec<_> = trial
        .attempts(id)
        .into_iter()
        .map(|attempt| (attempt.attempt, attempt.outcome))
        .collect();
    use AttemptOutcome::{Panic, Timeout};
    assert_eq!(history, [(1, Timeout), (2, Timeout), (3, Panic)]);
}

fn the_history_keeps_the_latest_attempts_and_no_more(trial: &mut Trial) {
    let worker = trial.register(1);
    let other = trial.insert(&super::run_of(super::kind("other", "waits"), 0));
    let id = trial.insert(&run());
    for _ in 0..105 {
        let wanted = |kind: &super::Kind| (kind.queue == "default").then_some(0);
        let run = trial.claim_wanted(worker, 1, wanted).runs.remove(0);
        assert!(trial.settle(&run, retry(trial.now.store)));
    }
    let kept: Vec<_> = trial.attempts(id).iter().map(|it| it.attempt).collect();
    assert_eq!(kept, (6..=105).collect::<Vec<_>>());
    let run = trial.claim(worker, 2).remove(1);
    assert_eq!(run.id, other);
    assert!(trial.settle(&run, failed(HOUR)));
    assert_eq!(trial.attempts(other).len(), 1);
    assert_eq!(trial.attempts(id).len(), 100);
}
