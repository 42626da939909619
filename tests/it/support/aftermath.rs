//! After something went wrong: what was accepted is executed, nothing twice at a time, and the file is whole.

use std::collections::BTreeMap;
use std::time::Duration;

use afterhours::{Client, Error, Result, Worker};

use super::process::{Process, assert_counted, assert_no_overlap, ledger, ledger_path, now};
use super::{Folder, jobs, ledger::Ledger, within};

/// What a process has left behind.
#[derive(Debug, Default)]
pub(crate) struct Aftermath {
    /// When each process had died.
    deaths: BTreeMap<u32, u64>,
    /// The runs that were accepted.
    pub(crate) accepted: Vec<String>,
}

/// Whether what was accepted may be gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    None,
    /// The power was cut, and the disk had not confirmed.
    Allowed,
}

impl Aftermath {
    /// Takes in what the process has said before it ended.
    pub(crate) fn of(process: &mut Process) -> Result<Self> {
        process.end()?;
        let mut aftermath = Self::default();
        aftermath.died(process);
        for line in process.lines() {
            aftermath
                .accepted
                .extend(line.strip_prefix("accepted ").map(str::to_owned));
        }
        Ok(aftermath)
    }

    /// This process is dead.
    pub(crate) fn died(&mut self, process: &Process) {
        self.deaths.insert(process.id(), now());
    }

    /// Lets a successor do what is left, and checks what must hold then.
    pub(crate) async fn check(&self, folder: &Folder, loss: Loss) -> Result {
        let client = Client::open(folder.store()).await?;
        assert_whole(folder)?;
        let worker = Worker::builder(client.clone())
            .jobs(jobs::ALL)
            .state(Ledger(ledger_path(folder)))
            .build()?
            .start()
            .await?;
        for id in &self.accepted {
            let run = jobs::work::handle(id.parse()?).on(&client);
            match within(&format!("the end of run {id}"), run.join()).await {
                Ok(_) => {}
                Err(Error::Gone { .. }) if loss == Loss::Allowed => {}
                Err(error) => return Err(format!("run {id} was accepted: {error}").into()),
            }
        }
        within("the end of all runs", async {
            while unfinished(folder)? > 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            Ok::<_, Error>(())
        })
        .await?;
        within("the stop", worker.stop()).await?;
        client.close().await?;
        let lines = ledger(folder);
        assert_no_overlap(&lines, &self.deaths);
        if loss == Loss::None {
            assert_counted(&lines);
        }
        self.assert_executed(folder, loss);
        assert_whole(folder)
    }

    fn assert_executed(&self, folder: &Folder, loss: Loss) {
        let lines = ledger(folder);
        let has_ended = |id: &String| {
            lines
                .iter()
                .any(|line| line.run == *id && line.what == "end")
        };
        let missing: Vec<_> = self.accepted.iter().filter(|id| !has_ended(id)).collect();
        assert!(missing.is_empty() || loss == Loss::Allowed, "{missing:?}");
    }
}

fn unfinished(folder: &Folder) -> afterhours::rusqlite::Result<u32> {
    let unfinished = "SELECT count(*) FROM afterhours_runs WHERE state IN (0, 1)";
    folder
        .outsider()?
        .query_row(unfinished, [], |row| row.get(0))
}

/// SQLite finds nothing wrong with the file.
pub(crate) fn assert_whole(folder: &Folder) -> Result {
    let check: String = folder
        .outsider()?
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    assert_eq!(check, "ok");
    Ok(())
}
