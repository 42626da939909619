//! Somebody holds the database's write lock and does not let go: who it is is told, and stopping does not wait.

use std::time::{Duration, Instant};

use afterhours::{Client, Error, Result};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::support::aftermath::assert_whole;
use crate::support::jobs::{linger, work};
use crate::support::process::{Process, count, ledger, ledger_path, wait_for_ledger, worker};
use crate::support::time::millis;
use crate::support::{Folder, joined, start, within};

fn start_with(folder: &Folder, what: &str) -> Result<Process> {
    let mut command = worker();
    command.arg(what).arg(folder.store());
    Ok(Process::start(&mut command)?)
}

fn hold(folder: &Folder) -> Result<Process> {
    let holder = start_with(folder, "hold")?;
    assert_eq!(holder.line(), "held");
    Ok(holder)
}

fn is_stopped(process: &Process) -> Result {
    let pid = Pid::from_raw(process.id().try_into()?);
    let state = waitpid(pid, Some(WaitPidFlag::WUNTRACED))?;
    assert!(matches!(state, WaitStatus::Stopped(..)), "{state:?}");
    Ok(())
}

/// Where the system tells, the text names this process.
fn assert_names(text: &str, process: &Process) {
    assert!(text.starts_with("busy: the database was locked"), "{text}");
    let named = format!("by process {} (worker)", process.id());
    assert!(
        text.contains(&named) || cfg!(not(target_os = "linux")),
        "{text}"
    );
}

#[tokio::test]
async fn a_worker_that_is_stopped_in_a_transaction_is_named_and_goes_on() -> Result {
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    // Looks after dead workers, and executes nothing of this.
    let keeper = start(&client, []).await?;
    let mut server = start_with(&folder, "serve")?;
    assert_eq!(server.line(), "ready");
    let mut command = worker();
    command
        .arg("work")
        .args([folder.store(), ledger_path(&folder)])
        .args(["8", "1000"])
        .env("AFTERHOURS_FAILPOINT", "in-settle:stop");
    let stopped = Process::start(&mut command)?;
    assert_eq!(stopped.line(), "ready");
    let runs = client.enqueue_all([0, 300].map(work::prepare)).await?;
    is_stopped(&stopped)?;
    for _ in 0..3 {
        assert_names(&server.ask("0"), &stopped);
    }
    stopped.signal(Signal::SIGCONT);
    for run in &runs {
        assert_eq!(joined(run).await?, 1);
    }
    let later: u64 = server.ask("0").parse()?;
    assert!(later > 0);
    within("the stop", keeper.stop()).await?;
    let starts = ledger(&folder);
    let starts = starts.iter().filter(|line| line.what == "start");
    assert!(
        starts
            .clone()
            .all(|line| line.pid == stopped.id() && line.attempt == 1)
    );
    assert_whole(&folder)
}

#[tokio::test]
async fn who_holds_the_lock_is_named_to_those_who_open() -> Result {
    let folder = Folder::new()?;
    Client::migrate(folder.store()).await?;
    let mut holder = hold(&folder)?;
    let open = || {
        Client::builder(folder.store())
            .busy_timeout(millis(50))
            .open()
    };
    let error = open().await.expect_err("the file is locked");
    assert!(error.is_retryable(), "{error}");
    assert_names(&format!("busy: {error}"), &holder);
    assert_eq!(holder.ask("let go"), "released");
    holder.end()?;
    open().await?.close().await?;
    Ok(())
}

#[tokio::test]
async fn whoever_is_stopped_while_it_migrates_keeps_nobody_waiting_for_ever() -> Result {
    let folder = Folder::new()?;
    let mut command = worker();
    command
        .args(["produce".as_ref(), folder.store().as_os_str(), "1".as_ref()])
        .env("AFTERHOURS_FAILPOINT", "in-migration:stop");
    let first = Process::start(&mut command)?;
    is_stopped(&first)?;
    let open = Client::builder(folder.store()).busy_timeout(millis(50));
    let error = within("the opening", open.clone().open()).await;
    assert_names(&format!("busy: {}", error.expect_err("locked")), &first);
    first.signal(Signal::SIGCONT);
    first.line().parse::<u64>()?;
    within("the opening", open.open()).await?.close().await?;
    assert_whole(&folder)
}

#[tokio::test]
async fn a_transaction_of_this_process_is_told_from_that_of_another() -> Result {
    let folder = Folder::new()?;
    let client = Client::builder(folder.store())
        .busy_timeout(millis(50))
        .open()
        .await?;
    let own = folder.outsider()?;
    own.execute_batch("BEGIN IMMEDIATE")?;
    let error = client.enqueue(work::prepare(0)).await.expect_err("locked");
    let named = error
        .to_string()
        .contains("by another connection of this process");
    assert!(named || cfg!(not(target_os = "linux")), "{error}");
    own.execute_batch("ROLLBACK")?;
    client.enqueue(work::prepare(0)).await?;
    Ok(())
}

/// Shorter than anybody waits for a lock, and much longer than a stop is to take.
const IN_TIME: Duration = Duration::from_secs(25);

#[tokio::test]
async fn a_worker_stops_in_time_though_the_database_is_locked() -> Result {
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let mut one = Process::worker(&folder, 8, millis(100))?;
    let run = client.enqueue(linger::prepare()).await?;
    wait_for_ledger(&folder, "a start", |lines| count(lines, "start") == 1);
    let mut holder = hold(&folder)?;
    let since = Instant::now();
    one.signal(Signal::SIGTERM);
    assert_eq!(one.end()?.code(), Some(0));
    let took = since.elapsed();
    assert!(took < IN_TIME, "{took:?}");
    assert_eq!(holder.ask("let go"), "released");
    // It could not be given back, so it is taken back.
    let _other = Process::worker(&folder, 8, millis(100))?;
    assert_eq!(joined(&run).await?, 2);
    Ok(())
}

#[tokio::test]
async fn a_stop_that_the_store_does_not_answer_says_so_and_ends_later() -> Result {
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let worker = start(&client, []).await?;
    let own = folder.outsider()?;
    own.execute_batch("BEGIN IMMEDIATE")?;
    let error = within("the stop", worker.stop()).await.expect_err("locked");
    let text = error.to_string();
    assert!(text.contains("0 of its runs"), "{text}");
    own.execute_batch("ROLLBACK")?;
    let workers = || {
        let count = "SELECT count(*) FROM afterhours_workers";
        folder
            .outsider()?
            .query_row(count, [], |row| row.get::<_, u32>(0))
    };
    within("the farewell", async {
        while workers()? > 0 {
            tokio::time::sleep(millis(2)).await;
        }
        Ok::<_, Error>(())
    })
    .await?;
    Ok(())
}
