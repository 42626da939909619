//! Tick: one run for each due moment of a schedule, whoever notices it.

use std::sync::Arc;

use super::{Ending, HOUR, State, Trial, contract, done, park, retry, run, schedule};
use crate::clock::Millis;
use crate::job::Overlap;
use crate::run::RunId;
use crate::store::{Tick, Ticked};

contract! {
    a_tick_fires_once
    a_tick_that_another_worker_has_seen_is_taken
    a_tick_while_the_last_run_is_active_counts_and_enqueues_nothing
    a_tick_that_may_overlap_fires_beside_the_last_run
    a_tick_after_the_last_run_has_ended_fires
    the_run_carries_the_time_of_its_tick
    schedules_do_not_disturb_each_other
    a_rolled_back_tick_can_fire_again
    a_tick_survives_a_crash
}

fn tick(schedule: &str, after: Option<Millis>, at: Millis) -> Tick {
    Tick {
        schedule: schedule.into(),
        after,
        at,
        overlap: Overlap::Skip,
        run: Arc::new(run()),
        due_at: at + 77,
        missed: 0,
        failures: 0,
    }
}

/// Schedules whose ticks are tried here.
fn define(trial: &mut Trial) {
    for name in ["s", "one", "two"] {
        trial.define(&schedule(name));
    }
}

fn fire(trial: &mut Trial, tick: &Tick) -> Ticked {
    trial.within(|store, now| store.tick(tick, now))
}

fn fired(ticked: Ticked) -> RunId {
    match ticked {
        Ticked::Fired(id) => id,
        other => panic!("{other:?}"),
    }
}

fn last(trial: &mut Trial, schedule: &str) -> Option<Millis> {
    let view = trial.within(|store, now| store.schedule(schedule, now));
    view.and_then(|view| view.last_tick)
}

fn a_tick_fires_once(trial: &mut Trial) {
    define(trial);
    assert_eq!(last(trial, "s"), None);
    let id = fired(fire(trial, &tick("s", None, 1000)));
    assert_eq!(trial.state(id), Some(State::Ready));
    assert_eq!(last(trial, "s"), Some(1000));
    let before = trial.fixture.contents();
    assert_eq!(
        fire(trial, &tick("s", None, 1000)),
        Ticked::Taken(Some(1000))
    );
    assert_eq!(trial.fixture.contents(), before);
}

fn a_tick_that_another_worker_has_seen_is_taken(trial: &mut Trial) {
    define(trial);
    let worker = trial.register(1);
    let mut after = None;
    for at in [1000, 2000, 3000] {
        fired(fire(trial, &tick("s", after, at)));
        let run = trial.claim(worker, 1).remove(0);
        assert!(trial.settle(&run, done(HOUR)));
        after = Some(at);
    }
    for (known, at) in [
        (None, 1000),
        (Some(1000), 2000),
        (Some(2000), 3000),
        (Some(2000), 4000),
    ] {
        assert_eq!(
            fire(trial, &tick("s", known, at)),
            Ticked::Taken(Some(3000))
        );
    }
    assert_eq!(trial.claim(worker, 9).len(), 0);
    fired(fire(trial, &tick("s", Some(3000), 4000)));
}

fn a_tick_while_the_last_run_is_active_counts_and_enqueues_nothing(trial: &mut Trial) {
    define(trial);
    let worker = trial.register(1);
    let id = fired(fire(trial, &tick("s", None, 1000)));
    let mut after = 1000;
    let mut skip = |trial: &mut Trial| {
        let next = tick("s", Some(after), after + 1000);
        let (ticked, effects) = trial.watched(|store, now| store.tick(&next, now));
        assert_eq!(ticked, Ticked::Overlap);
        assert!(!effects.ready);
        after += 1000;
        assert_eq!(last(trial, "s"), Some(after));
    };
    skip(trial);
    let run = trial.claim(worker, 9);
    assert_eq!(run.len(), 1);
    skip(trial);
    assert!(trial.settle(&run[0], retry(trial.now.store + 10)));
    skip(trial);
    trial.pass(10);
    let run = trial.claim(worker, 9).remove(0);
    assert!(trial.settle(&run, Ending::Release));
    skip(trial);
    assert_eq!(ids(trial, worker), [id]);
}

fn a_tick_that_may_overlap_fires_beside_the_last_run(trial: &mut Trial) {
    define(trial);
    let worker = trial.register(1);
    let allowed = |after, at| Tick {
        overlap: Overlap::Allow,
        ..tick("s", after, at)
    };
    let first = fired(fire(trial, &tick("s", None, 1000)));
    let second = fired(fire(trial, &allowed(Some(1000), 2000)));
    assert_eq!(
        fire(trial, &allowed(Some(1000), 2000)),
        Ticked::Taken(Some(2000))
    );
    let runs = trial.claim(worker, 9);
    assert_eq!(super::ids(&runs), [first, second]);
    // From now on the second is the last run.
    assert!(trial.settle(&runs[0], done(HOUR)));
    assert_eq!(fire(trial, &tick("s", Some(2000), 3000)), Ticked::Overlap);
    let third = fired(fire(trial, &allowed(Some(3000), 4000)));
    assert_eq!(ids(trial, worker), [third]);
}

fn ids(trial: &mut Trial, worker: crate::store::WorkerId) -> Vec<RunId> {
    super::ids(&trial.claim(worker, 9))
}

fn a_tick_after_the_last_run_has_ended_fires(trial: &mut Trial) {
    define(trial);
    let worker = trial.register(1);
    let mut after = None;
    let endings = [
        done(HOUR),
        done(0),
        super::failed(HOUR),
        super::cancelled(HOUR),
        park(),
    ];
    for (ending, at) in endings.into_iter().zip([1000, 2000, 3000, 4000, 5000]) {
        fired(fire(trial, &tick("s", after, at)));
        let run = trial.claim(worker, 1).remove(0);
        assert!(trial.settle(&run, ending));
        after = Some(at);
    }
    fired(fire(trial, &tick("s", after, 6000)));
}

fn the_run_carries_the_time_of_its_tick(trial: &mut Trial) {
    define(trial);
    let worker = trial.register(1);
    fired(fire(trial, &tick("s", None, 1000)));
    let run = trial.claim(worker, 1).remove(0);
    assert_eq!((run.due_at, run.enqueued_at), (1077, trial.now.wall));
}

fn schedules_do_not_disturb_each_other(trial: &mut Trial) {
    define(trial);
    fired(fire(trial, &tick("one", None, 1000)));
    fired(fire(trial, &tick("two", None, 500)));
    assert_eq!(last(trial, "one"), Some(1000));
    assert_eq!(last(trial, "two"), Some(500));
    assert_eq!(last(trial, "three"), None);
}

fn a_rolled_back_tick_can_fire_again(trial: &mut Trial) {
    define(trial);
    let first = tick("s", None, 1000);
    fired(trial.undone(|store, now| store.tick(&first, now)));
    assert_eq!(last(trial, "s"), None);
    fired(fire(trial, &first));
}

fn a_tick_survives_a_crash(trial: &mut Trial) {
    define(trial);
    let first = tick("s", None, 1000);
    fired(fire(trial, &first));
    trial.fixture.crash();
    assert_eq!(fire(trial, &first), Ticked::Taken(Some(1000)));
}
