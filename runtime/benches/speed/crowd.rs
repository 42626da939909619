//! Two producing and two working processes on one file, beside one process that does both.

use std::time::Instant;

use afterhours::Result;
use tokio::runtime::Runtime;

use crate::child::{Child, WORK};
use crate::report::Report;
use crate::stage::{Countdown, Store, enqueue_from, wait_until_drained};

const RUNS: usize = 100_000;
/// Of all producers together.
const TASKS: usize = 32;

pub(crate) fn part(runtime: &Runtime, report: &mut Report) -> Result {
    let one = runtime.block_on(one_process())?;
    report.value("enqueue and drain, 32 tasks, one process", "/s", one);
    let four = four_processes(runtime, report)?;
    report.ratio("enqueue and drain, four processes (of one)", four, one, 0.7);
    Ok(())
}

/// Runs a second, from the first enqueue to the last end.
async fn one_process() -> Result<f64> {
    let store = Store::new().await?;
    let countdown = Countdown::of(RUNS);
    let running = store.worker(&countdown).build()?.start().await?;
    let since = Instant::now();
    enqueue_from(&store.client, TASKS, RUNS).await?;
    countdown.is_over().await;
    running.stop().await?;
    let rate = RUNS as f64 / since.elapsed().as_secs_f64();
    store.client.close().await?;
    Ok(rate)
}

fn four_processes(runtime: &Runtime, report: &mut Report) -> Result<f64> {
    let store = runtime.block_on(Store::new())?;
    let path = store.path();
    let mut workers = Vec::new();
    let mut producers = Vec::new();
    for _ in 0..2 {
        workers.push(Child::spawn(WORK, &path, &[])?);
        producers.push(Child::spawn("produce", &path, &[TASKS / 2, RUNS / 2])?);
    }
    for worker in &mut workers {
        worker.go()?;
        worker.line()?;
    }
    let since = Instant::now();
    for producer in &mut producers {
        producer.go()?;
    }
    let mut took = Vec::new();
    let (mut p99, mut longest) = (0.0_f64, 0.0_f64);
    for producer in &mut producers {
        let said = producer.numbers()?;
        let [seconds, _, high, most] = said[..] else {
            return Err(format!("unexpected: {said:?}").into());
        };
        took.push(seconds);
        (p99, longest) = (p99.max(high), longest.max(most));
    }
    wait_until_drained(&path)?;
    let rate = RUNS as f64 / since.elapsed().as_secs_f64();
    report.at_most("  an enqueue among them, p99", "us", p99, 5_000.0);
    report.value("  an enqueue among them, max", "us", longest);
    report.value(
        "  the faster producer's time, of the slower's",
        "",
        share(&took),
    );
    for producer in producers {
        producer.end()?;
    }
    let done = workers
        .into_iter()
        .map(|worker| Ok(worker.end()?.parse()?))
        .collect::<Result<Vec<f64>>>()?;
    let least = done.iter().copied().fold(f64::INFINITY, f64::min);
    report.value(
        "  the lesser worker's share",
        "%",
        100.0 * least / done.iter().sum::<f64>(),
    );
    Ok(rate)
}

fn share(values: &[f64]) -> f64 {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    least / values.iter().copied().fold(0.0, f64::max)
}
