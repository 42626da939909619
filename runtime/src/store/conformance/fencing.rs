//! Fencing: an attempt that does not hold its claim cannot touch the run.

use std::sync::Arc;

use super::{
    ClaimedRun, Effects, Ending, HOUR, Millis, NewRun, Overlap, Trial, Unique, WorkerId, contract,
    done, every_ending, failed, plain, retry, run, schedule,
};
use crate::run::{RunId, State};
use crate::store::{ClaimId, NextDue, Tick};

contract! {
    a_wrong_claim_changes_nothing
    the_claim_of_another_run_changes_nothing
    a_claim_that_was_settled_changes_nothing_more
    a_claim_that_was_rescued_changes_nothing_more
    a_claim_on_a_run_that_is_gone_changes_nothing
    a_lost_claim_touches_no_history_no_key_and_no_schedule
    a_lost_claim_ends_no_run_that_is_asked_to_end
    a_lost_claim_on_a_run_that_left_no_row_changes_nothing
    a_right_claim_changes_something_with_every_ending
    of_many_ends_that_are_written_at_once_those_without_their_claim_are_told
}

/// Tries every ending with this claim: each must be refused and leave no trace.
fn refuse_every_ending(trial: &mut Trial, lost: &ClaimedRun) {
    let before = trial.fixture.contents();
    for ending in every_ending(trial.now) {
        let settlement = super::settlement(lost, ending.clone());
        let (held, effects) = trial.watched(|store, now| store.settle(&settlement, now));
        assert!(!held, "{ending:?}");
        assert_eq!(trial.fixture.contents(), before, "{ending:?}");
        assert_nothing(&effects, &ending);
    }
}

fn assert_nothing(effects: &Effects, ending: &Ending) {
    let told = effects.ready || effects.cancelling || effects.schedules;
    assert!(!told, "{ending:?}");
    assert_eq!(effects.scheduled, NextDue::default(), "{ending:?}");
    assert!(effects.finished.is_empty(), "{ending:?}");
}

fn a_wrong_claim_changes_nothing(trial: &mut Trial) {
    let [one, two] = [trial.register(1), trial.register(2)];
    let right = trial.claimed_one(one);
    trial.insert(&run());
    for claim in [
        ClaimId::new(one, 9_999),
        ClaimId::new(two, 1),
        ClaimId(right.claim.0 + 1),
        ClaimId(0),
    ] {
        refuse_every_ending(
            trial,
            &ClaimedRun {
                claim,
                ..right.clone()
            },
        );
    }
    assert!(trial.settle(&right, done(HOUR)));
}

fn the_claim_of_another_run_changes_nothing(trial: &mut Trial) {
    let worker = trial.register(1);
    let [one, two] = [trial.claimed_one(worker), trial.claimed_one(worker)];
    refuse_every_ending(trial, &ClaimedRun { id: two.id, ..one });
}

fn a_claim_that_was_settled_changes_nothing_more(trial: &mut Trial) {
    let worker = trial.register(1);
    for ending in every_ending(trial.now) {
        let run = trial.claimed_one(worker);
        assert!(trial.settle(&run, ending));
        refuse_every_ending(trial, &run);
        // What is ready again goes to another claim, and the first one still says nothing.
        trial.pass(HOUR);
        if let Some(again) = trial.claim(worker, 1).pop() {
            refuse_every_ending(trial, &run);
            assert!(trial.settle(&again, done(HOUR)));
        }
    }
}

fn a_claim_that_was_rescued_changes_nothing_more(trial: &mut Trial) {
    let [dead, alive] = [trial.register(1), trial.register(2)];
    let lost = trial.claimed_one(dead);
    trial.insert(&run());
    assert_eq!(trial.rescue(dead, 9), 1);
    refuse_every_ending(trial, &lost);
    let again = trial.claim(alive, 1).remove(0);
    assert_eq!(again.id, lost.id);
    refuse_every_ending(trial, &lost);
    assert!(trial.settle(&again, retry(trial.now.store + 1)));
}

fn a_claim_on_a_run_that_is_gone_changes_nothing(trial: &mut Trial) {
    let worker = trial.register(1);
    let run = trial.claimed_one(worker);
    trial.insert(&super::run());
    assert!(trial.settle(&run, done(0)));
    assert_eq!(trial.state(run.id), None);
    refuse_every_ending(trial, &run);
    let id = RunId(1 << 40);
    refuse_every_ending(trial, &ClaimedRun { id, ..run });
}

/// A claimed run on which everything hangs that a run can have: it is a schedule's last one, it keeps twins out for a
/// period, and two of its attempts have failed.
fn claimed_with_everything(trial: &mut Trial, worker: WorkerId, at: Millis) -> ClaimedRun {
    let row = schedule("every");
    trial.define(&row);
    let unique = Unique {
        key: b"key".to_vec(),
        period: Some(HOUR),
    };
    let new = NewRun {
        unique: Some(unique),
        ..run()
    };
    let last = trial.within(|store, now| store.schedule("every", now));
    let tick = Tick {
        schedule: "every".into(),
        after: last.unwrap().last_tick,
        at,
        overlap: Overlap::Allow,
        run: Arc::new(new),
        due_at: trial.now.wall,
        missed: 0,
        failures: 0,
    };
    trial.within(|store, now| store.tick(&tick, now));
    for _ in 0..2 {
        let run = trial.claim(worker, 1).remove(0);
        assert!(trial.settle(&run, retry(trial.now.store)));
    }
    let run = trial.claim(worker, 1).remove(0);
    assert_eq!(trial.attempts(run.id).len(), 2);
    // Not the newest, so that it can go without a trace.
    trial.insert(&super::run_of(super::kind("other", "newer"), 0));
    run
}

/// Lets the worker die, and another one claim its run.
fn taken_over(trial: &mut Trial, dead: WorkerId, alive: WorkerId) -> ClaimedRun {
    assert_eq!(trial.rescue(dead, 9), 1);
    let ours = |kind: &super::Kind| (kind.queue == "default").then_some(0);
    trial.claim_wanted(alive, 1, ours).runs.remove(0)
}

fn a_lost_claim_touches_no_history_no_key_and_no_schedule(trial: &mut Trial) {
    let [dead, alive] = [trial.register(1), trial.register(2)];
    let lost = claimed_with_everything(trial, dead, 1);
    let taken = taken_over(trial, dead, alive);
    assert_eq!(taken.id, lost.id);
    refuse_every_ending(trial, &lost);
    assert!(trial.settle(&taken, retry(trial.now.store)));
    refuse_every_ending(trial, &lost);
    let taken = trial.claim(alive, 1).remove(0);
    refuse_every_ending(trial, &lost);
    assert!(trial.settle(&taken, failed(HOUR)));
    refuse_every_ending(trial, &lost);
}

fn a_lost_claim_ends_no_run_that_is_asked_to_end(trial: &mut Trial) {
    let [dead, alive] = [trial.register(1), trial.register(2)];
    let lost = claimed_with_everything(trial, dead, 1);
    let taken = taken_over(trial, dead, alive);
    assert!(trial.within(|store, now| store.cancel(taken.id, HOUR, now)));
    refuse_every_ending(trial, &lost);
    assert!(trial.settle(&taken, failed(HOUR)));
    refuse_every_ending(trial, &lost);
    // Asked while the first one had it: then the rescue is its end.
    let lost = {
        let dead = trial.register(3);
        trial.pass(2 * HOUR);
        let lost = claimed_with_everything(trial, dead, 2);
        assert!(trial.within(|store, now| store.cancel(lost.id, HOUR, now)));
        assert_eq!(trial.rescue(dead, 9), 1);
        lost
    };
    refuse_every_ending(trial, &lost);
}

fn a_lost_claim_on_a_run_that_left_no_row_changes_nothing(trial: &mut Trial) {
    let [dead, alive] = [trial.register(1), trial.register(2)];
    let lost = claimed_with_everything(trial, dead, 1);
    let taken = taken_over(trial, dead, alive);
    assert!(trial.settle(&taken, done(0)));
    assert_eq!(trial.state(taken.id), None);
    refuse_every_ending(trial, &lost);
    refuse_every_ending(trial, &taken);
}

/// The comparison would see it.
fn a_right_claim_changes_something_with_every_ending(trial: &mut Trial) {
    let worker = trial.register(1);
    for (at, ending) in every_ending(trial.now).into_iter().enumerate() {
        trial.pass(2 * HOUR);
        let run = claimed_with_everything(trial, worker, Millis::try_from(at).unwrap());
        let before = trial.fixture.contents();
        assert!(trial.settle(&run, ending.clone()), "{ending:?}");
        assert_ne!(trial.fixture.contents(), before, "{ending:?}");
        trial.within(|store, now| store.cancel(run.id, 0, now));
    }
}

fn of_many_ends_that_are_written_at_once_those_without_their_claim_are_told(trial: &mut Trial) {
    let [one, two] = [trial.register(1), trial.register(2)];
    for _ in 0..10 {
        trial.insert(&run());
    }
    let mut runs = trial.claim(one, 4);
    runs.extend(trial.claim(two, 4));
    // These have lost theirs: one waits, one is at work elsewhere, one has ended, and one never held it.
    assert!(trial.settle(&runs[1], Ending::Release));
    assert!(trial.settle(&runs[2], retry(trial.now.store)));
    let again = trial.claim(two, 2);
    assert_eq!(super::ids(&again), [runs[1].id, runs[2].id]);
    assert!(trial.settle(&again[0], failed(HOUR)));
    assert!(trial.settle(&runs[5], plain(HOUR)));
    let stranger = ClaimedRun {
        claim: runs[0].claim,
        ..runs[6].clone()
    };
    let due = trial.now.store + 5;
    let endings = [
        (&runs[0], plain(HOUR)),
        (&runs[1], plain(HOUR)),
        (&runs[2], plain(HOUR)),
        (&runs[3], plain(2 * HOUR)),
        (&runs[4], plain(HOUR)),
        (&runs[5], plain(HOUR)),
        (&stranger, plain(HOUR)),
        (&runs[7], retry(due)),
    ];
    let settlements = endings.map(|(run, ending)| super::settlement(run, ending));
    trial.pass(7);
    let (mut lost, effects) = trial.watched(|store, now| store.settle_all(&settlements, now));
    lost.sort_unstable();
    let told = |at: usize| (settlements[at].id, settlements[at].claim);
    assert_eq!(lost, [told(1), told(2), told(5), told(6)]);
    let mut finished: Vec<_> = effects.finished.iter().map(|(id, _)| *id).collect();
    finished.sort_unstable();
    assert_eq!(finished, [runs[0].id, runs[3].id, runs[4].id]);
    let states = runs.iter().map(|run| trial.state(run.id).unwrap());
    assert_eq!(
        states.collect::<Vec<_>>(),
        [
            State::Done,
            State::Failed,
            State::Running,
            State::Done,
            State::Done,
            State::Done,
            State::Running,
            State::Scheduled,
        ]
    );
    // Each stays as long as its own end says.
    trial.pass(HOUR);
    assert_eq!(trial.prune(99, super::NO_CAPS), 4);
    assert_eq!(trial.state(runs[3].id), Some(State::Done));
}
