//! One task, 64 tasks, and batches, each beside the raw inserts of its kind.

use std::time::Instant;

use afterhours::Result;
use tokio::runtime::Runtime;

use crate::raw::{inserts, raw};
use crate::report::Report;
use crate::stage::{BATCH, Enqueued, Store, TASKS, Template, enqueue_from, fill};

const ONE_BY_ONE: usize = 10_000;
const FROM_64: usize = 100_000;
const BATCHED: usize = 200_000;

pub(crate) fn part(runtime: &Runtime, report: &mut Report) -> Result {
    let rates = runtime.block_on(Rates::measure(&Template::default(), report))?;
    let single = raw("NORMAL", |conn| inserts(conn, ONE_BY_ONE, 1))?;
    let batch = raw("NORMAL", |conn| inserts(conn, BATCHED, BATCH))?;
    report.value("raw: insert, one row a transaction", "/s", single);
    report.ratio(
        "one task, one enqueue awaited at a time",
        rates.one,
        single,
        0.6,
    );
    report.ratio(
        "64 tasks, each awaiting its enqueue",
        rates.many,
        single,
        4.5,
    );
    report.value("raw: insert, 1,000 rows a transaction", "/s", batch);
    report.ratio("enqueue_all, 1,000 at a time", rates.batched, batch, 0.6);
    Ok(())
}

/// Runs a second.
pub(crate) struct Rates {
    pub(crate) one: f64,
    pub(crate) many: f64,
    pub(crate) batched: f64,
}

impl Rates {
    pub(crate) async fn measure(template: &Template, report: &mut Report) -> Result<Self> {
        let mut one = enqueued(template, 1, ONE_BY_ONE).await?;
        report.times("one task, a call", &mut one.times, None);
        let mut many = enqueued(template, TASKS, FROM_64).await?;
        report.times("64 tasks, a call", &mut many.times, None);
        let batched = batched(template).await?;
        Ok(Self {
            one: one.rate,
            many: many.rate,
            batched,
        })
    }
}

async fn enqueued(template: &Template, tasks: usize, runs: usize) -> Result<Enqueued> {
    let store = Store::on(template).await?;
    let enqueued = enqueue_from(&store.client, tasks, runs).await?;
    store.client.close().await?;
    Ok(enqueued)
}

async fn batched(template: &Template) -> Result<f64> {
    let store = Store::on(template).await?;
    let since = Instant::now();
    fill(&store.client, BATCHED).await?;
    let rate = BATCHED as f64 / since.elapsed().as_secs_f64();
    store.client.close().await?;
    Ok(rate)
}
