//! A million ready runs of a job that this worker does not know stand before its own.

use afterhours::{Result, job};
use tokio::runtime::Runtime;

use crate::drain::drain;
use crate::report::Report;
use crate::stage::{BATCH, Store, Template};
use crate::start;

const UNKNOWN: usize = 1_000_000;
const RUNS: usize = 50_000;

/// Of another build, as far as the worker of the others knows.
#[job(name = "elsewhere", priority = 100)]
async fn elsewhere(_number: u64) {}

pub(crate) fn part(runtime: &Runtime, report: &mut Report) -> Result {
    let template = runtime.block_on(behind_unknown())?;
    let alone = runtime.block_on(drain(&Template::default(), RUNS))?;
    let behind = runtime.block_on(drain(&template, RUNS))?;
    report.value("drain 50,000 no-op jobs", "/s", alone);
    report.ratio(
        "  behind 1,000,000 unknown ones (of alone)",
        behind,
        alone,
        0.9,
    );
    let mut alone = runtime.block_on(start::here(&Template::default()))?;
    let mut behind = runtime.block_on(start::here(&template))?;
    report.times("enqueue to start, alone", &mut alone, None);
    report.times("  behind 1,000,000 unknown ones", &mut behind, None);
    Ok(())
}

async fn behind_unknown() -> Result<Template> {
    let store = Store::new().await?;
    for batch in 0..UNKNOWN / BATCH {
        let numbers = (0..BATCH).map(|number| (batch * BATCH + number) as u64);
        store
            .client
            .enqueue_all(numbers.map(elsewhere::prepare))
            .await?;
    }
    store.into_template().await
}
