//! Insert: ids, and ready or scheduled on either clock.

use super::{
    ClaimedRun, Due, HOUR, NO_CAPS, NewRun, RunId, State, Trial, Unique, cancelled, contract, done,
    failed, kind, run, run_due, run_of,
};

contract! {
    ids_increase
    an_id_is_not_reused_after_the_newest_run_was_kept_for_no_time
    an_id_is_not_reused_after_everything_was_pruned
    an_id_is_not_reused_after_a_crash
    a_run_is_ready_unless_its_time_is_to_come
    a_rolled_back_run_was_never_there
    what_was_committed_survives_a_crash_and_what_was_not_is_gone
    a_claimed_run_carries_all_that_was_inserted
    many_are_inserted_in_their_order_each_as_if_alone
}

fn ids_increase(trial: &mut Trial) {
    let ids: Vec<_> = (0..5).map(|_| trial.insert(&run())).collect();
    assert!(ids.is_sorted_by(|one, two| one < two), "{ids:?}");
    assert!(ids[0] > RunId(0));
}

fn an_id_is_not_reused_after_the_newest_run_was_kept_for_no_time(trial: &mut Trial) {
    let worker = trial.register(1);
    let mut highest = RunId(0);
    for ending in [done(0), failed(0), cancelled(0), done(0)] {
        let run = trial.claimed_one(worker);
        assert!(run.id > highest, "{:?} after {highest:?}", run.id);
        highest = run.id;
        assert!(trial.settle(&run, ending));
        trial.fixture.crash();
    }
    assert!(trial.insert(&run()) > highest);
}

fn an_id_is_not_reused_after_everything_was_pruned(trial: &mut Trial) {
    let worker = trial.register(1);
    let runs: Vec<ClaimedRun> = (0..3).map(|_| trial.claimed_one(worker)).collect();
    for run in &runs {
        assert!(trial.settle(run, done(HOUR)));
    }
    trial.pass(2 * HOUR);
    trial.prune(u32::MAX, NO_CAPS);
    trial.fixture.crash();
    assert!(trial.insert(&run()) > runs[2].id);
}

fn an_id_is_not_reused_after_a_crash(trial: &mut Trial) {
    let before = trial.insert(&run());
    trial.fixture.crash();
    assert!(trial.insert(&run()) > before);
}

fn a_run_is_ready_unless_its_time_is_to_come(trial: &mut Trial) {
    let now = trial.now;
    for (due, expected) in [
        (Due::Now, State::Ready),
        (Due::Wall(now.wall - 1), State::Ready),
        (Due::Wall(now.wall), State::Ready),
        (Due::Wall(now.wall + 1), State::Scheduled),
        (Due::Store(now.store - 1), State::Ready),
        (Due::Store(now.store), State::Ready),
        (Due::Store(now.store + 1), State::Scheduled),
    ] {
        let id = trial.insert(&run_due(due));
        assert_eq!(trial.state(id), Some(expected), "{due:?}");
    }
}

fn a_rolled_back_run_was_never_there(trial: &mut Trial) {
    let before = trial.fixture.contents();
    let id = trial.undone(|store, now| store.insert(&run(), now)).id;
    assert_eq!(trial.state(id), None);
    assert_eq!(trial.fixture.contents(), before);
}

fn what_was_committed_survives_a_crash_and_what_was_not_is_gone(trial: &mut Trial) {
    let kept = trial.insert(&run());
    let before = trial.fixture.contents();
    trial.fixture.begin();
    let now = trial.now;
    trial.fixture.store().insert(&run(), now).unwrap();
    trial.fixture.crash();
    assert_eq!(trial.fixture.contents(), before);
    assert_eq!(trial.state(kept), Some(State::Ready));
}

fn a_claimed_run_carries_all_that_was_inserted(trial: &mut Trial) {
    let worker = trial.register(1);
    let mut new = run_due(Due::Store(trial.now.store + 40));
    new.options = Some("{\"retry\":1}".to_owned());
    new.kind.signature = u32::MAX;
    new.payload = vec![0, 255, 0, 1];
    let (id, inserted) = (trial.insert(&new), trial.now);
    trial.pass(50);
    let [run] = <[_; 1]>::try_from(trial.claim(worker, 5)).unwrap();
    assert_eq!((run.id, &*run.kind), (id, &new.kind));
    assert_eq!((run.payload, run.options), (new.payload, new.options));
    assert_eq!((run.attempt, run.lost), (1, 0));
    assert_eq!(
        (run.enqueued_at, run.due_at),
        (inserted.wall, inserted.wall + 40)
    );
}

fn many_are_inserted_in_their_order_each_as_if_alone(trial: &mut Trial) {
    let later = Due::Store(trial.now.store + HOUR);
    let due = [Due::Now, later, Due::Wall(trial.now.wall - 5)];
    let mut runs: Vec<NewRun> = Vec::new();
    // Long stretches that are alike, and all that can be different between them.
    for stretch in 0..12_usize {
        for at in 0..20 {
            let job = ["a", "b"][stretch / 2 % 2];
            let mut run = run_of(kind("default", job), i32::try_from(stretch % 3).unwrap());
            run.payload = vec![u8::try_from(stretch).unwrap(), at];
            runs.push(run);
        }
        let last = runs.last_mut().unwrap();
        match stretch % 4 {
            0 => last.due = due[stretch / 4],
            1 => last.options = Some("{}".to_owned()),
            2 => {
                last.unique = Some(Unique {
                    key: b"twin".to_vec(),
                    period: None,
                });
            }
            _ => {}
        }
    }
    let (inserted, effects) = trial.watched(|store, now| {
        let runs: Vec<_> = runs.iter().map(|run| (run, now)).collect();
        store.insert_all(&runs)
    });
    assert_eq!(inserted.len(), runs.len());
    assert!(effects.ready && effects.scheduled.store.is_some());
    let contents = trial.fixture.contents();
    let duplicates = inserted.iter().filter(|one| one.is_duplicate).count();
    assert_eq!(duplicates, 2, "of three with one key");
    let new: Vec<_> = inserted.iter().filter(|one| !one.is_duplicate).collect();
    assert!(new.is_sorted_by(|one, two| one.id < two.id));

    let mut alone = super::sqlite::memory();
    for (run, many) in runs.iter().zip(&inserted) {
        let one = alone.within(|store, now| store.insert(run, now));
        assert_eq!(one, *many);
    }
    assert_eq!(alone.fixture.contents(), contents);
}
