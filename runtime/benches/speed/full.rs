//! Every commit waits for the disk: 64 tasks share one wait.

use afterhours::{Client, Durability, Result};
use tokio::runtime::Runtime;

use crate::machine::fsync;
use crate::raw::{inserts, raw};
use crate::report::Report;
use crate::stage::{TASKS, enqueue_from};

const RAW: usize = 300;
const RUNS: usize = 64 * 300;

pub(crate) fn part(runtime: &Runtime, report: &mut Report) -> Result {
    let reference = raw("FULL", |conn| inserts(conn, RAW, 1))?;
    report.value("fsync of one page", "us", fsync()?);
    report.value("raw FULL: insert, one row a transaction", "/s", reference);
    let rate = runtime.block_on(from_64())?;
    let goal = 0.8 * TASKS as f64;
    report.ratio(
        "FULL: 64 tasks, each awaiting its enqueue",
        rate,
        reference,
        goal,
    );
    Ok(())
}

async fn from_64() -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let client = Client::builder(folder.path().join("jobs.db"))
        .durability(Durability::Full)
        .open()
        .await?;
    let enqueued = enqueue_from(&client, TASKS, RUNS).await?;
    client.close().await?;
    Ok(enqueued.rate)
}
