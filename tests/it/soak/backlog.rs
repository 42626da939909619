//! Very many runs: high ones go first, claims stay quick, and pruning takes nothing that is alive.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use afterhours::{Client, Result};

use super::{BOUND, Row, copy_run, micros, millis, number, patience, rows};
use crate::support::jobs::work;
use crate::support::judge::quantile;
use crate::support::process::{Process, count, ledger, now, wait_for_ledger, wait_patiently};
use crate::support::{Folder, joined};

const LONG: Duration = Duration::from_secs(3600);
const PLACES: u32 = 8;

#[tokio::test]
async fn high_runs_start_at_once_before_very_many_low_ones() -> Result {
    const HIGH: usize = 10;
    let low = rows()? / 5;
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let first = client.enqueue(work::prepare(20).priority(-100)).await?;
    let id = first.id().to_string();
    copy_run(&folder.outsider()?, &id, low - 1, &[])?;
    let _worker = Process::worker(&folder, PLACES, LONG)?;
    wait_for_ledger(&folder, "low ones", |lines| count(lines, "end") > 20);
    let since = now();
    let high = client
        .enqueue_all((0..HIGH).map(|_| work::prepare(5).priority(100)))
        .await?;
    let high: BTreeSet<String> = high.iter().map(|run| run.id().to_string()).collect();
    let lines = wait_for_ledger(&folder, "the high ones", |lines| {
        let started = lines.iter().filter(|line| line.what == "start");
        started.filter(|line| high.contains(&line.run)).count() == HIGH
    });
    let is_high = |run: &String| high.contains(run);
    let waited = lines
        .iter()
        .filter(|line| line.what == "start" && is_high(&line.run))
        .map(|line| line.time.saturating_sub(since));
    let slowest = waited.max().unwrap_or(u64::MAX);
    Row {
        scenario: "high before low",
        runs: low + HIGH,
        notes: format!(
            "the slowest of {HIGH} high runs started after {}",
            millis(slowest)
        ),
        ..Row::default()
    }
    .print();
    assert!(slowest < micros(BOUND), "{slowest} µs");
    assert!(count(&lines, "end") < low / 2, "most low ones are to come");
    Ok(())
}

/// How long it takes for a run that goes before all others to have ended, sorted.
async fn probes(client: &Client) -> Result<Vec<u64>> {
    let mut took = Vec::new();
    for _ in 0..200 {
        let since = Instant::now();
        let run = client.enqueue(work::prepare(0).priority(100)).await?;
        joined(&run).await?;
        took.push(micros(since.elapsed()));
    }
    took.sort_unstable();
    Ok(took)
}

#[tokio::test]
async fn very_many_finished_runs_hold_nobody_up_and_go_without_the_living() -> Result {
    let (finished, ready) = (rows()?, rows()? / 50);
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let mut worker = Process::worker(&folder, PLACES, LONG)?;
    let template = client.enqueue(work::prepare(0)).await?;
    joined(&template).await?;
    worker.kill()?;
    // Half of them have been kept long enough.
    let expired = ("expires", "CASE number % 2 WHEN 0 THEN 1 ELSE expires END");
    let store = folder.outsider()?;
    let id = template.id().to_string();
    copy_run(&store, &id, finished, &[expired])?;
    let living = client.enqueue(work::prepare(0)).await?;
    let first = living.id().to_string();
    copy_run(&store, &first, ready - 1, &[])?;
    drop(store);
    let living = "SELECT count(*) FROM afterhours_runs WHERE state = 0";
    assert_eq!(number(&folder, living)?, ready);

    let since = Instant::now();
    let _worker = Process::worker(&folder, PLACES, LONG)?;
    let took = probes(&client).await?;
    wait_patiently("the living", patience()?, || {
        number(&folder, living).is_ok_and(|left| left == 0)
    });
    let done = since.elapsed();
    let expired = "SELECT count(*) FROM afterhours_runs WHERE state = 3 AND expires = 1";
    let left = || number(&folder, expired).unwrap_or(usize::MAX);
    // In earnest there are more than anybody wants to wait for.
    wait_patiently("pruning", patience()?, || {
        left() < finished / 2 - finished / 20
    });
    let pruned = finished / 2 - left();
    let pruning = since.elapsed();
    let unfinished = "SELECT count(*) FROM afterhours_runs WHERE state IN (0, 1)";
    wait_patiently("the last", patience()?, || {
        number(&folder, unfinished).is_ok_and(|left| left == 0)
    });
    let first: u64 = first.parse()?;
    let ended: Vec<u64> = ledger(&folder)
        .iter()
        .filter(|line| line.what == "end")
        .filter_map(|line| line.run.parse().ok())
        .filter(|id| (first..first + u64::try_from(ready).unwrap_or(0)).contains(id))
        .collect();
    let distinct: BTreeSet<u64> = ended.iter().copied().collect();
    let (p50, p99) = (quantile(&took, 0.5), quantile(&took, 0.99));
    Row {
        scenario: "big backlog",
        runs: finished + ready + took.len(),
        lost: ready - distinct.len(),
        doubled: ended.len() - distinct.len(),
        notes: format!(
            "enqueue to end p50 {}, p99 {}; {ready} ready ones done in {}; {pruned} expired ones pruned after {}",
            millis(p50),
            millis(p99),
            millis(micros(done)),
            millis(micros(pruning)),
        ),
        ..Row::default()
    }
    .print();
    assert_eq!((distinct.len(), ended.len()), (ready, ready));
    assert!(p99 < micros(BOUND), "{p99} µs");
    Ok(())
}
