//! Half a million runs enqueued while a worker in the same process drains them, and ten thousand delayed ones.

use std::time::{Duration, Instant};

use afterhours::Result;
use tokio::runtime::Runtime;

use crate::report::Report;
use crate::stage::{BATCH, Countdown, Store, fill, noop};

const RUNS: usize = 500_000;
const DELAYED: usize = 10_000;
const HOUR: Duration = Duration::from_secs(3600);

pub(crate) fn part(runtime: &Runtime, report: &mut Report) -> Result {
    let took = runtime.block_on(enqueue_and_drain())?;
    report.at_most("500,000 no-op runs enqueued and drained", "s", took, 4.0);
    let (took, grown) = runtime.block_on(delayed())?;
    report.at_most("10,000 runs delayed by an hour", "ms", took, 50.0);
    report.at_most("what they add to the file", "MB", grown, 2.0);
    Ok(())
}

/// Seconds from the first enqueue until all are done.
async fn enqueue_and_drain() -> Result<f64> {
    let store = Store::new().await?;
    let countdown = Countdown::of(RUNS);
    let running = store.worker(&countdown).build()?.start().await?;
    let since = Instant::now();
    fill(&store.client, RUNS).await?;
    countdown.is_over().await;
    let took = since.elapsed().as_secs_f64();
    running.stop().await?;
    store.client.close().await?;
    Ok(took)
}

/// Milliseconds, and megabytes of database and WAL.
async fn delayed() -> Result<(f64, f64)> {
    let store = Store::new().await?;
    let before = size(&store);
    let since = Instant::now();
    for batch in 0..DELAYED / BATCH {
        let numbers = (0..BATCH).map(|number| (batch * BATCH + number) as u64);
        let delayed = numbers.map(|number| noop::prepare(number).delay(HOUR));
        store.client.enqueue_all(delayed).await?;
    }
    let took = since.elapsed().as_secs_f64() * 1e3;
    // What is in the WAL moves into the file.
    store.client.close().await?;
    let path = store.folder.path().join("jobs.db");
    let grown = std::fs::metadata(path)?.len().saturating_sub(before);
    Ok((took, grown as f64 / 1e6))
}

fn size(store: &Store) -> u64 {
    let path = store.folder.path().join("jobs.db");
    std::fs::metadata(path).map_or(0, |file| file.len())
}
