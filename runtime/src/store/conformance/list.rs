//! List: every run is met once, in the order of its state, whatever the pages are like.

use std::collections::BTreeMap;

use super::{
    Due, Ending, HOUR, RunId, State, Trial, cancelled, contract, done, failed, kind, park, plain,
    retry, run, run_due, run_of,
};
use crate::progress::Progress;
use crate::store::{ClaimId, ListRequest, Listed, NewRun};

contract! {
    every_run_is_met_once_whatever_the_pages_are_like
    what_is_scheduled_is_in_the_order_of_both_clocks
    ready_runs_of_a_job_are_in_the_order_of_their_claims
    the_latest_end_comes_first
    filters_let_through_what_they_say
    a_page_that_finds_nothing_ends_all_the_same
    a_row_tells_all_that_is_known
    an_overview_counts_what_there_is
    a_running_run_shows_how_far_it_has_come
}

fn request() -> ListRequest {
    ListRequest {
        limit: 100,
        ..ListRequest::default()
    }
}

fn of_state(state: State) -> ListRequest {
    ListRequest {
        state: Some(state),
        ..request()
    }
}

fn list(trial: &mut Trial, request: &ListRequest) -> Listed {
    trial.within(|store, now| store.list(request, now))
}

/// All pages of so many.
fn pages(trial: &mut Trial, request: &ListRequest, limit: usize) -> Vec<RunId> {
    let mut request = ListRequest {
        limit,
        ..request.clone()
    };
    let mut ids = Vec::new();
    loop {
        let listed = list(trial, &request);
        assert!(listed.runs.len() <= limit);
        ids.extend(listed.runs.iter().map(|run| run.id));
        match listed.next {
            Some(next) => request.after = Some(next),
            None => return ids,
        }
    }
}

/// Some of each state, of two jobs and priorities.
fn fill(trial: &mut Trial) -> BTreeMap<i64, Vec<RunId>> {
    let mut all: BTreeMap<i64, Vec<RunId>> = BTreeMap::new();
    let worker = trial.register(1);
    for round in 0..3 {
        for ending in [
            done(HOUR),
            plain(HOUR),
            failed(HOUR),
            cancelled(HOUR),
            retry(trial.now.store + 500),
            park(),
        ] {
            trial.pass(7);
            let run = trial.claimed_one(worker);
            let state = match ending {
                Ending::Done { .. } => State::Done,
                Ending::Failed { .. } => State::Failed,
                Ending::Cancelled { .. } => State::Cancelled,
                Ending::Retry { .. } => State::Scheduled,
                _ => State::Incompatible,
            };
            assert!(trial.settle(&run, ending));
            all.entry(state.code()).or_default().push(run.id);
        }
        let due = run_due(Due::Wall(trial.now.wall + 1000 - round));
        let id = trial.insert(&due);
        all.entry(State::Scheduled.code()).or_default().push(id);
        // As two workers would, at the same time.
        let run = trial.claimed_one(worker);
        all.entry(State::Running.code()).or_default().push(run.id);
    }
    for priority in [5, 7, 5] {
        for job in ["job", "other"] {
            let id = trial.insert(&run_of(kind("default", job), priority));
            all.entry(State::Ready.code()).or_default().push(id);
        }
    }
    all
}

const STATES: [State; 7] = [
    State::Ready,
    State::Scheduled,
    State::Running,
    State::Done,
    State::Failed,
    State::Cancelled,
    State::Incompatible,
];

fn every_run_is_met_once_whatever_the_pages_are_like(trial: &mut Trial) {
    let all = fill(trial);
    for limit in [1, 2, 3, 100] {
        for state in STATES {
            let mut met = pages(trial, &of_state(state), limit);
            met.sort_unstable();
            assert_eq!(met, all[&state.code()], "{state:?}, {limit} to a page");
        }
        let met = pages(trial, &request(), limit);
        let mut expected: Vec<RunId> = all.values().flatten().copied().collect();
        expected.sort_unstable_by(|one, other| other.cmp(one));
        assert_eq!(met, expected);
    }
}

fn what_is_scheduled_is_in_the_order_of_both_clocks(trial: &mut Trial) {
    let mut expected = Vec::new();
    for delay in 1..=4 {
        let wall = Due::Wall(trial.now.wall + delay * 1000);
        expected.push(trial.insert(&run_due(wall)));
        let store = Due::Store(trial.now.store + delay * 1000 + 500);
        expected.push(trial.insert(&run_due(store)));
    }
    for limit in [1, 3, 100] {
        assert_eq!(pages(trial, &of_state(State::Scheduled), limit), expected);
    }
}

fn ready_runs_of_a_job_are_in_the_order_of_their_claims(trial: &mut Trial) {
    let priorities = [5, 9, 5, 7, 9];
    let ids = priorities.map(|priority| trial.insert(&run_of(kind("default", "job"), priority)));
    let [a, b, c, d, e] = ids;
    for limit in [1, 2, 100] {
        assert_eq!(
            pages(trial, &of_state(State::Ready), limit),
            [b, e, d, a, c]
        );
    }
}

fn the_latest_end_comes_first(trial: &mut Trial) {
    let worker = trial.register(1);
    let mut ids = Vec::new();
    for _ in 0..3 {
        let run = trial.claimed_one(worker);
        trial.pass(10);
        assert!(trial.settle(&run, failed(HOUR)));
        ids.insert(0, run.id);
    }
    assert_eq!(pages(trial, &of_state(State::Failed), 2), ids);
}

fn filters_let_through_what_they_say(trial: &mut Trial) {
    let worker = trial.register(1);
    let tagged = NewRun {
        options: Some(r#"{"tags":["one","two"]}"#.to_owned()),
        ..run_of(kind("mail", "send"), 5)
    };
    let tagged = trial.insert(&tagged);
    let mailed = trial.insert(&run_of(kind("mail", "send"), 3));
    let other = trial.insert(&run_of(kind("default", "send"), 3));
    let broken = trial.claim(worker, 1).remove(0);
    assert_eq!(broken.id, tagged);
    assert!(trial.settle(&broken, retry(trial.now.store + 500)));
    let mut met = |request: ListRequest| pages(trial, &request, 1);
    let job = |job: &str| ListRequest {
        job: Some(job.to_owned()),
        ..request()
    };
    let queue = ListRequest {
        queue: Some("mail".to_owned()),
        ..request()
    };
    let tag = |tag: &str| ListRequest {
        tag: Some(tag.to_owned()),
        ..request()
    };
    let error = |error: &str| ListRequest {
        error: Some(error.to_owned()),
        ..request()
    };
    assert_eq!(met(job("send")), [other, mailed, tagged]);
    assert_eq!(met(queue.clone()), [mailed, tagged]);
    assert_eq!(met(job("nothing")), []);
    assert_eq!(met(tag("two")), [tagged]);
    assert_eq!(met(tag("tw")), []);
    assert_eq!(met(error("TOO SLOW")), [tagged]);
    assert_eq!(met(error("too fast")), []);
    let ready = ListRequest {
        state: Some(State::Ready),
        ..queue
    };
    assert_eq!(met(ready), [mailed]);
}

fn a_page_that_finds_nothing_ends_all_the_same(trial: &mut Trial) {
    for request in STATES.map(of_state).into_iter().chain([request()]) {
        let listed = list(trial, &request);
        assert!(listed.runs.is_empty() && listed.next.is_none());
        let after = ListRequest {
            after: Some([5, -5, i64::MIN, i64::MAX]),
            ..request
        };
        assert!(list(trial, &after).runs.is_empty());
    }
}

fn a_row_tells_all_that_is_known(trial: &mut Trial) {
    let worker = trial.register(1);
    let enqueued_at = trial.now.wall;
    let run = trial.claimed_one(worker);
    let row = |trial: &mut Trial, id| trial.within(|store, now| store.row(id, now));
    let running = row(trial, run.id).unwrap();
    assert_eq!((running.state, running.attempts), (State::Running, 1));
    trial.pass(5);
    assert!(trial.settle(&run, retry(trial.now.store + 500)));
    let waiting = row(trial, run.id).unwrap();
    assert_eq!((waiting.state, waiting.attempts), (State::Scheduled, 1));
    assert_eq!(waiting.error.as_deref(), Some("too slow"));
    trial.pass(500);
    let run = trial.claim(worker, 1).remove(0);
    let started_at = trial.now.wall;
    trial.pass(20);
    assert!(trial.settle(&run, done(HOUR)));
    let row = row(trial, run.id).unwrap();
    assert_eq!((row.state, row.attempts), (State::Done, 2));
    assert_eq!(
        (row.job.as_str(), row.queue.as_str(), row.priority),
        ("job", "default", 10)
    );
    assert_eq!(row.enqueued_at, enqueued_at);
    assert_eq!(row.started_at, Some(started_at));
    assert_eq!(row.finished_at, Some(started_at + 20));
    assert_eq!(row.payload.as_deref(), Some(&b"arguments"[..]));
    assert!(
        trial
            .within(|store, now| store.row(RunId(77), now))
            .is_none()
    );
}

fn an_overview_counts_what_there_is(trial: &mut Trial) {
    let all = fill(trial);
    let overview = trial.within(|store, _| store.overview());
    let count = |state: State| u64::try_from(all[&state.code()].len()).unwrap();
    assert_eq!(overview.done, count(State::Done));
    assert_eq!(overview.failed, count(State::Failed));
    assert_eq!(overview.cancelled, count(State::Cancelled));
    assert_eq!(overview.scheduled, count(State::Scheduled));
    assert_eq!(overview.incompatible, count(State::Incompatible));
    assert_eq!(overview.workers, 1);
    let queue = &overview.queues["default"];
    assert_eq!(
        (queue.ready, queue.running),
        (count(State::Ready), count(State::Running))
    );
    assert!(!queue.is_paused);
    assert_eq!(overview.ready_since, Some(trial.now.wall));
    trial.pass(9);
    trial.insert(&run());
    let overview = trial.within(|store, _| store.overview());
    assert_eq!(overview.ready_since, Some(trial.now.wall - 9));
}

fn a_running_run_shows_how_far_it_has_come(trial: &mut Trial) {
    let worker = trial.register(1);
    let run = trial.claimed_one(worker);
    let mut told = |claim, done| {
        let progress = Progress::new(done, 9);
        trial.within(|store, now| {
            store.progress(&[(run.id, claim, progress), (RunId(77), claim, progress)])?;
            Ok(store.row(run.id, now)?.unwrap().progress)
        })
    };
    assert_eq!(told(run.claim, 4), Some(Progress::new(4, 9)));
    let lost = ClaimId(run.claim.0 + 1);
    assert_eq!(
        told(lost, 5),
        Some(Progress::new(4, 9)),
        "that claim is none"
    );
    assert!(trial.settle(&run, retry(trial.now.store)));
    let row = trial.within(|store, now| store.row(run.id, now));
    assert_eq!(row.unwrap().progress, None);
}
