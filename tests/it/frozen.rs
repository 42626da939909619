//! A worker that is stopped and goes on later: others have its runs by then, and nothing that it does is stored.

use std::time::Duration;

use afterhours::{AttemptOutcome, Client, Result, Status};
use nix::sys::signal::Signal;

use crate::support::jobs::{fall, work};
use crate::support::process::{Process, count, freeze, ledger, log, wait_for_ledger, wait_until};
use crate::support::{Folder, joined};

const LONG: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_frozen_worker_loses_its_runs_and_goes_on_as_another() -> Result {
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let zombie = Process::worker(&folder, 1, LONG)?;
    let run = client.enqueue(fall::prepare()).await?;
    wait_for_ledger(&folder, "a start", |lines| count(lines, "start") == 1);
    freeze(&zombie, &folder)?;
    let mut other = Process::worker(&folder, 4, LONG)?;
    // While it merely does not move, its run is its own.
    joined(&client.enqueue(work::prepare(1)).await?).await?;
    assert!(matches!(
        run.status().await?,
        Status::Running { attempt: 1, .. }
    ));
    let failed = joined(&run).await.expect_err("the second attempt gives up");
    let failure = failed.failure().expect("it failed");
    let outcomes: Vec<_> = failure
        .attempts
        .iter()
        .map(|attempt| (attempt.attempt, attempt.outcome))
        .collect();
    let expected = [(1, AttemptOutcome::WorkerLost), (2, AttemptOutcome::Error)];
    assert_eq!(outcomes, expected);
    assert!(log(&folder).contains("has not moved for 15s"));

    zombie.signal(Signal::SIGCONT);
    wait_until("the zombie's word", || {
        log(&folder).contains("others have taken its runs")
            && log(&folder).contains("nothing of the attempt was stored")
    });
    let after = run.status().await?;
    assert!(
        matches!(&after, Status::Failed { error, .. } if error.contains("second attempt")),
        "{after:?}"
    );
    // Its one place is free again, and is still one.
    other.kill()?;
    let runs = client
        .enqueue_all((0..3).map(|_| work::prepare(30)))
        .await?;
    for next in &runs {
        assert_eq!(joined(next).await?, 1);
    }
    let lines = ledger(&folder);
    let mut at_work = 0;
    for line in lines.iter().filter(|line| {
        line.pid == zombie.id() && runs.iter().any(|run| run.id().to_string() == line.run)
    }) {
        at_work += if line.what == "start" { 1 } else { -1 };
        assert!((0..=1).contains(&at_work), "{lines:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_slow_run_of_a_worker_that_moves_is_left_alone() -> Result {
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let _one = Process::worker(&folder, 1, LONG)?;
    let run = client.enqueue(work::prepare(20_000)).await?;
    wait_for_ledger(&folder, "a start", |lines| count(lines, "start") == 1);
    let _other = Process::worker(&folder, 4, LONG)?;
    assert_eq!(joined(&run).await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_worker_of_another_machine_keeps_the_file() -> Result {
    let folder = Folder::new()?;
    let mut there = Process::worker(&folder, 1, LONG)?;
    let outsider = folder.outsider()?;
    outsider.execute(
        "UPDATE afterhours_workers SET boot = 'of another machine'",
        [],
    )?;
    let error = Client::open(folder.store()).await.map(drop).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("another machine") && text.contains(&there.id().to_string()),
        "{text}"
    );
    there.kill()?;
    // After a reboot the rows of the last boot are there, and nobody holds their bytes.
    let _successor = Process::worker(&folder, 1, LONG)?;
    Ok(())
}
