//! A file of the store that is replaced or deleted while it is open: nothing more is written to what was opened.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use afterhours::{AttemptOutcome, Client, Error, Result};

use crate::support::jobs::{fall, work};
use crate::support::process::{Process, count, ledger, log, wait_for_ledger};
use crate::support::{Folder, joined, within};

const LONG: Duration = Duration::from_secs(3600);

fn beside(folder: &Folder, suffix: &str) -> PathBuf {
    folder.path().join(format!("jobs.db{suffix}"))
}

/// Does this to a store at which a worker is at work, and returns what that comes to.
async fn disturbed(disturb: impl FnOnce(&Folder) -> std::io::Result<()>) -> Result<Folder> {
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let mut worker = Process::worker(&folder, 4, LONG)?;
    client.enqueue(fall::prepare()).await?;
    wait_for_ledger(&folder, "a start", |lines| count(lines, "start") == 1);
    // What is written from here on would be lost.
    let orphan = std::fs::File::open(beside(&folder, "-wal"))?;
    disturb(&folder)?;
    assert_eq!(worker.end()?.code(), Some(1));
    assert!(log(&folder).contains("was replaced or deleted while it was open"));
    let refused = async {
        loop {
            match client.enqueue(work::prepare(1)).await {
                Err(error) => return error,
                Ok(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    let refused = within("an error", refused).await;
    assert!(matches!(refused, Error::FileReplaced { .. }), "{refused}");
    let written = |file: &std::fs::File| -> std::io::Result<(u64, SystemTime)> {
        let file = file.metadata()?;
        Ok((file.len(), file.modified()?))
    };
    let before = written(&orphan)?;
    for _ in 0..3 {
        let again = client
            .enqueue(work::prepare(1))
            .await
            .map(drop)
            .expect_err("it is refused");
        assert!(matches!(again, Error::FileReplaced { .. }), "{again}");
    }
    assert_eq!(written(&orphan)?, before);
    assert_eq!(count(&ledger(&folder), "start"), 1);
    Ok(folder)
}

#[tokio::test]
async fn a_database_that_is_replaced_is_left() -> Result {
    let folder = disturbed(|folder| {
        let other = folder.path().join("other.db");
        std::fs::copy(folder.store(), &other)?;
        std::fs::rename(other, folder.store())
    })
    .await?;
    assert!(log(&folder).contains("jobs.db`"), "{}", log(&folder));
    Ok(())
}

#[tokio::test]
async fn a_database_that_is_deleted_is_left() -> Result {
    disturbed(|folder| std::fs::remove_file(folder.store())).await?;
    Ok(())
}

#[tokio::test]
async fn a_wal_that_is_deleted_is_left() -> Result {
    let folder = disturbed(|folder| std::fs::remove_file(beside(folder, "-wal"))).await?;
    assert!(log(&folder).contains("jobs.db-wal`"), "{}", log(&folder));
    Ok(())
}

#[tokio::test]
async fn a_worker_whose_lock_file_is_gone_gives_its_runs_back() -> Result {
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let mut one = Process::worker(&folder, 1, LONG)?;
    let run = client.enqueue(work::prepare(1500)).await?;
    wait_for_ledger(&folder, "a start", |lines| count(lines, "start") == 1);
    std::fs::remove_file(beside(&folder, "-afterhours.lock"))?;
    assert_eq!(one.end()?.code(), Some(1));
    assert!(log(&folder).contains("-afterhours.lock`"));
    // Who only enqueues needs no lock file.
    client.enqueue(work::prepare(1)).await?;
    let other = Process::worker(&folder, 4, LONG)?;
    assert_eq!(joined(&run).await?, 1);
    let lines = ledger(&folder);
    let end = lines
        .iter()
        .rev()
        .find(|line| line.run == run.id().to_string());
    assert_eq!(end.map(|line| line.pid), Some(other.id()));
    Ok(())
}

#[tokio::test]
async fn without_its_lock_file_a_worker_is_not_taken_for_dead_but_for_frozen() -> Result {
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let mut one = Process::worker(&folder, 1, LONG)?;
    let run = client.enqueue(fall::prepare()).await?;
    wait_for_ledger(&folder, "a start", |lines| count(lines, "start") == 1);
    one.kill()?;
    std::fs::remove_file(beside(&folder, "-afterhours.lock"))?;
    let _other = Process::worker(&folder, 4, LONG)?;
    let failed = joined(&run).await.expect_err("the second attempt gives up");
    let failure = failed.failure().expect("it failed");
    let outcomes: Vec<_> = failure.attempts.iter().map(|made| made.outcome).collect();
    assert_eq!(
        outcomes,
        [AttemptOutcome::WorkerLost, AttemptOutcome::Error]
    );
    assert!(log(&folder).contains("has not moved for 15s"));
    Ok(())
}

#[tokio::test]
async fn the_working_directory_may_change_under_a_relative_path() -> Result {
    let folder = Folder::new()?;
    let mut relative = PathBuf::new();
    let here = std::env::current_dir()?;
    for _ in here.components().skip(1) {
        relative.push("..");
    }
    relative.extend(folder.store().components().skip(1));
    let client = Client::open(&relative).await?;
    assert!(relative.is_relative());
    client.enqueue(work::prepare(1)).await?;
    Ok(())
}
