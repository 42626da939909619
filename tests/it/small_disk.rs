//! A disk that is really full: a small file system of its own, without a fault layer between SQLite and the kernel.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use afterhours::{Client, Result};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::geteuid;

use crate::support::jobs::work;
use crate::support::process::{Process, count, ledger, ledger_path, wait_for_ledger, worker};
use crate::support::{Folder, joined};

const SIZE: &str = "size=8m";
/// More than fit into it.
const MOST: usize = 20_000;

struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let none = None::<&str>;
        mount(
            none,
            folder.path(),
            Some("tmpfs"),
            MsFlags::empty(),
            Some(SIZE),
        )?;
        Ok(Self(folder))
    }

    fn store(&self) -> PathBuf {
        self.0.path().join("jobs.db")
    }

    fn filler(&self) -> PathBuf {
        self.0.path().join("filler")
    }

    /// Takes what space there is.
    fn fill(&self) -> Result {
        let mut filler = File::create(self.filler())?;
        loop {
            match filler.write_all(&[7; 4096]) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn free(&self) -> Result {
        Ok(fs::remove_file(self.filler())?)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Processes of a test that has failed may still have it open.
        let _ = umount2(self.0.path(), MntFlags::MNT_DETACH);
    }
}

/// Enqueues until the answer is that there is no space; returns what was accepted.
fn enqueue_until_full(server: &mut Process) -> Vec<String> {
    let mut accepted = Vec::new();
    for _ in 0..MOST {
        let answer = server.ask("0");
        if answer.starts_with("full: the disk is full") {
            return accepted;
        }
        assert!(answer.parse::<u64>().is_ok(), "{answer}");
        accepted.push(answer);
    }
    panic!("the disk never gets full");
}

#[tokio::test]
async fn a_file_system_without_space_is_a_clear_error_and_loses_nothing() -> Result {
    if !geteuid().is_root() {
        // Nobody else may mount one.
        return Ok(());
    }
    let (disk, folder) = (SmallDisk::new()?, Folder::new()?);
    let start = |what: &str| {
        let mut command = worker();
        command.arg(what).arg(disk.store());
        command
    };
    let mut server = Process::start(&mut start("serve"))?;
    assert_eq!(server.line(), "ready");
    let mut command = start("work");
    command.arg(ledger_path(&folder)).args(["8", "1000"]);
    let working = Process::start(&mut command)?;
    assert_eq!(working.line(), "ready");

    let mut accepted = Vec::new();
    for _ in 0..3 {
        // It ends while there is no space.
        accepted.push(server.ask("200"));
        wait_for_ledger(&folder, "a start", |lines| {
            count(lines, "start") == accepted.len()
        });
        disk.fill()?;
        accepted.extend(enqueue_until_full(&mut server));
        assert!(enqueue_until_full(&mut server).is_empty(), "it stays full");
        disk.free()?;
        accepted.push(server.ask("0"));
        wait_for_ledger(&folder, "all ends", |lines| {
            count(lines, "end") == accepted.len()
        });
    }
    let client = Client::open(disk.store()).await?;
    for id in &accepted {
        let run = work::handle(id.parse()?).on(&client);
        assert_eq!(joined(&run).await?, 1, "its first attempt");
    }
    assert_eq!(count(&ledger(&folder), "start"), accepted.len());
    client.close().await?;
    drop((server, working));
    Ok(())
}
