//! Unique: the first of several twins keeps the others out, while it waits or runs and while its period lasts.

use super::{
    Due, Ending, HOUR, Inserted, Kind, Millis, NO_CAPS, NewRun, RunId, Trial, Unique, cancelled,
    contract, done, failed, kind, park, retry, run, run_due, run_of,
};
use crate::store::NextDue;

contract! {
    a_twin_stores_nothing_and_gives_the_first
    runs_without_a_key_are_no_twins
    another_key_or_another_job_is_no_twin
    the_queue_version_and_time_make_no_difference
    a_run_keeps_twins_out_until_it_has_ended
    a_rescued_run_goes_on_keeping_twins_out
    any_end_lets_the_next_one_in
    a_period_outlasts_the_run_and_its_row
    a_run_outlasts_its_period
    the_period_counts_from_the_first_and_on_the_store_s_clock
    a_rolled_back_first_keeps_nobody_out
    a_rolled_back_twin_leaves_the_first
    keys_survive_a_crash
    keys_of_runs_that_are_gone_are_forgotten
    few_periods_are_ended_at_a_time
}

fn keyed(key: &str) -> NewRun {
    lasting(key, None)
}

fn lasting(key: &str, period: Option<Millis>) -> NewRun {
    NewRun {
        unique: Some(Unique {
            key: key.as_bytes().to_vec(),
            period,
        }),
        ..run()
    }
}

fn enqueue(trial: &mut Trial, run: &NewRun) -> Inserted {
    trial.within(|store, now| store.insert(run, now))
}

/// Inserts a run that nothing may keep out.
fn stored(trial: &mut Trial, run: &NewRun) -> RunId {
    let inserted = enqueue(trial, run);
    assert!(!inserted.is_duplicate, "{inserted:?}");
    inserted.id
}

/// Inserts a run that this one must keep out.
fn refused(trial: &mut Trial, run: &NewRun, first: RunId) {
    let before = trial.fixture.contents();
    let (inserted, effects) = trial.watched(|store, now| store.insert(run, now));
    let expected = Inserted {
        id: first,
        is_duplicate: true,
    };
    assert_eq!(inserted, expected);
    assert_eq!(trial.fixture.contents(), before);
    assert_eq!(
        (effects.ready, effects.scheduled),
        (false, NextDue::default())
    );
}

/// The keys that are kept, where the fixture shows them.
fn keys(trial: &mut Trial) -> usize {
    let contents = trial.fixture.contents();
    let keys = contents
        .iter()
        .filter(|line| line.starts_with("afterhours_unique "));
    keys.count()
}

fn a_twin_stores_nothing_and_gives_the_first(trial: &mut Trial) {
    let first = stored(trial, &keyed("k"));
    refused(trial, &keyed("k"), first);
    refused(trial, &lasting("k", Some(HOUR)), first);
}

fn runs_without_a_key_are_no_twins(trial: &mut Trial) {
    stored(trial, &keyed("k"));
    stored(trial, &run());
    stored(trial, &run());
}

fn another_key_or_another_job_is_no_twin(trial: &mut Trial) {
    stored(trial, &keyed("k"));
    for key in ["", "K", "k ", "kk", "k\0"] {
        stored(trial, &keyed(key));
    }
    let other = NewRun {
        kind: kind("default", "another"),
        ..keyed("k")
    };
    stored(trial, &other);
}

fn the_queue_version_and_time_make_no_difference(trial: &mut Trial) {
    let first = stored(trial, &keyed("k"));
    let same = keyed("k");
    let kinds = [
        kind("mail", "job"),
        Kind {
            version: 2,
            ..same.kind.clone()
        },
        Kind {
            signature: 8,
            ..same.kind.clone()
        },
    ];
    let unique = same.unique.clone();
    let mut twins: Vec<_> = kinds
        .map(|kind| NewRun {
            unique: unique.clone(),
            ..run_of(kind, 99)
        })
        .into();
    twins.push(NewRun {
        unique,
        ..run_due(Due::Store(trial.now.store + HOUR))
    });
    for twin in twins {
        refused(trial, &twin, first);
    }
}

fn a_run_keeps_twins_out_until_it_has_ended(trial: &mut Trial) {
    let worker = trial.register(1);
    let due = trial.now.store + 10;
    let scheduled = NewRun {
        due: Due::Store(due),
        ..keyed("k")
    };
    let first = stored(trial, &scheduled);
    refused(trial, &keyed("k"), first);
    trial.pass(10);
    for ending in [
        retry(trial.now.store + 5),
        Ending::Snooze {
            due: trial.now.store + 5,
        },
        Ending::Release,
    ] {
        let running = trial.claim(worker, 1).remove(0);
        refused(trial, &keyed("k"), first);
        assert!(trial.settle(&running, ending));
        refused(trial, &keyed("k"), first);
        trial.pass(5);
    }
}

fn a_rescued_run_goes_on_keeping_twins_out(trial: &mut Trial) {
    let worker = trial.register(1);
    let first = stored(trial, &keyed("k"));
    trial.claim(worker, 1);
    trial.rescue(worker, 9);
    refused(trial, &keyed("k"), first);
}

fn any_end_lets_the_next_one_in(trial: &mut Trial) {
    let worker = trial.register(1);
    for ending in [
        done(HOUR),
        done(0),
        failed(HOUR),
        failed(0),
        cancelled(HOUR),
        cancelled(0),
        park(),
    ] {
        let first = stored(trial, &keyed("k"));
        let running = trial.claim(worker, 1).remove(0);
        assert_eq!(running.id, first);
        assert!(trial.settle(&running, ending));
    }
    let next = stored(trial, &keyed("k"));
    refused(trial, &keyed("k"), next);
}

fn a_period_outlasts_the_run_and_its_row(trial: &mut Trial) {
    let worker = trial.register(1);
    for keep in [0, 10, HOUR] {
        let first = stored(trial, &lasting("k", Some(100)));
        let running = trial.claim(worker, 1).remove(0);
        // The newest row always stays; this one is to go.
        let newest = trial.insert(&run());
        assert!(trial.settle(&running, done(keep)));
        trial.pass(99);
        trial.prune(9, NO_CAPS);
        assert_eq!(trial.state(first).is_some(), keep == HOUR);
        refused(trial, &keyed("k"), first);
        trial.pass(1);
        let next = stored(trial, &keyed("k"));
        assert_ne!(next, first);
        for running in trial.claim(worker, 9) {
            assert!(running.id == next || running.id == newest);
            trial.settle(&running, done(HOUR));
        }
    }
}

fn a_run_outlasts_its_period(trial: &mut Trial) {
    let worker = trial.register(1);
    let first = stored(trial, &lasting("k", Some(100)));
    trial.pass(HOUR);
    refused(trial, &lasting("k", Some(100)), first);
    trial.prune(9, NO_CAPS);
    refused(trial, &keyed("k"), first);
    let running = trial.claim(worker, 1).remove(0);
    assert!(trial.settle(&running, done(HOUR)));
    stored(trial, &keyed("k"));
}

fn the_period_counts_from_the_first_and_on_the_store_s_clock(trial: &mut Trial) {
    let worker = trial.register(1);
    let first = stored(trial, &lasting("k", Some(100)));
    let running = trial.claim(worker, 1).remove(0);
    assert!(trial.settle(&running, done(HOUR)));
    trial.now.wall += HOUR;
    trial.now.store += 60;
    refused(trial, &lasting("k", Some(100)), first);
    trial.now.wall -= 2 * HOUR;
    trial.now.store += 39;
    refused(trial, &lasting("k", Some(100)), first);
    trial.now.store += 1;
    stored(trial, &lasting("k", Some(100)));
}

fn a_rolled_back_first_keeps_nobody_out(trial: &mut Trial) {
    trial.undone(|store, now| store.insert(&lasting("k", Some(HOUR)), now));
    stored(trial, &keyed("k"));
}

fn a_rolled_back_twin_leaves_the_first(trial: &mut Trial) {
    let worker = trial.register(1);
    let first = stored(trial, &lasting("k", Some(100)));
    let twin = trial.undone(|store, now| store.insert(&keyed("k"), now));
    assert_eq!(twin.id, first);
    let running = trial.claim(worker, 1).remove(0);
    assert!(trial.settle(&running, done(HOUR)));
    trial.pass(100);
    let next = trial.undone(|store, now| store.insert(&lasting("k", Some(HOUR)), now));
    assert!(!next.is_duplicate);
    stored(trial, &keyed("k"));
}

fn keys_survive_a_crash(trial: &mut Trial) {
    let waiting = stored(trial, &keyed("waiting"));
    let lasts = stored(trial, &lasting("lasts", Some(HOUR)));
    trial.fixture.crash();
    refused(trial, &keyed("waiting"), waiting);
    refused(trial, &keyed("lasts"), lasts);
}

fn keys_of_runs_that_are_gone_are_forgotten(trial: &mut Trial) {
    let worker = trial.register(1);
    for (at, keep) in [0, 10, HOUR].into_iter().enumerate() {
        for period in [None, Some(5), Some(HOUR)] {
            stored(trial, &lasting(&format!("{at} {period:?}"), period));
            let running = trial.claim(worker, 1).remove(0);
            trial.insert(&run_of(kind("default", "newest"), -1));
            assert!(trial.settle(&running, done(keep)));
            for newest in trial.claim(worker, 9) {
                trial.settle(&newest, done(HOUR));
            }
        }
    }
    trial.pass(20);
    trial.prune(99, NO_CAPS);
    let kept = if keys(trial) == 0 { 0 } else { 5 };
    assert_eq!(keys(trial), kept, "those of kept runs, and lasting ones");
    trial.pass(HOUR);
    trial.insert(&run());
    trial.prune(99, NO_CAPS);
    trial.prune(99, NO_CAPS);
    assert_eq!(keys(trial), 0);
}

fn few_periods_are_ended_at_a_time(trial: &mut Trial) {
    let worker = trial.register(1);
    for at in 0..6 {
        stored(trial, &lasting(&format!("{at}"), Some(5)));
    }
    let running = trial.claim(worker, 9);
    trial.insert(&run());
    for running in running {
        assert!(trial.settle(&running, done(0)));
    }
    trial.pass(5);
    let all = keys(trial);
    for pruned in 1..=3 {
        trial.prune(2, NO_CAPS);
        assert_eq!(keys(trial), all.saturating_sub(2 * pruned));
    }
}
