//! Query: what each state looks like.

use super::{
    Due, HOUR, RunId, State, Trial, cancelled, contract, done, failed, kind, park, run, run_due,
    run_of,
};
use crate::clock::from_millis;
use crate::run::Status;

contract! {
    a_run_that_does_not_exist_is_none
    a_waiting_run_shows_when_it_is_due
    a_delay_is_not_moved_by_setting_the_wall_clock
    a_running_run_shows_its_attempt_and_its_claim
    every_state_has_its_status
    a_view_names_the_job
}

fn status(trial: &mut Trial, id: RunId) -> Status {
    trial.view(id).unwrap().status
}

fn a_run_that_does_not_exist_is_none(trial: &mut Trial) {
    for id in [RunId(1), RunId(i64::MAX)] {
        assert_eq!(trial.state(id), None);
        assert_eq!(trial.attempts(id), []);
    }
}

fn a_waiting_run_shows_when_it_is_due(trial: &mut Trial) {
    let now = trial.now;
    let id = trial.insert(&run_due(Due::Wall(now.wall + 5000)));
    let due = from_millis(now.wall + 5000);
    assert_eq!(status(trial, id), Status::Scheduled { due });
    trial.now.wall += 1000;
    assert_eq!(status(trial, id), Status::Scheduled { due });
}

fn a_delay_is_not_moved_by_setting_the_wall_clock(trial: &mut Trial) {
    let id = trial.insert(&run_due(Due::Store(trial.now.store + 5000)));
    for set in [0, HOUR, -3 * HOUR] {
        trial.now.wall += set;
        trial.pass(1000);
        let left = 90_000_000 + 5000 - trial.now.store;
        let due = from_millis(trial.now.wall + left);
        assert_eq!(status(trial, id), Status::Scheduled { due });
    }
}

fn a_running_run_shows_its_attempt_and_its_claim(trial: &mut Trial) {
    let worker = trial.register(1);
    let run = trial.claimed_one(worker);
    let since = from_millis(trial.now.wall);
    trial.pass(5000);
    let attempt = 1;
    assert_eq!(status(trial, run.id), Status::Running { attempt, since });
}

fn every_state_has_its_status(trial: &mut Trial) {
    let worker = trial.register(1);
    for (ending, state, finished) in [
        (done(HOUR), State::Done, true),
        (failed(HOUR), State::Failed, true),
        (cancelled(HOUR), State::Cancelled, true),
        (park(), State::Incompatible, false),
    ] {
        let run = trial.claimed_one(worker);
        assert!(trial.settle(&run, ending));
        let view = trial.view(run.id).unwrap();
        assert_eq!(view.state, state);
        assert_eq!(view.status.is_finished(), finished);
        assert_eq!(view.result.is_some(), state == State::Done);
    }
    let id = trial.insert(&run());
    assert_eq!(status(trial, id), Status::Ready);
}

fn a_view_names_the_job(trial: &mut Trial) {
    let id = trial.insert(&run_of(kind("mail", "crate::mail::send"), 1));
    assert_eq!(trial.view(id).unwrap().job, "crate::mail::send");
}
