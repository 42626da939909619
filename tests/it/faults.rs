//! The disk fails, fills up, or loses its power at any operation of a process's life, and the process dies at any.

use std::ops::RangeInclusive;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};

use afterhours::Result;
use afterhours_faults::{Action, Fault, Kept, Op, Which};
use nix::sys::signal::Signal;

use crate::support::Folder;
use crate::support::aftermath::{Aftermath, Loss};
use crate::support::chance::{chance, scaled};
use crate::support::process::{Process, ledger_path, worker};

/// In the order in which the script says how often there were any.
const OPS: [Op; 5] = [Op::Open, Op::Write, Op::Sync, Op::Truncate, Op::Lock];

/// One life of a process, with what goes wrong in it.
#[derive(Debug, Clone)]
struct Life {
    durability: &'static str,
    fault: Fault,
    kept: Option<Kept>,
}

impl Life {
    fn start(&self, folder: &Folder) -> Result<Process> {
        let mut command = worker();
        command
            .arg("script")
            .args([folder.store(), ledger_path(folder)])
            .arg(self.durability);
        self.fault.set(&mut command);
        if let Some(kept) = self.kept {
            kept.set(&mut command);
        }
        // What it says of the errors it meets is not for the terminal.
        command.stderr(Stdio::null());
        Ok(Process::start(&mut command)?)
    }

    async fn check(&self, loss: Loss) -> Result<ExitStatus> {
        let folder = Folder::new()?;
        let mut process = self.start(&folder)?;
        let end = process.end()?;
        let aftermath = Aftermath::of(&mut process)?;
        aftermath.check(&folder, loss).await?;
        Ok(end)
    }
}

/// How often a life without trouble asks for each of [`OPS`].
fn asked(durability: &'static str) -> Result<[u64; 5]> {
    let life = Life {
        durability,
        fault: Fault::nth(u64::MAX, Op::Open, Which::Any, Action::Exit),
        kept: None,
    };
    let folder = Folder::new()?;
    let mut process = life.start(&folder)?;
    assert_eq!(process.end()?.code(), Some(0));
    let said = process.lines();
    let counts = said.last().and_then(|line| line.strip_prefix("asked "));
    let mut counts = counts.unwrap_or_default().split(' ').map(str::parse);
    let mut asked = [0; 5];
    for count in &mut asked {
        *count = counts.next().ok_or("a count is missing")??;
    }
    assert!(asked.iter().all(|count| *count > 0), "{asked:?}");
    Ok(asked)
}

/// Tries so many moments of a life, of each operation.
async fn sweep(few: usize, action: Action, durability: &'static str, loss: Loss) -> Result {
    let mut chance = chance()?;
    let asked = asked(durability)?;
    let (mut tried, mut died) = (0, 0);
    for (op, count) in OPS.into_iter().zip(asked) {
        for number in moments(1..=count, scaled(few)?, &mut chance) {
            let fault = Fault::nth(number, op, Which::Any, action);
            let kept = (action == Action::CutPower).then(|| match chance.u8(0..4) {
                0 => Kept::Nothing,
                _ => Kept::Some(chance.u64(..)),
            });
            let life = Life {
                durability,
                fault,
                kept,
            };
            let checked = life.check(loss).await;
            let end = checked.map_err(|error| format!("{life:?}: {error}"))?;
            tried += 1;
            died += usize::from(end.signal() == Some(Signal::SIGKILL as i32));
        }
    }
    // One life asks more often than another, so some get away.
    assert!(
        died * 2 > tried || action == Action::Fail,
        "{died} of {tried}"
    );
    Ok(())
}

/// All moments if there are no more than so many; else so many by chance.
fn moments(all: RangeInclusive<u64>, most: usize, chance: &mut fastrand::Rng) -> Vec<u64> {
    let mut moments: Vec<u64> = all.collect();
    chance.shuffle(&mut moments);
    moments.truncate(most);
    moments
}

#[tokio::test]
async fn a_process_that_dies_at_any_operation_loses_nothing() -> Result {
    sweep(4, Action::Exit, "normal", Loss::None).await
}

#[tokio::test]
async fn a_disk_that_fails_at_any_operation_loses_nothing() -> Result {
    sweep(2, Action::Fail, "full", Loss::None).await?;
    sweep(2, Action::Fail, "normal", Loss::None).await
}

#[tokio::test]
async fn a_power_cut_loses_nothing_that_was_accepted_with_full_durability() -> Result {
    sweep(4, Action::CutPower, "full", Loss::None).await
}

#[tokio::test]
async fn a_power_cut_leaves_a_file_that_opens_and_nothing_half_written() -> Result {
    sweep(4, Action::CutPower, "normal", Loss::Allowed).await
}
