//! Claim: what is due, in which order, for whom, and what comes next.

use super::{
    Due, HOUR, Kind, NO_CAPS, RunId, State, Trial, contract, done, ids, kind, run, run_due, run_of,
};
use crate::store::{ClaimId, NextDue, WorkerId};

contract! {
    setting_the_wall_clock_moves_only_the_runs_that_wait_for_it
    setting_the_wall_clock_back_holds_wall_runs_and_no_others
    a_due_run_is_promoted_and_claimed_at_once
    a_thousand_due_runs_are_promoted_in_one_claim_and_the_next_moment_tells_of_more
    runs_come_by_the_order_of_queues_then_priority_then_age
    no_more_than_the_limit_is_claimed_and_nothing_twice
    a_limit_of_nothing_still_tells_the_next_moment
    only_wanted_kinds_are_claimed
    what_nobody_wants_does_not_stand_before_the_rest
    the_next_due_moments_of_both_clocks_are_told
    whether_runs_stay_behind_for_others_is_told
    whether_a_claim_made_runs_ready_is_told
    claim_numbers_of_two_workers_never_meet
    a_rolled_back_claim_gives_everything_back
}

fn setting_the_wall_clock_moves_only_the_runs_that_wait_for_it(trial: &mut Trial) {
    let worker = trial.register(1);
    let wall = trial.insert(&run_due(Due::Wall(trial.now.wall + HOUR)));
    let store = trial.insert(&run_due(Due::Store(trial.now.store + HOUR)));
    trial.now.wall += 2 * HOUR;
    assert_eq!(ids(&trial.claim(worker, 9)), [wall]);
    assert_eq!(trial.state(store), Some(State::Scheduled));
    trial.now.store += HOUR;
    assert_eq!(ids(&trial.claim(worker, 9)), [store]);
}

fn setting_the_wall_clock_back_holds_wall_runs_and_no_others(trial: &mut Trial) {
    let worker = trial.register(1);
    let wall = trial.insert(&run_due(Due::Wall(trial.now.wall + 10)));
    let store = trial.insert(&run_due(Due::Store(trial.now.store + 10)));
    trial.now.wall -= HOUR;
    trial.pass(10);
    assert_eq!(ids(&trial.claim(worker, 9)), [store]);
    trial.pass(HOUR - 1);
    assert_eq!(trial.claim(worker, 9).len(), 0);
    trial.pass(1);
    assert_eq!(ids(&trial.claim(worker, 9)), [wall]);
}

fn a_due_run_is_promoted_and_claimed_at_once(trial: &mut Trial) {
    let worker = trial.register(1);
    trial.insert(&run_due(Due::Store(trial.now.store + 10)));
    trial.pass(9);
    assert_eq!(trial.claim(worker, 1).len(), 0);
    trial.pass(1);
    assert_eq!(trial.claim(worker, 1).len(), 1);
}

fn a_thousand_due_runs_are_promoted_in_one_claim_and_the_next_moment_tells_of_more(
    trial: &mut Trial,
) {
    let worker = trial.register(1);
    let due = trial.now.store + 1;
    trial.within(|store, now| {
        (0..1500).try_for_each(|_| store.insert(&run_due(Due::Store(due)), now).map(drop))
    });
    trial.pass(5);
    let mut found = 0;
    for _ in 0..4 {
        let claimed = trial.claim_wanted(worker, 2000, |_| Some(0));
        found += claimed.runs.len();
        assert!(found >= 1000);
        assert_eq!(claimed.next.store.is_some(), found < 1500);
    }
    assert_eq!(found, 1500);
}

fn runs_come_by_the_order_of_queues_then_priority_then_age(trial: &mut Trial) {
    let worker = trial.register(1);
    let [low, other, high, old, young] = [
        ("second", "a", 1),
        ("third", "b", 99),
        ("second", "b", 50),
        ("first", "a", -5),
        ("first", "b", -5),
    ]
    .map(|(queue, job, priority)| trial.insert(&run_of(kind(queue, job), priority)));
    let rank = |kind: &Kind| {
        ["first", "second", "third"]
            .iter()
            .position(|queue| *queue == kind.queue)
    };
    let claimed = trial.claim_wanted(worker, 4, rank).runs;
    assert_eq!(ids(&claimed), [old, young, high, low]);
    assert_eq!(
        ids(&trial.claim_wanted(worker, 4, rank).runs),
        [other],
        "what the limit cut off comes next"
    );
}

fn no_more_than_the_limit_is_claimed_and_nothing_twice(trial: &mut Trial) {
    let [one, two] = [trial.register(1), trial.register(2)];
    let all: Vec<RunId> = (0..5)
        .map(|at| trial.insert(&run_of(kind("default", ["a", "b"][at % 2]), 10)))
        .collect();
    let mut claimed = ids(&trial.claim(one, 2));
    assert_eq!(claimed, all[..2]);
    claimed.extend(ids(&trial.claim(two, 2)));
    claimed.extend(ids(&trial.claim(one, 2)));
    assert_eq!(claimed, all);
    assert_eq!(trial.claim(two, 2).len(), 0);
}

fn a_limit_of_nothing_still_tells_the_next_moment(trial: &mut Trial) {
    let worker = trial.register(1);
    let ready = trial.insert(&run());
    let due = trial.now.store + 7;
    trial.insert(&run_due(Due::Store(due)));
    let claimed = trial.claim_wanted(worker, 0, |_| Some(0));
    assert_eq!((claimed.runs.len(), claimed.next.store), (0, Some(due)));
    assert_eq!(trial.state(ready), Some(State::Ready));
}

fn only_wanted_kinds_are_claimed(trial: &mut Trial) {
    let worker = trial.register(1);
    let wanted = kind("mail", "send");
    for kind in [
        Kind {
            version: 2,
            ..wanted.clone()
        },
        Kind {
            signature: 8,
            ..wanted.clone()
        },
        Kind {
            queue: "default".into(),
            ..wanted.clone()
        },
        Kind {
            job: "receive".into(),
            ..wanted.clone()
        },
    ] {
        trial.insert(&run_of(kind, 99));
    }
    let id = trial.insert(&run_of(wanted.clone(), 1));
    let claimed = trial.claim_wanted(worker, 9, move |kind| (*kind == wanted).then_some(0));
    assert_eq!(ids(&claimed.runs), [id]);
    assert_eq!(trial.claim(worker, 9).len(), 4);
}

fn what_nobody_wants_does_not_stand_before_the_rest(trial: &mut Trial) {
    let worker = trial.register(1);
    trial.within(|store, now| {
        let unknown = run_of(kind("default", "unknown"), 99);
        (0..500).try_for_each(|_| store.insert(&unknown, now).map(drop))
    });
    let id = trial.insert(&run_of(kind("default", "known"), 1));
    let claimed = trial.claim_wanted(worker, 1, |kind| (kind.job == "known").then_some(0));
    assert_eq!(ids(&claimed.runs), [id]);
}

fn the_next_due_moments_of_both_clocks_are_told(trial: &mut Trial) {
    let worker = trial.register(1);
    let next = |trial: &mut Trial| trial.claim_wanted(worker, 9, |_| None).next;
    assert_eq!(next(trial), NextDue::default());
    let now = trial.now;
    for (wall, store) in [(30, 300), (20, 400), (25, 200)] {
        trial.insert(&run_due(Due::Wall(now.wall + wall)));
        trial.insert(&run_due(Due::Store(now.store + store)));
    }
    let expected = |wall, store| NextDue {
        wall: Some(now.wall + wall),
        store: Some(now.store + store),
    };
    assert_eq!(next(trial), expected(20, 200));
    trial.pass(25);
    assert_eq!(next(trial), expected(30, 200));
    trial.pass(HOUR);
    assert_eq!(next(trial), NextDue::default(), "all are promoted");
}

fn whether_runs_stay_behind_for_others_is_told(trial: &mut Trial) {
    let worker = trial.register(1);
    let is_more = |trial: &mut Trial, limit, wanted: &'static str| {
        let rank = move |kind: &Kind| (wanted.contains(&*kind.job)).then_some(0);
        let claimed = trial.claim_wanted(worker, limit, rank);
        (claimed.runs.len(), claimed.is_more)
    };
    assert_eq!(is_more(trial, 1, "a"), (0, false));
    for job in ["a", "a", "b"] {
        trial.insert(&run_of(kind("default", job), 10));
    }
    assert_eq!(
        is_more(trial, 1, "a b"),
        (1, true),
        "another is beyond the limit"
    );
    assert_eq!(is_more(trial, 9, "a"), (1, true), "one is not wanted");
    assert_eq!(is_more(trial, 9, "c"), (0, true));
    assert_eq!(is_more(trial, 1, "a b"), (1, false), "as many as asked for");
    assert_eq!(
        is_more(trial, 1, "a b"),
        (0, false),
        "running ones are nobody else's"
    );
}

fn whether_a_claim_made_runs_ready_is_told(trial: &mut Trial) {
    let worker = trial.register(1);
    let promoted = |trial: &mut Trial| trial.claim_wanted(worker, 9, |_| None).promoted;
    trial.insert(&run());
    let (wall, store) = (trial.now.wall + 10, trial.now.store + 20);
    trial.insert(&run_due(Due::Wall(wall)));
    trial.insert(&run_due(Due::Store(store)));
    assert!(!promoted(trial));
    for expected in [true, false, true, false] {
        trial.pass(if expected { 10 } else { 0 });
        assert_eq!(promoted(trial), expected);
    }
}

fn claim_numbers_of_two_workers_never_meet(trial: &mut Trial) {
    let mut last = i64::MIN;
    for slot in 1..=3 {
        let worker = trial.register(slot);
        let (first, end) = ClaimId::range_of(worker);
        assert!(last < first && first < end);
        assert_eq!(ClaimId::new(worker, 0), ClaimId(first));
        assert_eq!(end + 1, ClaimId::new(WorkerId(worker.0 + 1), 0).0);
        last = end;
        trial.within(|store, _| store.unregister(worker));
    }
    trial.fixture.crash();
    let reused = trial.register(1);
    assert!(
        ClaimId::new(reused, 0).0 > last,
        "a worker's number came back"
    );
    assert_eq!(trial.prune(9, NO_CAPS), 0);
}

fn a_rolled_back_claim_gives_everything_back(trial: &mut Trial) {
    let worker = trial.register(1);
    let id = trial.insert(&run());
    let before = trial.fixture.contents();
    let request = trial.request(worker, 1, |_| Some(0));
    let lost = trial.undone(|store, now| store.claim(&request, now));
    assert_eq!(trial.fixture.contents(), before);
    assert!(!trial.settle(&lost.runs[0], done(HOUR)));
    let again = trial.claim(worker, 1).remove(0);
    assert_eq!((again.id, again.attempt), (id, 1));
}
