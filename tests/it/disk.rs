//! A full disk and one that does not confirm: clear errors, nothing lost, and work goes on when there is space again.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use afterhours::{Client, Handle, Result, Status};
use afterhours_faults::{Action, Fault, Op, Which};
use nix::sys::signal::Signal;

use crate::support::aftermath::{Aftermath, Loss};
use crate::support::jobs::{linger, work};
use crate::support::process::{
    Process, count, ledger, ledger_path, wait_for_ledger, wait_until, worker,
};
use crate::support::time::millis;
use crate::support::{Folder, joined};

/// What goes wrong with a disk from when it is told to, until it is told to stop.
struct Trouble(PathBuf);

impl Trouble {
    fn on(folder: &Folder) -> Self {
        Self(folder.path().join("trouble"))
    }

    fn begin(&self) -> Result {
        Ok(fs::write(&self.0, "")?)
    }

    fn end(&self) -> Result {
        Ok(fs::remove_file(&self.0)?)
    }

    /// Waits until it has been met once more.
    fn is_met(&self) {
        let met = || fs::metadata(&self.0).map_or(0, |flag| flag.len());
        let before = met();
        wait_until("the trouble", || met() > before);
    }

    fn full(&self) -> Fault {
        Fault::each(Op::Write, Which::Any, Action::Full).while_there_is(&self.0)
    }

    fn locked_up(&self) -> Fault {
        Fault::each(Op::Lock, Which::Any, Action::Fail).while_there_is(&self.0)
    }

    fn unconfirmed(&self) -> Fault {
        Fault::each(Op::Sync, Which::Wal, Action::Fail).while_there_is(&self.0)
    }
}

fn serve(folder: &Folder, fault: &Fault) -> Result<Process> {
    let mut command = worker();
    command.arg("serve").arg(folder.store());
    fault.set(&mut command);
    let process = Process::start(&mut command)?;
    assert_eq!(process.line(), "ready");
    Ok(process)
}

fn work_on(folder: &Folder, fault: &Fault, grace: Duration) -> Result<Process> {
    let mut command = worker();
    command
        .arg("work")
        .args([folder.store(), ledger_path(folder)])
        .args(["8", &grace.as_millis().to_string()]);
    fault.set(&mut command);
    let process = Process::start(&mut command)?;
    assert_eq!(process.line(), "ready");
    Ok(process)
}

#[tokio::test]
async fn an_enqueue_on_a_full_disk_says_so_and_the_next_one_succeeds() -> Result {
    let folder = Folder::new()?;
    let trouble = Trouble::on(&folder);
    let mut server = serve(&folder, &trouble.full())?;
    let mut aftermath = Aftermath::default();
    for _ in 0..3 {
        aftermath.accepted.push(server.ask("0"));
        trouble.begin()?;
        for _ in 0..3 {
            let answer = server.ask("0");
            assert!(answer.starts_with("full: the disk is full"), "{answer}");
        }
        trouble.end()?;
    }
    aftermath.accepted.push(server.ask("0"));
    server.kill()?;
    aftermath.check(&folder, Loss::None).await?;
    // What was refused is not there.
    assert_eq!(count(&ledger(&folder), "end"), aftermath.accepted.len());
    Ok(())
}

#[tokio::test]
async fn a_worker_on_a_full_disk_goes_on_when_there_is_space_again() -> Result {
    let folder = Folder::new()?;
    let trouble = Trouble::on(&folder);
    let client = Client::open(folder.store()).await?;
    let worker = work_on(&folder, &trouble.full(), millis(1000))?;
    let ended = client.enqueue(work::prepare(300)).await?;
    wait_for_ledger(&folder, "a start", |lines| count(lines, "start") == 1);
    trouble.begin()?;
    // Only the worker's disk is full; it can neither claim this one nor write down the end of the other.
    let unclaimed = client.enqueue(work::prepare(0)).await?;
    wait_for_ledger(&folder, "an end", |lines| count(lines, "end") == 1);
    for _ in 0..2 {
        trouble.is_met();
    }
    assert!(matches!(ended.status().await?, Status::Running { .. }));
    assert_eq!(unclaimed.status().await?, Status::Ready);
    trouble.end()?;
    assert_eq!((joined(&ended).await?, joined(&unclaimed).await?), (1, 1));
    let lines = ledger(&folder);
    assert_eq!((count(&lines, "start"), count(&lines, "end")), (2, 2));
    drop(worker);
    Ok(())
}

#[tokio::test]
async fn an_end_is_written_although_no_transaction_could_begin_at_first() -> Result {
    let folder = Folder::new()?;
    let trouble = Trouble::on(&folder);
    let client = Client::open(folder.store()).await?;
    let _worker = work_on(&folder, &trouble.locked_up(), millis(1000))?;
    let run = client.enqueue(work::prepare(300)).await?;
    wait_for_ledger(&folder, "a start", |lines| count(lines, "start") == 1);
    trouble.begin()?;
    wait_for_ledger(&folder, "an end", |lines| count(lines, "end") == 1);
    for _ in 0..3 {
        trouble.is_met();
    }
    assert!(matches!(run.status().await?, Status::Running { .. }));
    // No other run ends that would remind the worker of this one.
    trouble.end()?;
    assert_eq!(joined(&run).await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_run_finishes_on_a_full_disk_in_the_room_that_the_wal_has() -> Result {
    let folder = Folder::new()?;
    let trouble = Trouble::on(&folder);
    let client = Client::open(folder.store()).await?;
    let _worker = work_on(&folder, &trouble.full(), millis(1000))?;
    let run = client.enqueue(work::prepare(500)).await?;
    wait_for_ledger(&folder, "a start", |lines| count(lines, "start") == 1);
    // So that the log has room, and is written again from its beginning.
    let later = (0..500).map(|_| work::prepare(0).delay(Duration::from_secs(3600)));
    client.enqueue_all(later).await?;
    let is_busy: bool =
        folder
            .outsider()?
            .query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| row.get(0))?;
    assert!(!is_busy);
    trouble.begin()?;
    assert_eq!(joined(&run).await?, 1);
    Ok(())
}

/// Tells a worker on a full disk to stop; how it ends, and how long that takes.
fn stopped(worker: &mut Process) -> Result<(Option<i32>, Duration)> {
    let since = Instant::now();
    worker.signal(Signal::SIGTERM);
    Ok((worker.end()?.code(), since.elapsed()))
}

/// Shorter than what waits for a lock, and much longer than a stop is to take.
const IN_TIME: Duration = Duration::from_secs(25);

#[tokio::test]
async fn a_worker_on_a_full_disk_stops_in_time_and_loses_nothing() -> Result {
    let folder = Folder::new()?;
    let trouble = Trouble::on(&folder);
    let client = Client::open(folder.store()).await?;
    let mut worker = work_on(&folder, &trouble.full(), millis(100))?;
    let run = client.enqueue(linger::prepare()).await?;
    wait_for_ledger(&folder, "a start", |lines| count(lines, "start") == 1);
    trouble.begin()?;
    let (code, took) = stopped(&mut worker)?;
    assert_eq!(code, Some(0));
    assert!(took < IN_TIME, "{took:?}");
    trouble.end()?;
    goes_on(&folder, &run).await
}

#[tokio::test]
async fn an_idle_worker_on_a_full_disk_stops_with_zero() -> Result {
    let folder = Folder::new()?;
    let trouble = Trouble::on(&folder);
    let client = Client::open(folder.store()).await?;
    let mut worker = work_on(&folder, &trouble.full(), Duration::from_secs(3600))?;
    trouble.begin()?;
    let (code, _) = stopped(&mut worker)?;
    assert_eq!(code, Some(0));
    trouble.end()?;
    let run = client.enqueue(work::prepare(0)).await?;
    let _successor = Process::worker(&folder, 8, millis(100))?;
    assert_eq!(joined(&run).await?, 1);
    Ok(())
}

/// A run whose worker is gone starts elsewhere.
async fn goes_on(folder: &Folder, run: &Handle<u32>) -> Result {
    let _successor = Process::worker(folder, 8, millis(100))?;
    assert_eq!(joined(run).await?, 2);
    Ok(())
}

#[tokio::test]
async fn a_commit_that_the_disk_does_not_confirm_is_unknown_and_runs_once_at_most() -> Result {
    for goes_on in [false, true] {
        let folder = Folder::new()?;
        let trouble = Trouble::on(&folder);
        let mut server = serve(&folder, &trouble.unconfirmed())?;
        let mut aftermath = Aftermath::default();
        aftermath.accepted.push(server.ask("0"));
        trouble.begin()?;
        let answer = server.ask("0");
        assert!(answer.starts_with("unknown: "), "{answer}");
        assert!(answer.contains("may or may not be stored"), "{answer}");
        trouble.end()?;
        if goes_on {
            aftermath.accepted.push(server.ask("0"));
        }
        server.kill()?;
        aftermath.check(&folder, Loss::None).await?;
        let lines = ledger(&folder);
        let (starts, ends) = (count(&lines, "start"), count(&lines, "end"));
        let accepted = aftermath.accepted.len();
        assert_eq!(starts, ends);
        // What nobody knew of has come back when the file was recovered, unless it was written over.
        let expected = if goes_on { accepted } else { accepted + 1 };
        assert_eq!(ends, expected);
    }
    Ok(())
}
