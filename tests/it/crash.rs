//! `kill -9`: what was acknowledged is executed, what ran is taken back at once, and nothing runs twice at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use afterhours::{AttemptOutcome, Client, Result, Status};

use crate::support::jobs::{fall, poison, work};
use crate::support::process::{
    Process, assert_counted, assert_no_overlap, count, ledger, now, wait_for_ledger, wait_until,
    worker,
};
use crate::support::{Folder, joined};

const LONG: Duration = Duration::from_secs(3600);
/// What is promised is a second; a machine under load gets a few.
const RESCUE_BOUND: u64 = 5_000_000;

#[tokio::test]
async fn the_runs_of_a_killed_worker_start_elsewhere_within_the_bound() -> Result {
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let mut one = Process::worker(&folder, 10, LONG)?;
    let runs = client
        .enqueue_all((0..20).map(|_| work::prepare(1200)))
        .await?;
    wait_for_ledger(&folder, "ten starts", |lines| count(lines, "start") == 10);
    let other = Process::worker(&folder, 40, LONG)?;
    wait_for_ledger(&folder, "all starts", |lines| count(lines, "start") == 20);
    let killed = now();
    one.kill()?;
    let mut attempts = Vec::new();
    for run in &runs {
        attempts.push(joined(run).await?);
    }
    attempts.sort_unstable();
    assert_eq!(attempts, [[1; 10], [2; 10]].concat());
    let lines = ledger(&folder);
    let deaths = BTreeMap::from([(one.id(), killed)]);
    assert_no_overlap(&lines, &deaths);
    assert_counted(&lines);
    for line in lines
        .iter()
        .filter(|line| line.attempt == 2 && line.what == "start")
    {
        assert_eq!(line.pid, other.id());
        let waited = line.time.saturating_sub(killed);
        assert!(waited < RESCUE_BOUND, "{line:?} waited {waited} µs");
    }
    Ok(())
}

#[tokio::test]
async fn a_lost_worker_is_in_the_history_and_uses_up_no_retry() -> Result {
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let mut one = Process::worker(&folder, 4, LONG)?;
    let run = client.enqueue(fall::prepare().retry(0)).await?;
    wait_for_ledger(&folder, "a start", |lines| count(lines, "start") == 1);
    one.kill()?;
    let _other = Process::worker(&folder, 4, LONG)?;
    let error = joined(&run).await.expect_err("the second attempt gives up");
    let failure = error.failure().expect("it failed");
    let history: Vec<_> = failure
        .attempts
        .iter()
        .map(|made| (made.attempt, made.outcome, made.error.as_str()))
        .collect();
    assert_eq!(
        history,
        [
            (1, AttemptOutcome::WorkerLost, "worker lost"),
            (
                2,
                AttemptOutcome::Error,
                "the second attempt has been reached"
            ),
        ]
    );
    Ok(())
}

#[tokio::test]
async fn everything_acknowledged_ends_although_everything_is_killed() -> Result {
    const RUNS: usize = 300;
    let folder = Folder::new()?;
    let mut workers = [
        Process::worker(&folder, 8, LONG)?,
        Process::worker(&folder, 8, LONG)?,
    ];
    let mut producer = Process::start(worker().arg("produce").arg(folder.store()).arg("1000000"))?;
    let mut acknowledged: BTreeSet<String> = (0..RUNS).map(|_| producer.line()).collect();
    assert_eq!(acknowledged.len(), RUNS);
    producer.kill()?;
    acknowledged.extend(producer.lines());
    wait_until("some work", || count(&ledger(&folder), "end") > 20);
    let mut deaths = BTreeMap::new();
    for worker in &mut workers {
        deaths.insert(worker.id(), now());
        worker.kill()?;
    }
    let _successor = Process::worker(&folder, 64, LONG)?;
    let client = Client::open(folder.store()).await?;
    for id in &acknowledged {
        joined(&work::handle(id.parse()?).on(&client)).await?;
    }
    let lines = ledger(&folder);
    assert_no_overlap(&lines, &deaths);
    assert_counted(&lines);
    let ended: BTreeSet<String> = lines
        .iter()
        .filter(|line| line.what == "end")
        .map(|line| line.run.clone())
        .collect();
    assert!(ended.is_superset(&acknowledged));
    Ok(())
}

#[tokio::test]
async fn a_run_that_takes_its_worker_with_it_fails_alone() -> Result {
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let innocent = client
        .enqueue_all((0..63).map(|_| work::prepare(60)))
        .await?;
    let guilty = client.enqueue(poison::prepare().priority(20)).await?;
    let mut deaths = 0;
    let (failed, _survivor) = loop {
        let mut worker = Process::worker(&folder, 64, LONG)?;
        let end = async {
            loop {
                if let Some(end) = worker.has_ended()? {
                    return Result::<_>::Ok(end);
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let failed = tokio::select! {
            error = joined(&guilty) => Some(error.expect_err("it cannot succeed")),
            end = end => {
                // SIGABRT, by its own hand.
                assert_eq!(end?.code(), None);
                None
            }
        };
        match failed {
            Some(failed) => break (failed, worker),
            None => deaths += 1,
        }
    };
    assert_eq!(deaths, 3);
    let failure = failed.failure().expect("it failed");
    assert!(failure.error.contains("died 3 times"), "{failure}");
    let outcomes = failure.attempts.iter().map(|attempt| attempt.outcome);
    assert_eq!(
        outcomes.collect::<Vec<_>>(),
        [AttemptOutcome::WorkerLost; 3]
    );
    for run in &innocent {
        joined(run).await?;
        assert!(matches!(run.status().await?, Status::Done { .. }));
    }
    let crashes: Vec<(i64, i64)> = folder
        .outsider()?
        .prepare("SELECT id, crashes FROM afterhours_runs WHERE crashes > 0")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    assert_eq!(crashes, [(guilty.id().to_string().parse()?, 3)]);
    Ok(())
}
