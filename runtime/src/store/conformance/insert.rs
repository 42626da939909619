//! Insert: ids, and ready or scheduled on either clock.

use super::{
    ClaimedRun, Due, HOUR, NO_CAPS, RunId, State, Trial, cancelled, contract, done, failed, run,
    run_due,
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
