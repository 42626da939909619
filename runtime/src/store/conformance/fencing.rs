//! Fencing: an attempt that does not hold its claim cannot touch the run.

use super::{ClaimedRun, Effects, Ending, HOUR, Trial, contract, done, every_ending, retry, run};
use crate::run::RunId;
use crate::store::{ClaimId, NextDue};

contract! {
    a_wrong_claim_changes_nothing
    the_claim_of_another_run_changes_nothing
    a_claim_that_was_settled_changes_nothing_more
    a_claim_that_was_rescued_changes_nothing_more
    a_claim_on_a_run_that_is_gone_changes_nothing
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
    assert!(!effects.ready, "{ending:?}");
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
