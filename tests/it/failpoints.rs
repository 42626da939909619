//! A process dies between any two steps that belong together: the next one goes on where it was.

use std::collections::BTreeSet;
use std::time::Duration;

use afterhours::testing::STEPS;
use afterhours::{Client, Result};
use nix::sys::signal::Signal;
use std::os::unix::process::ExitStatusExt;

use crate::support::Folder;
use crate::support::aftermath::{Aftermath, Loss};
use crate::support::chance::scaled;
use crate::support::jobs::linger;
use crate::support::process::{Process, count, ledger, ledger_path, wait_for_ledger, worker};

const FAILPOINT: &str = "AFTERHOURS_FAILPOINT";
const LONG: Duration = Duration::from_secs(3600);
/// Those that need another worker's death, or a schedule; the others are in every life.
const ELSEWHERE: [&str; 4] = ["in-rescue", "between-rescues", "after-rescue", "in-tick"];

/// A life that ends when it reaches this step for the n-th time; whether it did.
async fn dies_at(step: &str, number: usize) -> Result<bool> {
    let folder = Folder::new()?;
    let mut command = worker();
    command
        .arg("script")
        .args([folder.store(), ledger_path(&folder)])
        .arg("normal")
        .env(FAILPOINT, format!("{step}@{number}:exit"));
    let mut process = Process::start(&mut command)?;
    let end = process.end()?;
    let aftermath = Aftermath::of(&mut process)?;
    let checked = aftermath.check(&folder, Loss::None).await;
    checked.map_err(|error| format!("{step}@{number}: {error}"))?;
    let died = end.signal() == Some(Signal::SIGKILL as i32);
    assert!(died || end.code() == Some(0), "{step}@{number}: {end}");
    Ok(died)
}

#[tokio::test]
async fn a_process_that_dies_at_any_step_loses_nothing() -> Result {
    for step in STEPS.into_iter().filter(|step| !ELSEWHERE.contains(step)) {
        assert!(dies_at(step, 1).await?, "{step} is in every life");
        for number in 2..=scaled(2)? {
            if !dies_at(step, number).await? {
                break;
            }
        }
    }
    Ok(())
}

/// A worker dies while it rescues the runs of one that has died, and leaves so many to be rescued.
async fn dies_while_it_rescues(failpoint: &str, left: u32) -> Result {
    // More than are taken back in one transaction.
    const RUNS: usize = 600;
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let mut first = Process::worker(&folder, 1000, LONG)?;
    client
        .enqueue_all((0..RUNS).map(|_| linger::prepare()))
        .await?;
    wait_for_ledger(&folder, "all starts", |lines| count(lines, "start") == RUNS);
    let mut command = worker();
    command
        .arg("work")
        .args([folder.store(), ledger_path(&folder)])
        .args(["4", "1000"])
        .env(FAILPOINT, failpoint);
    let mut second = Process::start(&mut command)?;
    assert_eq!(second.line(), "ready");
    first.kill()?;
    let mut aftermath = Aftermath::default();
    aftermath.died(&first);
    assert_eq!(second.end()?.signal(), Some(Signal::SIGKILL as i32));
    aftermath.died(&second);
    client.close().await?;
    let unrescued = folder.outsider()?.query_row(
        "SELECT count(*) FROM afterhours_running JOIN afterhours_runs ON id = run WHERE crashes = 0",
        [],
        |row| row.get::<_, u32>(0),
    )?;
    assert_eq!(unrescued, left);
    aftermath.check(&folder, Loss::None).await?;
    let lines = ledger(&folder);
    let ended = lines.iter().filter(|line| line.what == "end");
    let ended: BTreeSet<&str> = ended.map(|line| line.run.as_str()).collect();
    assert_eq!(ended.len(), RUNS);
    Ok(())
}

#[tokio::test]
async fn a_rescuer_that_dies_inside_a_rescue_has_taken_nothing_back() -> Result {
    dies_while_it_rescues("in-rescue@300:exit", 600).await
}

#[tokio::test]
async fn a_rescuer_that_dies_between_two_steps_leaves_the_rest_to_others() -> Result {
    dies_while_it_rescues("between-rescues:exit", 100).await
}

#[tokio::test]
async fn a_rescuer_that_dies_after_it_rescues_nothing_twice() -> Result {
    dies_while_it_rescues("after-rescue:exit", 0).await
}

#[tokio::test]
async fn a_wrong_failpoint_is_not_overlooked() -> Result {
    for wrong in [
        "in-nowhere:exit",
        "in-insert:explode",
        "in-insert",
        "in-insert@x:exit",
    ] {
        let folder = Folder::new()?;
        let mut command = worker();
        command
            .args(["produce".as_ref(), folder.store().as_os_str(), "1".as_ref()])
            .env(FAILPOINT, wrong)
            .stderr(std::process::Stdio::null());
        let mut process = Process::start(&mut command)?;
        assert_ne!(process.end()?.code(), Some(0), "{wrong}");
    }
    Ok(())
}
