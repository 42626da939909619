//! An order and the mail about it: stored together in one transaction, or neither.
//!
//! ```text
//! cargo run --release --example transactional
//! ```
#![allow(clippy::print_stdout, reason = "it talks to a person at a terminal")]

use std::fs;

use afterhours::rusqlite::{Connection, Transaction, TransactionBehavior};
use afterhours::{Client, Pending, Result, RunFilter, Worker, job};

const DATABASE: &str = "target/transactional/shop.db";

#[job(queue = "mail")]
async fn confirm(order: i64) -> Result<String> {
    Ok(format!("order {order} is confirmed"))
}

/// The application's own rows and the run, in whatever transaction the caller has.
fn place_order(tx: &Transaction<'_>, item: &str, pieces: u32) -> Result<Pending<String>> {
    tx.execute(
        "INSERT INTO orders (item, pieces) VALUES (?1, ?2)",
        (item, pieces),
    )?;
    let order = tx.last_insert_rowid();
    let taken = tx.execute(
        "UPDATE stock SET pieces = pieces - ?2 WHERE item = ?1 AND pieces >= ?2",
        (item, pieces),
    )?;
    let pending = confirm::prepare(order).enqueue_with(tx)?;
    if taken == 0 {
        // The caller's transaction is dropped: neither the order nor the run has ever been there.
        return Err(format!("only few of `{item}` are left").into());
    }
    Ok(pending)
}

#[tokio::main]
async fn main() -> Result {
    let _ = fs::remove_dir_all("target/transactional");
    fs::create_dir_all("target/transactional")?;
    let client = Client::open(DATABASE).await?;
    client.install()?;
    // The application's tables are in the same file, on a connection of its own.
    let mut shop = Connection::open(DATABASE)?;
    shop.execute_batch(
        "PRAGMA synchronous = NORMAL;
         CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT NOT NULL, pieces INTEGER NOT NULL);
         CREATE TABLE stock (item TEXT PRIMARY KEY, pieces INTEGER NOT NULL);
         INSERT INTO stock VALUES ('lamp', 5);",
    )?;

    let tx = shop.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let pending = place_order(&tx, "lamp", 3)?;
    tx.commit()?;
    let run = pending.wake(); // a worker starts it now instead of at its next look

    let tx = shop.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if let Err(error) = place_order(&tx, "lamp", 3) {
        println!("not ordered: {error}");
    }
    tx.rollback()?;

    let worker = Worker::builder(client.clone()).build()?.start().await?;
    println!("{}", run.join().await?);
    worker.stop().await?;

    let orders: u32 = shop.query_row("SELECT count(*) FROM orders", (), |row| row.get(0))?;
    let runs = client.runs(RunFilter::new()).await?.runs.len();
    println!("{orders} order, {runs} run");
    assert_eq!((orders, runs), (1, 1));
    Ok(())
}
