//! Prune: what is finished goes by age and by number, and nothing else does.

use super::{
    ClaimedRun, Ending, HOUR, KeepCaps, Millis, NO_CAPS, RunId, State, Trial, cancelled, contract,
    done, failed, park, retry, run,
};

contract! {
    finished_runs_go_when_their_time_is_over
    the_wall_clock_does_not_shorten_the_time
    finished_runs_go_when_they_are_too_many
    of_runs_that_end_in_one_moment_only_those_too_many_go
    runs_that_are_kept_for_ever_go_by_number_alone
    failed_runs_are_counted_apart
    no_more_than_the_limit_goes_at_once
    live_runs_never_go
    the_highest_id_never_goes
    the_history_goes_with_its_run_and_no_other
}

/// Finishes so many runs, with a moment between them, and one that stays the newest.
fn finish(trial: &mut Trial, endings: Vec<Ending>, between: Millis) -> Vec<RunId> {
    let worker = trial.register(1);
    let runs: Vec<ClaimedRun> = endings.iter().map(|_| trial.claimed_one(worker)).collect();
    trial.insert(&run());
    for (run, ending) in runs.iter().zip(endings) {
        trial.pass(between);
        assert!(trial.settle(run, ending));
    }
    super::ids(&runs)
}

fn left(trial: &mut Trial, ids: &[RunId]) -> Vec<RunId> {
    let there = |id: &RunId| trial.state(*id).is_some();
    ids.iter().copied().filter(there).collect()
}

fn caps(done: u32, failed: u32) -> KeepCaps {
    KeepCaps { done, failed }
}

fn finished_runs_go_when_their_time_is_over(trial: &mut Trial) {
    let endings = vec![done(HOUR), failed(2 * HOUR), cancelled(3 * HOUR)];
    let ids = finish(trial, endings, 0);
    trial.pass(HOUR - 1);
    assert_eq!(trial.prune(9, NO_CAPS), 0);
    for gone in 1..=3 {
        trial.pass(1);
        assert_eq!(trial.prune(9, NO_CAPS), 1);
        assert_eq!(left(trial, &ids), ids[gone..]);
        trial.pass(HOUR - 1);
    }
}

fn the_wall_clock_does_not_shorten_the_time(trial: &mut Trial) {
    let ids = finish(trial, vec![done(HOUR), failed(HOUR)], 0);
    trial.now.wall += 1000 * HOUR;
    assert_eq!(trial.prune(9, NO_CAPS), 0);
    trial.now.wall -= 2000 * HOUR;
    trial.now.store += HOUR;
    assert_eq!(trial.prune(9, NO_CAPS), 2);
    assert_eq!(left(trial, &ids), []);
}

fn finished_runs_go_when_they_are_too_many(trial: &mut Trial) {
    let ids = finish(trial, vec![done(HOUR); 6], 10);
    assert_eq!(trial.prune(9, caps(6, 0)), 0);
    assert_eq!(trial.prune(9, caps(4, 0)), 2);
    assert_eq!(left(trial, &ids), ids[2..], "the oldest go first");
    assert_eq!(trial.prune(9, caps(0, 0)), 4);
    assert_eq!(left(trial, &ids), []);
}

fn of_runs_that_end_in_one_moment_only_those_too_many_go(trial: &mut Trial) {
    let ids = finish(trial, vec![done(HOUR); 6], 0);
    assert_eq!(trial.prune(9, caps(4, 0)), 2);
    assert_eq!(left(trial, &ids).len(), 4);
    assert_eq!(trial.prune(9, caps(4, 0)), 0);
}

fn runs_that_are_kept_for_ever_go_by_number_alone(trial: &mut Trial) {
    let ids = finish(trial, vec![done(Millis::MAX); 4], 10);
    trial.pass(1000 * HOUR);
    assert_eq!(trial.prune(9, NO_CAPS), 0);
    assert_eq!(trial.prune(9, caps(3, 0)), 1);
    assert_eq!(left(trial, &ids).len(), 3);
}

fn failed_runs_are_counted_apart(trial: &mut Trial) {
    let mut endings = vec![done(HOUR); 3];
    endings.extend(vec![failed(HOUR); 3]);
    let ids = finish(trial, endings, 10);
    assert_eq!(trial.prune(9, caps(2, 3)), 1);
    assert_eq!(left(trial, &ids), ids[1..]);
    assert_eq!(trial.prune(9, caps(2, 1)), 2);
    assert_eq!(left(trial, &ids), [ids[1], ids[2], ids[5]]);
}

fn no_more_than_the_limit_goes_at_once(trial: &mut Trial) {
    let mut endings = vec![done(HOUR); 3];
    endings.extend(vec![failed(HOUR); 3]);
    finish(trial, endings, 0);
    trial.pass(HOUR);
    let steps = [0, 2, 2, 2, 2].map(|limit| trial.prune(limit, NO_CAPS));
    assert_eq!(steps, [0, 2, 2, 2, 0]);
}

fn live_runs_never_go(trial: &mut Trial) {
    let worker = trial.register(1);
    let now = trial.now.store;
    let mut live = Vec::new();
    for ending in [
        retry(now + 9000 * HOUR),
        Ending::Snooze {
            due: now + 9000 * HOUR,
        },
        park(),
    ] {
        let run = trial.claimed_one(worker);
        assert!(trial.settle(&run, ending));
        live.push(run.id);
    }
    live.push(trial.claimed_one(worker).id);
    live.push(trial.insert(&run()));
    trial.insert(&run());
    trial.pass(1000 * HOUR);
    let before = trial.fixture.contents();
    assert_eq!(trial.prune(u32::MAX, caps(0, 0)), 0);
    assert_eq!(trial.fixture.contents(), before);
}

fn the_highest_id_never_goes(trial: &mut Trial) {
    let worker = trial.register(1);
    let runs = [0, 1].map(|_| trial.claimed_one(worker));
    for run in &runs {
        assert!(trial.settle(run, done(1)));
    }
    trial.pass(HOUR);
    assert_eq!(trial.prune(9, caps(0, 0)), 1);
    assert_eq!(trial.prune(9, caps(0, 0)), 0);
    assert_eq!(trial.state(runs[0].id), None);
    assert_eq!(trial.state(runs[1].id), Some(State::Done));
    let next = trial.insert(&run());
    assert!(next > runs[1].id);
    assert_eq!(
        trial.prune(9, caps(0, 0)),
        1,
        "it goes once it is not the highest"
    );
}

fn the_history_goes_with_its_run_and_no_other(trial: &mut Trial) {
    let ids = finish(trial, vec![failed(HOUR), failed(2 * HOUR)], 0);
    trial.pass(HOUR);
    assert_eq!(trial.prune(9, NO_CAPS), 1);
    assert_eq!(trial.attempts(ids[0]), []);
    assert_eq!(trial.attempts(ids[1]).len(), 1);
}
