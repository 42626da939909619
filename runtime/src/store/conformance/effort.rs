//! How much SQLite does for a step does not depend on how many rows there are: a plan that reads a whole table works
//! well in every other test.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::sqlite::{SETTINGS, clock};
use super::{
    ClaimId, ClaimRequest, HOUR, KeepCaps, Kind, Loss, NewRun, RunId, Settlement, Unique,
    every_ending, kind, plain, run, run_of, worker,
};
use crate::clock::Now;
use crate::run::State;
use crate::store::sqlite::{Core, Location, open_writer};
use crate::store::{ListRequest, Parked, Store};

const NOW: Now = Now {
    wall: 1_700_000_000_000,
    store: 90_000_000,
};
const FEW: usize = 1_000;
const MANY: usize = 20_000;

/// So many rows in each state: done (half of them expired), failed, ready, scheduled, parked; half of those that wait
/// are of a job that nobody knows. And as many keys that keep twins out.
const FILL: &str = "
    WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?1),
        state (state) AS (VALUES (0), (1), (3), (4), (6))
    INSERT INTO afterhours_runs (kind, state, priority, due_wall, due_store, enqueued_at, finished_at, expires, payload)
    SELECT 1 + n % 2, state, n % 3, iif(state = 1 AND n % 2, ?2 + n, NULL), iif(state = 1 AND n % 2 = 0, ?3 + n, NULL),
        ?2, iif(state IN (3, 4), ?2, NULL), iif(state IN (3, 4), ?3 + iif(n % 2, n, -n), NULL), x'00'
    FROM number, state";
const READY: &str = "
    INSERT OR IGNORE INTO afterhours_ready (suspect, kind, priority, run)
    SELECT 0, kind, priority, id FROM afterhours_runs WHERE state = 0";
const KEYS: &str = "
    WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?1)
    INSERT INTO afterhours_unique (run, job, key, until) SELECT n, 'known', CAST(n AS BLOB), ?2 + n FROM number";

fn filled(rows: usize) -> Core {
    let (mut core, _) = open_writer(&Location::Memory, SETTINGS, &clock()).unwrap();
    core.begin().unwrap();
    core.register(&worker(1), NOW).unwrap();
    for job in ["known", "unknown"] {
        core.insert(&run_of(kind("default", job), 0), NOW).unwrap();
    }
    let rows = i64::try_from(rows).unwrap();
    core.connection()
        .execute(FILL, [rows, NOW.wall, NOW.store])
        .unwrap();
    core.connection().execute(READY, []).unwrap();
    core.connection().execute(KEYS, [rows, NOW.store]).unwrap();
    core.commit().unwrap();
    core
}

/// In tens of the virtual machine's steps.
fn effort(core: &mut Core, work: &mut dyn FnMut(&mut dyn Store)) -> u64 {
    let steps = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&steps);
    core.begin().unwrap();
    core.connection_mut()
        .progress_handler(
            10,
            Some(move || {
                counted.fetch_add(1, Ordering::Relaxed);
                false
            }),
        )
        .unwrap();
    work(core);
    core.connection_mut()
        .progress_handler(0, None::<fn() -> bool>)
        .unwrap();
    core.commit().unwrap();
    steps.load(Ordering::Relaxed)
}

fn check(what: &str, work: &mut dyn FnMut(&mut dyn Store)) {
    let [few, many] = [FEW, MANY].map(|rows| effort(&mut filled(rows), work));
    assert!(
        many < 2 * few + 100,
        "{what}: {few}0 steps among {FEW} rows of each kind, {many}0 among {MANY}"
    );
}

fn claim(store: &mut dyn Store, limit: u32, number: i64) -> Vec<super::ClaimedRun> {
    let worker = store.workers().unwrap().remove(0).id;
    let request = ClaimRequest {
        claim: ClaimId::new(worker, number),
        limit,
        wanted: Arc::new(super::Ranked(|kind: &Kind| {
            (kind.job == "known").then_some(0)
        })),
    };
    store.claim(&request, NOW).unwrap().runs
}

#[test]
fn inserting() {
    check("insert", &mut |store| {
        store.insert(&run(), NOW).unwrap();
    });
    check("a twin", &mut |store| {
        let unique = Some(Unique {
            key: b"500".to_vec(),
            period: None,
        });
        let twin = NewRun {
            unique,
            ..run_of(kind("default", "known"), 0)
        };
        assert!(store.insert(&twin, NOW).unwrap().is_duplicate);
    });
    check("insert many", &mut |store| {
        let runs = vec![run(); 50];
        let runs: Vec<_> = runs.iter().map(|run| (run, NOW)).collect();
        store.insert_all(&runs).unwrap();
    });
}

#[test]
fn claiming_and_settling() {
    check("claim", &mut |store| {
        assert_eq!(claim(store, 50, 1).len(), 50);
    });
    check("every ending", &mut |store| {
        let endings = every_ending(NOW);
        let runs = claim(store, u32::try_from(endings.len()).unwrap(), 1);
        for (run, ending) in runs.iter().zip(endings) {
            assert!(store.settle(&super::settlement(run, ending), NOW).unwrap());
        }
    });
    for keep in [0, HOUR] {
        check("finish many", &mut |store| {
            let runs = claim(store, 50, 1);
            let ends: Vec<Settlement> = runs
                .iter()
                .map(|run| super::settlement(run, plain(keep)))
                .collect();
            assert_eq!(store.settle_all(&ends, NOW).unwrap(), []);
        });
    }
}

#[test]
fn what_a_worker_asks_all_the_time() {
    check("questions", &mut |store| {
        let worker = store.workers().unwrap().remove(0).id;
        store.is_registered(worker).unwrap();
        store.cancelling(worker).unwrap();
        store.schedules(NOW).unwrap();
        store.run(RunId(700), NOW).unwrap();
        store.attempts(RunId(700)).unwrap();
        store.row(RunId(700), NOW).unwrap();
        for state in [0, 1, 3, 4, 6].map(State::from_code) {
            let request = ListRequest {
                state: Some(state),
                limit: 50,
                ..ListRequest::default()
            };
            let page = store.list(&request, NOW).unwrap();
            assert_eq!(page.runs.len(), 50, "{state:?}");
            let after = ListRequest {
                after: page.next,
                ..request
            };
            assert_eq!(store.list(&after, NOW).unwrap().runs.len(), 50);
        }
    });
}

#[test]
fn promoting_what_is_due() {
    let later = Now {
        wall: NOW.wall + 100,
        store: NOW.store + 100,
    };
    check("promote", &mut |store| {
        let worker = store.workers().unwrap().remove(0).id;
        let request = ClaimRequest {
            claim: ClaimId::new(worker, 1),
            limit: 1,
            wanted: Arc::new(super::Ranked(|_: &Kind| None)),
        };
        assert!(store.claim(&request, later).unwrap().promoted);
    });
}

#[test]
fn looking_after_what_is_left() {
    check("prune", &mut |store| {
        let caps = KeepCaps {
            done: 600,
            failed: 100,
        };
        let cutoffs = store.cutoffs(caps).unwrap();
        assert_eq!(store.prune(50, &cutoffs, NOW).unwrap(), 50);
    });
    check("rescue", &mut |store| {
        let worker = store.workers().unwrap().remove(0).id;
        claim(store, 50, 1);
        assert_eq!(store.rescue(worker, Loss::Died, 40, NOW).unwrap(), 40);
        store.unregister(worker).unwrap();
        store.rescue(worker, Loss::Died, 40, NOW).unwrap();
        // Suspects are looked for in their own place.
        store.register(&super::worker(2), NOW).unwrap();
        claim(store, 10, 1);
    });
    check("unpark", &mut |store| {
        let wanted = super::Ranked(|kind: &Kind| (kind.job == "known").then_some(0));
        let after = store.unpark(&wanted, Parked::default(), 50).unwrap();
        assert!(after.is_some());
    });
    check("cancel", &mut |store| {
        assert!(store.cancel(RunId(8), HOUR, NOW).unwrap());
    });
}
