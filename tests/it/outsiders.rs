//! Other programs that open, write, read, close and copy the file while it is in use.

use std::time::Duration;

use afterhours::{Client, Result};

use crate::support::aftermath::{Aftermath, Loss, assert_whole};
use crate::support::jobs::work;
use crate::support::process::{Process, count, ledger, worker};
use crate::support::{Folder, joined};

const LONG: Duration = Duration::from_secs(3600);

fn outsider(folder: &Folder, what: &str) -> Result<Process> {
    let mut command = worker();
    command.arg(what).arg(folder.store());
    Ok(Process::start(&mut command)?)
}

#[tokio::test]
async fn an_outsider_that_opens_and_closes_the_file_all_the_time_does_no_harm() -> Result {
    const RUNS: usize = 200;
    let folder = Folder::new()?;
    Client::migrate(folder.store()).await?;
    let mut outsiders = [outsider(&folder, "look")?, outsider(&folder, "look")?];
    for outsider in &outsiders {
        assert_eq!(outsider.line(), "looking");
    }
    let client = Client::open(folder.store()).await?;
    let mut one = Process::worker(&folder, 8, LONG)?;
    let mut aftermath = Aftermath::default();
    for _ in 0..RUNS {
        let run = client.enqueue(work::prepare(0)).await?;
        aftermath.accepted.push(run.id().to_string());
    }
    one.kill()?;
    aftermath.died(&one);
    // It is their turn to be the last that closes the file.
    client.close().await?;
    aftermath.check(&folder, Loss::None).await?;
    for outsider in &mut outsiders {
        let times: u32 = outsider.ask("enough").parse()?;
        assert!(times > 1, "{times}");
        assert_eq!(outsider.end()?.code(), Some(0));
    }
    assert_whole(&folder)
}

#[tokio::test]
async fn a_copy_made_while_the_file_is_in_use_is_a_store_of_its_own() -> Result {
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let _worker = Process::worker(&folder, 4, LONG)?;
    let mut runs = client
        .enqueue_all((0..50).map(|_| work::prepare(20)))
        .await?;
    for _ in 0..3 {
        let copied = Folder::new()?;
        let mut command = worker();
        command.arg("copy").args([folder.store(), copied.store()]);
        assert_eq!(Process::start(&mut command)?.line(), "copied");
        runs.push(client.enqueue(work::prepare(0)).await?);
        let left: u32 = copied.outsider()?.query_row(
            "SELECT count(*) FROM afterhours_runs WHERE state IN (0, 1)",
            [],
            |row| row.get(0),
        )?;
        Aftermath::default().check(&copied, Loss::None).await?;
        // There they are executed, as here.
        assert_eq!(count(&ledger(&copied), "end"), usize::try_from(left)?);
    }
    for run in &runs {
        assert_eq!(joined(run).await?, 1);
    }
    assert_eq!(count(&ledger(&folder), "end"), runs.len());
    assert_whole(&folder)
}
