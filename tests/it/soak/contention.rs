//! A crowd on one file, and somebody who holds its lock; then very many orphans at once.

use std::time::{Duration, Instant};

use afterhours::{Client, Result};

use super::{BOUND, Row, micros, millis, number, patience, rows};
use crate::support::Folder;
use crate::support::aftermath::assert_whole;
use crate::support::jobs::{linger, work};
use crate::support::judge::{Deaths, doubled};
use crate::support::process::{Process, count, ledger, ledger_path, now, wait_patiently, worker};

const LONG: Duration = Duration::from_secs(3600);
const PROCESSES: usize = 8;
const TASKS: usize = 8;
/// It is moved into the file when it passes a third of that.
const LARGEST_WAL: u64 = 96 * 1024 * 1024;

fn crowd(folder: &Folder, each: usize) -> Result<Vec<Process>> {
    let mut crowd = Vec::new();
    for _ in 0..PROCESSES {
        let mut command = worker();
        command
            .arg("crowd")
            .args([folder.store(), ledger_path(folder)])
            .args([TASKS.to_string(), each.to_string()]);
        crowd.push(Process::start(&mut command)?);
    }
    for process in &crowd {
        assert_eq!(process.line(), "ready");
    }
    Ok(crowd)
}

fn wal(folder: &Folder) -> u64 {
    let wal = folder.path().join("jobs.db-wal");
    std::fs::metadata(wal).map_or(0, |wal| wal.len())
}

#[test]
fn a_crowd_on_one_file_waits_for_its_lock_and_claims_nothing_twice() -> Result {
    const HELD: Duration = Duration::from_secs(3);
    let folder = Folder::new()?;
    let each = (rows()? / 100 / (PROCESSES * TASKS)).max(15);
    let runs = PROCESSES * TASKS * each;
    let mut crowd = crowd(&folder, each)?;
    let since = Instant::now();
    for process in &mut crowd {
        process.tell("go");
    }
    let mut holder = Process::start(worker().arg("hold").arg(folder.store()))?;
    assert_eq!(holder.line(), "held");
    std::thread::sleep(HELD);
    assert_eq!(holder.ask("let go"), "released");
    let mut largest = 0;
    // Whoever reads the file all the time keeps the WAL from beginning anew.
    wait_patiently("the runs of the crowd", patience()?, || {
        largest = largest.max(wal(&folder));
        count(&ledger(&folder), "end") >= runs
    });
    let took = since.elapsed();
    let mut said = Vec::new();
    for process in &mut crowd {
        process.tell("enough");
        assert_eq!(process.end()?.code(), Some(0));
        said.extend(process.lines());
    }
    let refused: Vec<_> = said
        .iter()
        .filter(|line| line.starts_with("refused"))
        .collect();
    let lines = ledger(&folder);
    let twice = count(&lines, "start") - runs;
    Row {
        scenario: "crowd on one file",
        runs,
        doubled: twice,
        notes: format!(
            "{} refused while an outsider held the lock for {HELD:?}; all done in {}; largest WAL {} MiB",
            refused.len(),
            millis(micros(took)),
            largest / 1024 / 1024
        ),
        ..Row::default()
    }
    .print();
    assert!(refused.is_empty(), "{refused:#?}");
    assert_eq!(twice, 0);
    assert!(lines.iter().all(|line| line.attempt == 1));
    assert!(largest < LARGEST_WAL, "{largest} bytes");
    assert_whole(&folder)
}

#[tokio::test]
async fn very_many_orphans_are_rescued_while_others_write() -> Result {
    const AT_ONCE: usize = 1000;
    const CLAIMED: &str = "SELECT count(*) FROM afterhours_running JOIN afterhours_runs ON id = run WHERE attempts = 0";
    let orphans = rows()? / 100;
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let mut parent = Process::worker(&folder, orphans.try_into()?, LONG)?;
    for at in (0..orphans).step_by(AT_ONCE) {
        let some = AT_ONCE.min(orphans - at);
        let runs = (0..some).map(|_| linger::prepare());
        client.enqueue_all(runs).await?;
    }
    wait_patiently("all starts", patience()?, || {
        number(&folder, CLAIMED).is_ok_and(|claimed| claimed == orphans)
            && count(&ledger(&folder), "start") == orphans
    });
    let _heir = Process::worker(&folder, 64, LONG)?;
    let killed = now();
    parent.kill()?;
    let since = Instant::now();
    let (mut longest, mut written) = (Duration::ZERO, 0);
    while number(&folder, CLAIMED)? > 0 {
        assert!(since.elapsed() < patience()?, "waited too long for rescues");
        let before = Instant::now();
        client.enqueue(work::prepare(0).delay(LONG)).await?;
        longest = longest.max(before.elapsed());
        written += 1;
    }
    let took = since.elapsed();
    wait_patiently("all ends", patience()?, || {
        let done = "SELECT count(*) FROM afterhours_runs WHERE state = 3";
        number(&folder, done).is_ok_and(|done| done == orphans)
    });
    let lines = ledger(&folder);
    let killed = [(parent.id(), killed)].into();
    let doubled = doubled(&lines, &Deaths::new(&killed, &lines));
    Row {
        scenario: "orphans",
        runs: orphans,
        kills: 1,
        doubled: doubled.len(),
        notes: format!(
            "all given back after {}; the slowest of {written} enqueues meanwhile took {}",
            millis(micros(took)),
            millis(micros(longest))
        ),
        ..Row::default()
    }
    .print();
    assert!(doubled.is_empty(), "{doubled:#?}");
    assert_eq!(count(&lines, "end"), orphans);
    assert!(longest < BOUND, "{longest:?}");
    Ok(())
}
