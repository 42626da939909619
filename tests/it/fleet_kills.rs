//! A fleet of real processes that are killed and frozen: a tick is one run, whoever dies, and whatever each of them
//! thinks of how many they are.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt;

use afterhours::Result;
use nix::sys::signal::Signal;

use crate::support::Folder;
use crate::support::chance::chance;
use crate::support::process::{Process, freeze, ledger, ledger_path, wait_until, worker};

const FLEET: usize = 5;
const TICKS: usize = 100;

/// A tick that has become a run, as the store has it.
#[derive(Debug)]
struct Ticked {
    run: String,
    due: i64,
    enqueued: i64,
}

/// The ticks of a job, by the moments they were due.
fn ticks(folder: &Folder, job: &str) -> Result<Vec<Ticked>> {
    let store = folder.outsider()?;
    let mut select = store.prepare(
        "SELECT CAST(runs.id AS TEXT), due_at, enqueued_at FROM afterhours_runs AS runs
         JOIN afterhours_kinds AS kinds ON kinds.id = kind WHERE job = ?1 ORDER BY due_at, runs.id",
    )?;
    let ticks = select.query_map([job], |row| {
        Ok(Ticked {
            run: row.get(0)?,
            due: row.get(1)?,
            enqueued: row.get(2)?,
        })
    })?;
    Ok(ticks.collect::<afterhours::rusqlite::Result<_>>()?)
}

/// Each tick from the first to the last has become one run.
fn assert_each_once(ticks: &[Ticked], spacing: i64) {
    let first = ticks.first().map_or(0, |tick| tick.due);
    for (number, tick) in (0..).zip(ticks) {
        // The moment is told by two clocks, each cut to its millisecond.
        let off = tick.due - (first + number * spacing);
        assert!(
            off.abs() <= spacing / 8,
            "tick {number} is {off} ms off: {tick:?} of {ticks:?}"
        );
    }
}

/// The store says that it has lost none and skipped none.
fn assert_none_lost(folder: &Folder) -> Result {
    let lost: i64 = folder.outsider()?.query_row(
        "SELECT sum(missed_ticks + skipped_ticks + failures) FROM afterhours_schedules",
        [],
        |row| row.get(0),
    )?;
    assert_eq!(lost, 0);
    Ok(())
}

/// A worker that believes to have some place among some number of workers.
fn start(folder: &Folder, chance: &mut fastrand::Rng) -> Result<Process> {
    let total = chance.usize(1..=FLEET + 2);
    let place = format!("{}/{total}", chance.usize(1..=total));
    let mut command = worker();
    command
        .arg("tick")
        .args([folder.store(), ledger_path(folder)]);
    Ok(Process::start(command.env("AFTERHOURS_WORKER", place))?)
}

/// One worker, two, or all of them.
fn victims(chance: &mut fastrand::Rng) -> BTreeSet<usize> {
    let count = [1, 1, 1, 2, 3, FLEET][chance.usize(0..6)];
    chance
        .choose_multiple(0..FLEET, count)
        .into_iter()
        .collect()
}

#[test]
fn a_hundred_ticks_are_a_hundred_runs_whoever_is_killed() -> Result {
    let folder = Folder::new()?;
    let mut chance = chance()?;
    let mut fleet = Vec::new();
    for _ in 0..FLEET {
        fleet.push(start(&folder, &mut chance)?);
    }
    wait_until("a first tick", || !ledger(&folder).is_empty());
    while ticks(&folder, "ticks.often")?.len() < TICKS {
        let wanted = ledger(&folder).len() + chance.usize(1..=8);
        wait_until("a few ticks", || ledger(&folder).len() >= wanted);
        // A death may fall into any moment between two ticks.
        std::thread::sleep(std::time::Duration::from_millis(chance.u64(0..80)));
        for victim in victims(&mut chance) {
            fleet[victim].kill()?;
            fleet[victim] = start(&folder, &mut chance)?;
        }
    }
    for worker in &mut fleet {
        worker.kill()?;
    }
    let runs = [
        (ticks(&folder, "ticks.often")?, 80),
        (ticks(&folder, "ticks.each_second")?, 1000),
    ];
    for (ticks, spacing) in &runs {
        assert_each_once(ticks, *spacing);
    }
    assert_none_lost(&folder)?;
    // What the dead have left is executed by those who come after them.
    let _successor = start(&folder, &mut chance)?;
    let due: BTreeMap<&str, i64> = runs
        .iter()
        .flat_map(|(ticks, _)| ticks)
        .map(|tick| (tick.run.as_str(), tick.due))
        .collect();
    wait_until("all runs", || {
        let lines = ledger(&folder);
        let seen: BTreeSet<&str> = lines.iter().map(|line| line.run.as_str()).collect();
        due.keys().all(|run| seen.contains(run))
    });
    let mut attempts = BTreeSet::new();
    for line in ledger(&folder) {
        if let Some(due) = due.get(line.run.as_str()) {
            assert_eq!(line.what, due.to_string(), "{line:?}");
        }
        assert!(
            attempts.insert((line.run.clone(), line.attempt)),
            "{line:?} twice"
        );
    }
    Ok(())
}

#[test]
fn a_process_that_dies_inside_a_tick_leaves_neither_its_run_nor_its_tick() -> Result {
    let folder = Folder::new()?;
    for number in [1, 4, 9] {
        let mut command = worker();
        command
            .arg("tick")
            .args([folder.store(), ledger_path(&folder)])
            .env("AFTERHOURS_FAILPOINT", format!("in-tick@{number}:exit"));
        let end = Process::start(&mut command)?.end()?;
        assert_eq!(end.signal(), Some(Signal::SIGKILL as i32));
    }
    let wanted = ticks(&folder, "ticks.often")?.len() + 5;
    let mut successor = Process::start(
        worker()
            .arg("tick")
            .args([folder.store(), ledger_path(&folder)]),
    )?;
    wait_until("more ticks", || {
        ticks(&folder, "ticks.often").is_ok_and(|ticks| ticks.len() >= wanted)
    });
    successor.kill()?;
    assert_each_once(&ticks(&folder, "ticks.often")?, 80);
    assert_each_once(&ticks(&folder, "ticks.each_second")?, 1000);
    assert_none_lost(&folder)
}

fn fire(folder: &Folder, place: &str) -> Result<Process> {
    let mut command = worker();
    command
        .arg("fire")
        .arg(folder.store())
        .env("AFTERHOURS_WORKER", place);
    let process = Process::start(&mut command)?;
    assert_eq!(process.line(), "ready");
    Ok(process)
}

#[test]
fn a_frozen_worker_is_overtaken_and_repeats_nothing_when_it_thaws() -> Result {
    const JOB: &str = "ticks.of_the_first";
    /// What is promised is a second; a machine under load gets a few.
    const BOUND: i64 = 5000;
    let folder = Folder::new()?;
    let first = fire(&folder, "1/2")?;
    let mut second = fire(&folder, "2/2")?;
    let more = |count: usize| -> Result<Vec<Ticked>> {
        let wanted = ticks(&folder, JOB)?.len() + count;
        let mut found = Vec::new();
        wait_until("more ticks", || {
            found = ticks(&folder, JOB).unwrap_or_default();
            found.len() >= wanted
        });
        Ok(found)
    };
    more(2)?;
    freeze(&first, &folder)?;
    let before = ticks(&folder, JOB)?.len();
    // The first cannot have done it. The second waits with a tick at first; one that it finds while it makes up for
    // another, on a machine that is slow, it enqueues at once.
    for tick in &more(3)?[before..] {
        let late = tick.enqueued - tick.due;
        assert!(late < BOUND, "{late} ms after its time: {tick:?}");
    }
    first.signal(Signal::SIGCONT);
    second.kill()?;
    let all = more(3)?;
    assert_each_once(&all, 1000);
    assert_none_lost(&folder)
}
