//! Effects: what others hear of once a transaction is committed, and what a rollback takes back.

use super::{
    Due, Effects, Ending, HOUR, Kind, Loss, RunId, Trial, cancelled, contract, done, every_ending,
    failed, ids, kind, park, retry, run, run_due, run_of, worker,
};
use crate::store::NextDue;

contract! {
    inserts_tell_what_is_ready_and_what_is_scheduled
    the_earliest_of_many_moments_is_told
    settling_tells_what_follows
    a_finish_is_told_with_its_ending
    a_rescue_tells_that_runs_are_ready
    effects_are_told_once
    a_rollback_tells_nothing
    kinds_of_a_rolled_back_transaction_are_not_believed
}

fn scheduled(effects: &Effects) -> (Option<i64>, Option<i64>) {
    (effects.scheduled.wall, effects.scheduled.store)
}

fn finished(effects: &Effects) -> Vec<RunId> {
    effects.finished.iter().map(|(id, _)| *id).collect()
}

fn assert_nothing(effects: &Effects) {
    assert!(!effects.ready);
    assert_eq!(effects.scheduled, NextDue::default());
    assert_eq!(finished(effects), []);
}

fn inserts_tell_what_is_ready_and_what_is_scheduled(trial: &mut Trial) {
    let [wall, store] = [trial.now.wall + 5, trial.now.store + 5];
    for (due, ready, expected) in [
        (Due::Now, true, (None, None)),
        (Due::Wall(wall), false, (Some(wall), None)),
        (Due::Store(store), false, (None, Some(store))),
        (Due::Wall(wall - 5), true, (None, None)),
        (Due::Store(store - 5), true, (None, None)),
    ] {
        let (_, effects) = trial.watched(|store, now| store.insert(&run_due(due), now));
        assert_eq!(effects.ready, ready, "{due:?}");
        assert_eq!(scheduled(&effects), expected, "{due:?}");
    }
}

fn the_earliest_of_many_moments_is_told(trial: &mut Trial) {
    let now = trial.now;
    let (_, effects) = trial.watched(|store, at| {
        for after in [30, 10, 20] {
            store.insert(&run_due(Due::Wall(now.wall + after)), at)?;
            store.insert(&run_due(Due::Store(now.store + 2 * after)), at)?;
        }
        Ok(())
    });
    let expected = (Some(now.wall + 10), Some(now.store + 20));
    assert_eq!(scheduled(&effects), expected);
    assert!(!effects.ready);
}

fn settling_tells_what_follows(trial: &mut Trial) {
    let worker = trial.register(1);
    let due = trial.now.store + 5;
    for (ending, ready, next) in [
        (done(HOUR), false, None),
        (retry(due), false, Some(due)),
        (Ending::Snooze { due }, false, Some(due)),
        (Ending::Release, true, None),
        (park(), false, None),
    ] {
        let run = trial.claimed_one(worker);
        let settlement = super::settlement(&run, ending);
        let (held, effects) = trial.watched(|store, now| store.settle(&settlement, now));
        assert!(held);
        assert_eq!(effects.ready, ready, "{settlement:?}");
        assert_eq!(scheduled(&effects), (None, next), "{settlement:?}");
        trial.claim(worker, 9);
    }
}

fn a_finish_is_told_with_its_ending(trial: &mut Trial) {
    let worker = trial.register(1);
    for ending in every_ending(trial.now) {
        let run = trial.claimed_one(worker);
        let settlement = super::settlement(&run, ending.clone());
        let (_, effects) = trial.watched(|store, now| store.settle(&settlement, now));
        let expected = if ending.concerns_joiners() {
            vec![run.id]
        } else {
            vec![]
        };
        assert_eq!(finished(&effects), expected, "{ending:?}");
        for (_, told) in &effects.finished {
            assert_eq!(format!("{told:?}"), format!("{ending:?}"));
        }
        trial.claim(worker, 9);
    }
}

fn a_rescue_tells_that_runs_are_ready(trial: &mut Trial) {
    let [dead, idle] = [trial.register(1), trial.register(2)];
    trial.claimed_one(dead);
    let (_, effects) = trial.watched(|store, now| store.rescue(dead, Loss::Died, 9, now));
    assert!(effects.ready);
    let (_, effects) = trial.watched(|store, now| store.rescue(idle, Loss::Died, 9, now));
    assert_nothing(&effects);
    let dead = trial.register(1);
    trial.claim(dead, 9);
    let (_, effects) = trial.watched(|store, now| store.register(&worker(1), now));
    assert!(effects.ready, "a new worker on the slot rescues too");
}

fn effects_are_told_once(trial: &mut Trial) {
    let worker = trial.register(1);
    let run = trial.claimed_one(worker);
    trial.settle(&run, failed(HOUR));
    let (_, effects) = trial.watched(|store, _| store.workers());
    assert_nothing(&effects);
    let (_, effects) = trial.watched(|store, now| {
        let cutoffs = store.cutoffs(super::NO_CAPS)?;
        store.prune(9, &cutoffs, now)
    });
    assert_nothing(&effects);
}

fn a_rollback_tells_nothing(trial: &mut Trial) {
    let worker = trial.register(1);
    let run = trial.claimed_one(worker);
    let ending = super::settlement(&run, cancelled(HOUR));
    trial.undone(|store, now| {
        store.insert(&super::run(), now)?;
        store.insert(&run_due(Due::Store(now.store + 5)), now)?;
        store.settle(&ending, now)
    });
    let (_, effects) = trial.watched(|store, _| store.workers());
    assert_nothing(&effects);
}

fn kinds_of_a_rolled_back_transaction_are_not_believed(trial: &mut Trial) {
    let worker = trial.register(1);
    let [one, two] = ["one", "two"].map(|job| kind("default", job));
    let known = trial.insert(&run());
    trial.undone(|store, now| store.insert(&run_of(one.clone(), 1), now));
    // The number that `one` had for a moment may now be given to `two`.
    let second = trial.insert(&run_of(two.clone(), 1));
    let first = trial.insert(&run_of(one.clone(), 1));
    trial.undone(|store, now| store.insert(&run_of(kind("default", "three"), 1), now));
    let only = |wanted: Kind| move |kind: &Kind| (*kind == wanted).then_some(0);
    assert_eq!(ids(&trial.claim_wanted(worker, 9, only(one)).runs), [first]);
    assert_eq!(
        ids(&trial.claim_wanted(worker, 9, only(two)).runs),
        [second]
    );
    assert_eq!(ids(&trial.claim(worker, 9)), [known]);
}
