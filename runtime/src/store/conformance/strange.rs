//! Rows that a stranger has written into the SQLite file: put aside one by one, with a word to whoever waits.

use std::sync::Arc;

use super::sqlite::{clock, open};
use super::{ClaimId, ClaimRequest, Ending, Kind, Ranked, RunId, Store, ids, run};
use crate::clock::Now;
use crate::store::sqlite::Core;
use crate::store::{Claimed, Effects, WorkerId};

const NOW: Now = Now { wall: 5, store: 5 };

fn claim(core: &mut Core, number: i64) -> (Claimed, Effects) {
    let request = ClaimRequest {
        claim: ClaimId::new(WorkerId(1), number),
        limit: 3,
        wanted: Arc::new(Ranked(|_: &Kind| Some(0))),
    };
    core.begin().unwrap();
    let claimed = core.claim(&request, NOW).unwrap();
    (claimed, core.commit().unwrap())
}

#[test]
fn a_claim_puts_bad_rows_aside_and_says_that_there_may_be_more() {
    let folder = tempfile::tempdir().unwrap();
    let (mut core, _) = open(&folder.path().join("jobs.db"), &clock()).unwrap();
    core.begin().unwrap();
    for _ in 0..5 {
        core.insert(&run(), NOW).unwrap();
    }
    core.commit().unwrap();
    let spoil = "UPDATE afterhours_runs SET attempts = -1 WHERE id IN (1, 3)";
    core.connection().execute_batch(spoil).unwrap();

    let (claimed, effects) = claim(&mut core, 1);
    assert_eq!(ids(&claimed.runs), [RunId(2)]);
    assert!(claimed.again);
    let told: Vec<_> = effects.finished.iter().map(|(id, _)| *id).collect();
    assert_eq!(told, [RunId(1), RunId(3)]);
    for (_, ending) in &effects.finished {
        let Ending::Park { reason } = ending else {
            panic!("{ending:?}");
        };
        assert!(reason.contains("not written"), "{reason}");
    }
    let (claimed, effects) = claim(&mut core, 2);
    assert_eq!(ids(&claimed.runs), [RunId(4), RunId(5)]);
    assert!(!claimed.again && effects.finished.is_empty());
}

#[test]
fn a_running_run_that_a_stranger_makes_due_is_not_claimed_again() {
    let folder = tempfile::tempdir().unwrap();
    let (mut core, _) = open(&folder.path().join("jobs.db"), &clock()).unwrap();
    core.begin().unwrap();
    core.insert(&run(), NOW).unwrap();
    core.commit().unwrap();
    let (claimed, _) = claim(&mut core, 1);
    assert_eq!(ids(&claimed.runs), [RunId(1)]);
    for due in ["due_wall = 1", "due_store = 1"] {
        let spoil = format!("UPDATE afterhours_runs SET {due}");
        core.connection().execute_batch(&spoil).unwrap();
        let (claimed, _) = claim(&mut core, 2);
        assert!(claimed.runs.is_empty(), "{due}");
    }
}

#[test]
fn a_ready_run_that_is_none_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let (mut core, _) = open(&folder.path().join("jobs.db"), &clock()).unwrap();
    core.begin().unwrap();
    for _ in 0..4 {
        core.insert(&run(), NOW).unwrap();
    }
    core.commit().unwrap();
    let spoil = "UPDATE afterhours_runs SET state = 3 WHERE id = 1; DELETE FROM afterhours_runs WHERE id = 2";
    core.connection().execute_batch(spoil).unwrap();
    let (claimed, effects) = claim(&mut core, 1);
    assert_eq!(ids(&claimed.runs), [RunId(3)]);
    assert!(claimed.again && effects.finished.is_empty());
    let (claimed, _) = claim(&mut core, 2);
    assert_eq!(ids(&claimed.runs), [RunId(4)]);
    assert!(!claimed.again);
}
