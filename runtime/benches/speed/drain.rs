//! No-op runs that were enqueued before: by one worker here, and by one and two worker processes.

use std::time::Instant;

use afterhours::Result;
use tokio::runtime::Runtime;

use crate::child::{Child, RECORDED, WORK};
use crate::raw;
use crate::report::Report;
use crate::stage::{Countdown, Store, Template, fill, wait_until_drained};

pub(crate) const RUNS: usize = 100_000;

pub(crate) fn part(runtime: &Runtime, report: &mut Report) -> Result {
    let reference = raw::raw("NORMAL", |conn| raw::drain(conn, RUNS))?;
    report.value("raw: claim 1,000 and mark done", "/s", reference);
    let rate = runtime.block_on(drain(&Template::default(), RUNS))?;
    report.ratio("drain no-op jobs, one worker", rate, reference, 0.5);
    let one = processes(runtime, WORK, 1)?;
    report.value("drain, one worker process", "/s", one);
    let two = processes(runtime, WORK, 2)?;
    report.ratio("drain, two worker processes (of one)", two, one, 1.0);
    let recorded = processes(runtime, RECORDED, 1)?;
    report.value("drain, one worker process with a recorder", "/s", recorded);
    let cost = 1e9 / recorded - 1e9 / one;
    report.value("what a recorder of metrics adds to a run", "ns", cost);
    Ok(())
}

/// Runs a second, until the worker has stopped.
pub(crate) async fn drain(template: &Template, runs: usize) -> Result<f64> {
    let store = Store::on(template).await?;
    fill(&store.client, runs).await?;
    let countdown = Countdown::of(runs);
    let worker = store.worker(&countdown).build()?;
    let since = Instant::now();
    let running = worker.start().await?;
    countdown.is_over().await;
    // The last ones are written down while the worker stops.
    running.stop().await?;
    let rate = runs as f64 / since.elapsed().as_secs_f64();
    store.client.close().await?;
    Ok(rate)
}

fn processes(runtime: &Runtime, role: &str, count: usize) -> Result<f64> {
    let store = runtime.block_on(Store::new())?;
    runtime.block_on(fill(&store.client, RUNS))?;
    let path = store.path();
    let mut workers = (0..count)
        .map(|_| Child::spawn(role, &path, &[]))
        .collect::<Result<Vec<_>>>()?;
    let since = Instant::now();
    for worker in &mut workers {
        worker.go()?;
    }
    wait_until_drained(&path)?;
    let rate = RUNS as f64 / since.elapsed().as_secs_f64();
    for worker in workers {
        worker.end()?;
    }
    Ok(rate)
}
