//! Workers are killed, frozen and stopped at random while other processes enqueue runs of every kind.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use afterhours::Result;

use super::{Row, length, millis};
use crate::support::aftermath::assert_whole;
use crate::support::chance::chance;
use crate::support::judge::{Deaths, doubled, most_at_once, quantile, rescues};
use crate::support::prey::Prey;
use crate::support::process::{Entry, Process, ledger, worker};
use crate::support::{Folder, LIMIT};

const WORKERS: usize = 3;
const PRODUCERS: usize = 2;
/// What the limited job's attribute says.
const LIMIT_OF_LIMITED: usize = 2;

/// What producers have said.
#[derive(Default)]
struct Said {
    /// The runs that were acknowledged, with their kinds.
    accepted: BTreeMap<String, String>,
    refused: Vec<String>,
}

impl Said {
    fn take(&mut self, line: &str) {
        if let Some((kind, id)) = line
            .strip_prefix("accepted ")
            .and_then(|line| line.split_once(' '))
        {
            self.accepted.insert(id.to_owned(), kind.to_owned());
        } else {
            self.refused.push(line.to_owned());
        }
    }

    fn of_kind(&self, kind: &str) -> BTreeSet<String> {
        let accepted = self.accepted.iter().filter(|(_, of)| *of == kind);
        accepted.map(|(id, _)| id.clone()).collect()
    }
}

fn produce(folder: &Folder, chance: &mut fastrand::Rng) -> Result<Process> {
    let mut command = worker();
    command
        .arg("produce-kinds")
        .arg(folder.store())
        .arg(chance.u64(..).to_string());
    let process = Process::start(&mut command)?;
    assert_eq!(process.line(), "ready");
    Ok(process)
}

/// What chance does to the workers, and now and then to a producer.
fn strike(
    prey: &mut Prey<'_>,
    producers: &mut [Process],
    said: &mut Said,
    folder: &Folder,
    chance: &mut fastrand::Rng,
) -> Result {
    // A signal may arrive at any moment of what the processes do.
    std::thread::sleep(Duration::from_millis(chance.u64(100..1500)));
    match chance.u8(0..20) {
        0..=9 => prey.kill(1, chance),
        10..=12 => prey.kill(2, chance),
        13 => prey.kill(WORKERS, chance),
        14..=15 => {
            let time = Duration::from_millis(chance.u64(1000..3000));
            let kills = chance.bool();
            prey.freeze(time, kills, chance)
        }
        16..=18 => prey.stop(chance),
        _ => {
            let producer = &mut producers[chance.usize(0..PRODUCERS)];
            producer.kill()?;
            for line in producer.lines() {
                said.take(&line);
            }
            *producer = produce(folder, chance)?;
            Ok(())
        }
    }
}

/// A finished run, and how many workers in a row died of it; by its id.
fn states(folder: &Folder) -> Result<BTreeMap<String, (u8, u32)>> {
    let store = folder.outsider()?;
    let mut select =
        store.prepare("SELECT CAST(id AS TEXT), state, crashes FROM afterhours_runs")?;
    let states = select.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?;
    Ok(states.collect::<afterhours::rusqlite::Result<_>>()?)
}

/// Those that were accepted and are not done: lost ones, and those that failed because workers died of them.
fn missing(folder: &Folder, said: &Said, lines: &[Entry]) -> Result<(Vec<String>, usize)> {
    const DONE: u8 = 3;
    const FAILED: u8 = 4;
    let states = states(folder)?;
    let ended: BTreeSet<&str> = lines
        .iter()
        .filter(|line| line.what == "end")
        .map(|line| line.run.as_str())
        .collect();
    let (mut lost, mut convicted) = (Vec::new(), 0);
    for (id, kind) in &said.accepted {
        match states.get(id) {
            Some((DONE, _)) => {}
            Some((FAILED, 3)) => convicted += 1,
            // In a long time the oldest are pruned.
            None if ended.contains(id.as_str()) => {}
            state => lost.push(format!("{kind} {id}: {state:?}")),
        }
    }
    Ok((lost, convicted))
}

/// What is still to do is done, or the time is over and it is lost.
fn settle(folder: &Folder) -> Result {
    let since = Instant::now();
    let unfinished = "SELECT count(*) FROM afterhours_runs WHERE state IN (0, 1)";
    while super::number(folder, unfinished)? > 0 && since.elapsed() < 2 * LIMIT {
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

#[test]
fn whatever_is_killed_nothing_is_lost_and_nothing_runs_twice_at_a_time() -> Result {
    let folder = Folder::new()?;
    let mut chance = chance()?;
    let mut said = Said::default();
    let mut prey = Prey::new(&folder, WORKERS)?;
    let mut producers = Vec::new();
    for _ in 0..PRODUCERS {
        producers.push(produce(&folder, &mut chance)?);
    }
    let (since, length) = (Instant::now(), length()?);
    while since.elapsed() < length {
        strike(&mut prey, &mut producers, &mut said, &folder, &mut chance)?;
    }
    for producer in &mut producers {
        producer.tell("enough");
        producer.end()?;
        for line in producer.lines() {
            said.take(&line);
        }
    }
    settle(&folder)?;
    prey.stop_all()?;
    judge(&folder, &prey, &said)
}

fn judge(folder: &Folder, prey: &Prey<'_>, said: &Said) -> Result {
    let lines = ledger(folder);
    let deaths = Deaths::new(&prey.signalled(), &lines);
    let doubled = doubled(&lines, &deaths);
    let limited = said.of_kind("limited");
    let most = most_at_once(&lines, &deaths, &limited);
    let (lost, convicted) = missing(folder, said, &lines)?;
    // Where none could move, none could rescue; and a run with a limit waits for a place too.
    let rescues = rescues(&lines, &prey.kills, |line, from, to| {
        let hindered = prey
            .hindrances
            .iter()
            .any(|(since, until)| *since < to && from < *until);
        hindered || limited.contains(&line.run)
    });
    Row {
        scenario: "random kills",
        runs: said.accepted.len(),
        kills: prey.kills.len(),
        lost: lost.len(),
        doubled: doubled.len(),
        slowest_rescue: rescues.last().copied(),
        notes: format!(
            "median rescue {} of {}; {} stops, {} freezes; at most {most} of {LIMIT_OF_LIMITED} at once; \
             {convicted} convicted; {} enqueues refused",
            millis(quantile(&rescues, 0.5)),
            rescues.len(),
            prey.stops.len(),
            prey.freezes,
            said.refused.len()
        ),
    }
    .print();
    assert!(lost.is_empty(), "{lost:#?}");
    assert!(doubled.is_empty(), "{doubled:#?}");
    assert!(most <= LIMIT_OF_LIMITED, "{most} of a limited job at once");
    assert!(said.refused.is_empty(), "{:#?}", said.refused);
    assert!(!limited.is_empty(), "some of each kind");
    assert_whole(folder)
}
