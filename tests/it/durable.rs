//! What `perform_async` has returned for is in the store, whenever its process is killed.

use std::collections::BTreeSet;

use afterhours::Result;

use crate::support::Folder;
use crate::support::process::{Process, worker};

fn stored(folder: &Folder) -> Result<BTreeSet<String>> {
    let store = folder.outsider()?;
    let mut select = store.prepare("SELECT CAST(id AS TEXT) FROM afterhours_runs")?;
    let ids = select.query_map([], |row| row.get(0))?;
    Ok(ids.collect::<afterhours::rusqlite::Result<_>>()?)
}

fn what_was_acknowledged_is_stored(durability: &str) -> Result {
    // Killed at different moments of its enqueues: each says its id only after the answer.
    for wait_for in 1..=8 {
        let folder = Folder::new()?;
        let mut command = worker();
        command
            .arg("produce")
            .arg(folder.store())
            .args(["1000000", durability]);
        let mut producer = Process::start(&mut command)?;
        let mut said: BTreeSet<String> = (0..wait_for).map(|_| producer.line()).collect();
        producer.kill()?;
        said.extend(producer.lines());
        let stored = stored(&folder)?;
        assert!(stored.is_superset(&said), "{said:?} of {stored:?}");
        // One at most was committed and could not be said any more.
        assert!(stored.len() <= said.len() + 1, "{said:?} of {stored:?}");
    }
    Ok(())
}

#[test]
fn what_was_acknowledged_outlives_its_process() -> Result {
    what_was_acknowledged_is_stored("normal")
}

#[test]
fn what_was_acknowledged_with_full_durability_outlives_its_process() -> Result {
    what_was_acknowledged_is_stored("full")
}
