//! Enqueueing in the application's own transaction.

use std::time::Duration;

use afterhours::rusqlite::{Connection, TransactionBehavior};
use afterhours::{Client, Error, Result, job};

use crate::support::process::{Process, count, now, wait_for_ledger, worker};
use crate::support::{Folder, joined, start};

#[job(name = "transaction.ship")]
async fn ship(order: u32) -> Result<u32> {
    Ok(order)
}

/// Enqueues inside an attempt, whose client is the one that counts.
#[job(name = "transaction.sell")]
fn sell(path: &str, order: u32, commit: bool, wake: bool) -> Result<u64> {
    let mut shop = Connection::open(path)?;
    let tx = shop.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER)", [])?;
    tx.execute("INSERT INTO orders VALUES (?1)", [order])?;
    let pending = ship::prepare(order).enqueue_with(&tx)?;
    let id = pending.id();
    if commit {
        tx.commit()?;
    } else {
        tx.rollback()?;
    }
    if wake {
        let _ = pending.wake();
    }
    Ok(id.to_string().parse()?)
}

async fn sold(commit: bool, wake: bool) -> Result<(Folder, Client, Result<u32, Error>)> {
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let worker = start(&client, [sell::JOB, ship::JOB]).await?;
    let path = folder.store().display().to_string();
    let sale = client
        .enqueue(sell::prepare(&path, 7, commit, wake))
        .await?;
    let id = joined(&sale).await?;
    let shipped = joined(&ship::handle(id.to_string().parse()?).on(&client)).await;
    worker.stop().await?;
    Ok((folder, client, shipped))
}

fn orders(folder: &Folder) -> Result<u32> {
    Ok(folder
        .outsider()?
        .query_row("SELECT count(*) FROM orders", [], |row| row.get(0))?)
}

#[tokio::test]
async fn committed_it_runs() -> Result {
    for wake in [true, false] {
        let (folder, _client, shipped) = sold(true, wake).await?;
        assert_eq!(shipped?, 7);
        assert_eq!(orders(&folder)?, 1);
    }
    Ok(())
}

#[tokio::test]
async fn rolled_back_it_never_was() -> Result {
    let (folder, _client, shipped) = sold(false, true).await?;
    assert!(matches!(shipped, Err(Error::Gone { .. })), "{shipped:?}");
    assert!(orders(&folder).is_err(), "the table went with the run");
    Ok(())
}

#[tokio::test]
async fn another_file_is_refused() -> Result {
    let (folder, other) = (Folder::new()?, Folder::new()?);
    let client = Client::open(folder.store()).await?;
    let worker = start(&client, [sell::JOB]).await?;
    let path = other.store().display().to_string();
    let sale = sell::prepare(&path, 7, true, true).retry(0);
    let error = joined(&client.enqueue(sale).await?).await.unwrap_err();
    assert!(error.to_string().contains("open the same file"), "{error}");
    worker.stop().await
}

/// A program with a transaction of its own, and a worker in another process.
fn seller(folder: &Folder) -> Result<(Process, Process)> {
    let seller = Process::start(worker().arg("sell").arg(folder.store()))?;
    assert_eq!(seller.line(), "ready");
    let worker = Process::worker(folder, 4, Duration::from_secs(3600))?;
    Ok((seller, worker))
}

#[test]
fn a_run_of_another_process_starts_after_the_commit_and_not_before() -> Result {
    for wake in ["wake", "do not wake"] {
        let folder = Folder::new()?;
        let (mut seller, _worker) = seller(&folder)?;
        let run = seller.ask(wake);
        let committed = now();
        assert_eq!(seller.ask("commit"), "over");
        let lines = wait_for_ledger(&folder, "the run", |lines| count(lines, "end") == 1);
        assert!(lines.iter().all(|line| line.run == run), "{lines:?}");
        assert!(lines[0].time >= committed, "{lines:?} before {committed}");
    }
    Ok(())
}

#[test]
fn a_run_that_another_process_rolls_back_is_no_run() -> Result {
    for wake in ["wake", "do not wake"] {
        let folder = Folder::new()?;
        let (mut seller, _worker) = seller(&folder)?;
        for _ in 0..3 {
            seller.ask(wake);
            assert_eq!(seller.ask("roll back"), "over");
        }
        // Ids that were rolled back were never given out.
        let run = seller.ask(wake);
        seller.ask("commit");
        let lines = wait_for_ledger(&folder, "the run", |lines| count(lines, "end") == 1);
        assert!(lines.iter().all(|line| line.run == run), "{lines:?}");
        let runs = "SELECT count(*) FROM afterhours_runs";
        let runs: u32 = folder.outsider()?.query_row(runs, [], |row| row.get(0))?;
        assert_eq!(runs, 1);
    }
    Ok(())
}
