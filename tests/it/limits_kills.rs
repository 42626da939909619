//! The limit of a job holds while its workers are killed: no place is taken twice, and none is lost.

use std::collections::BTreeSet;

use afterhours::{Client, Handle, Result};

use crate::support::Folder;
use crate::support::chance::chance;
use crate::support::judge::{Deaths, doubled, most_at_once};
use crate::support::kinds::{limited, short};
use crate::support::prey::Prey;
use crate::support::process::{Entry, ledger, wait_for_ledger, wait_until};

const KILLS: usize = 8;
/// Enqueued before each kill.
const EACH: usize = 20;
/// What the job's attribute says.
const LIMIT: usize = 2;

fn ids(runs: &[Handle<()>]) -> BTreeSet<String> {
    runs.iter().map(|run| run.id().to_string()).collect()
}

fn ended(lines: &[Entry], of: &BTreeSet<String>) -> usize {
    let ended = lines.iter().filter(|line| line.what == "end");
    let ended: BTreeSet<&String> = ended.map(|line| &line.run).collect();
    ended.into_iter().filter(|run| of.contains(*run)).count()
}

/// How many of these had ended when the last of those started.
fn ended_before(lines: &[Entry], these: &BTreeSet<String>, those: &BTreeSet<String>) -> usize {
    let last = lines
        .iter()
        .rposition(|line| line.what == "start" && those.contains(&line.run));
    ended(&lines[..last.unwrap_or(0)], these)
}

#[tokio::test]
async fn two_at_once_are_never_three_and_never_fewer_for_good_whoever_is_killed() -> Result {
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let mut chance = chance()?;
    let mut prey = Prey::new(&folder, 3)?;
    let mut limited = ids(&client
        .enqueue_all((0..20).map(|_| limited::prepare(100)))
        .await?);
    // Behind all of these, and not held up by them.
    let others = client
        .enqueue_all((0..20).map(|_| short::prepare(1).priority(-1)))
        .await?;
    let others = ids(&others);
    let lines = wait_for_ledger(&folder, "the others", |lines| ended(lines, &others) == 20);
    assert!(ended_before(&lines, &limited, &others) < 20, "held up");
    let mut before = 0;
    for kill in 1..=KILLS {
        // So many between two deaths that none is at work in three of them, and as many left to be killed.
        let few = ids(&client
            .enqueue_all((0..EACH).map(|_| limited::prepare(chance.u64(5..30))))
            .await?);
        wait_until("a few", || ended(&ledger(&folder), &few) >= EACH / 2);
        limited.extend(few);
        prey.kill(1 + kill % 2, &mut chance)?;
        before = ledger(&folder).len();
    }
    let last = (0..20).map(|_| limited::prepare(20));
    limited.extend(ids(&client.enqueue_all(last).await?));
    assert_eq!(limited.len(), 200);
    wait_for_ledger(&folder, "all", |lines| ended(lines, &limited) == 200);
    prey.stop_all()?;
    let lines = ledger(&folder);
    let deaths = Deaths::new(&prey.signalled(), &lines);
    let doubled = doubled(&lines, &deaths);
    assert!(doubled.is_empty(), "{doubled:#?}");
    assert_eq!(most_at_once(&lines, &deaths, &limited), LIMIT);
    // The dead have left no place taken.
    assert_eq!(most_at_once(&lines[before..], &deaths, &limited), LIMIT);
    let left = "SELECT count(*) FROM afterhours_runs WHERE state <> 3";
    let left: u32 = folder.outsider()?.query_row(left, [], |row| row.get(0))?;
    assert_eq!(left, 0, "nothing is left, and nothing has failed");
    Ok(())
}
