//! Real processes and real signals.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use afterhours::{Client, Result, Status};
use nix::sys::signal::Signal;

use crate::support::jobs::{deaf, work};
use crate::support::process::{
    Process, assert_no_overlap, count, ledger, now, wait_for_ledger, wait_until,
};
use crate::support::time::millis;
use crate::support::{Folder, joined, status};

const LONG: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn sigterm_lets_a_job_finish_and_exits_with_zero() -> Result {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let folder = Folder::new()?;
        let client = Client::open(folder.store()).await?;
        let mut worker = Process::worker(&folder, 8, LONG)?;
        let run = client.enqueue(work::prepare(300)).await?;
        wait_for_ledger(&folder, "a start", |lines| count(lines, "start") == 1);
        worker.signal(signal);
        assert_eq!(worker.end()?.code(), Some(0));
        assert_eq!(worker.line(), "stopped");
        assert_eq!(count(&ledger(&folder), "end"), 1);
        let ended = run.status().await?;
        assert!(matches!(ended, Status::Done { .. }), "{ended:?}");
    }
    Ok(())
}

#[tokio::test]
async fn after_the_grace_period_the_run_is_given_back_and_starts_elsewhere() -> Result {
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let mut one = Process::worker(&folder, 8, millis(200))?;
    let long = client.enqueue(work::prepare(1500)).await?;
    let short = client.enqueue(work::prepare(10)).await?;
    joined(&short).await?;
    wait_for_ledger(&folder, "both starts", |lines| count(lines, "start") == 2);
    let other = Process::worker(&folder, 8, LONG)?;
    one.signal(Signal::SIGTERM);
    assert_eq!(one.end()?.code(), Some(0));
    // The attempt of the worker that was stopped was not used up.
    assert_eq!(joined(&long).await?, 1);
    let lines = ledger(&folder);
    let pids: Vec<_> = lines
        .iter()
        .filter(|line| line.run == long.id().to_string())
        .map(|line| (line.what.as_str(), line.pid))
        .collect();
    let expected = [
        ("start", one.id()),
        ("start", other.id()),
        ("end", other.id()),
    ];
    assert_eq!(pids, expected);
    Ok(())
}

#[tokio::test]
async fn a_second_signal_exits_at_once_and_loses_nothing() -> Result {
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let mut one = Process::worker(&folder, 8, LONG)?;
    let run = client.enqueue(work::prepare(2500)).await?;
    wait_for_ledger(&folder, "a start", |lines| count(lines, "start") == 1);
    // Signals that arrive together are one signal, so the second one is repeated.
    let mut end = None;
    wait_until("the end of the process", || {
        one.signal(Signal::SIGTERM);
        end = one.has_ended().ok().flatten();
        end.is_some()
    });
    assert_eq!(end.and_then(|end| end.code()), Some(128 + 15));
    assert_eq!(count(&ledger(&folder), "end"), 0);
    let _other = Process::worker(&folder, 8, LONG)?;
    assert_eq!(joined(&run).await?, 2);
    Ok(())
}

#[tokio::test]
async fn a_plain_fn_that_does_not_listen_does_not_keep_the_process() -> Result {
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let mut one = Process::worker(&folder, 8, millis(100))?;
    let run = client.enqueue(deaf::prepare(40_000)).await?;
    wait_for_ledger(&folder, "a start", |lines| count(lines, "start") == 1);
    let since = Instant::now();
    one.signal(Signal::SIGTERM);
    one.end()?;
    let took = since.elapsed();
    assert!(took < Duration::from_secs(25), "{took:?}");
    assert_eq!(count(&ledger(&folder), "end"), 0);
    // Its run is taken back once the process is gone.
    let _other = Process::worker(&folder, 8, LONG)?;
    status(&run, |status| {
        matches!(status, Status::Running { attempt: 2, .. })
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn a_storm_of_signals_ends_the_process_and_orphans_nothing() -> Result {
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let mut one = Process::worker(&folder, 8, LONG)?;
    let runs = client
        .enqueue_all((0..4).map(|_| work::prepare(1500)))
        .await?;
    wait_for_ledger(&folder, "all starts", |lines| count(lines, "start") == 4);
    let stormed = now();
    for _ in 0..5 {
        one.signal(Signal::SIGTERM);
    }
    one.signal(Signal::SIGINT);
    // Two that are seen are enough to end at once; which two these are is chance.
    let code = one.end()?.code();
    assert!(matches!(code, Some(0 | 130 | 143)), "{code:?}");
    let _other = Process::worker(&folder, 8, LONG)?;
    for run in &runs {
        joined(run).await?;
    }
    let lines = ledger(&folder);
    assert_no_overlap(&lines, &BTreeMap::from([(one.id(), stormed)]));
    let store = folder.outsider()?;
    let number = |sql: &str| store.query_row(sql, [], |row| row.get::<_, u32>(0));
    wait_until("the end of what the worker has left", || {
        number("SELECT count(*) FROM afterhours_workers").is_ok_and(|workers| workers == 1)
            && number("SELECT count(*) FROM afterhours_running").is_ok_and(|claimed| claimed == 0)
    });
    Ok(())
}
