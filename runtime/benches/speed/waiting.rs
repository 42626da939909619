//! A million runs that wait for next week: what they cost everybody else.

use std::time::Duration;

use afterhours::Result;
use tokio::runtime::Runtime;

use crate::child::Child;
use crate::drain::{RUNS, drain};
use crate::enqueue::Rates;
use crate::idle::Spent;
use crate::report::{Percentile, Report};
use crate::stage::{BATCH, Store, Template, noop};
use crate::start;

const WAITING: usize = 1_000_000;
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);
/// Nothing is slower by more than a tenth.
const GOAL: f64 = 0.9;

pub(crate) fn part(runtime: &Runtime, report: &mut Report) -> Result {
    let (none, million) = (Template::default(), runtime.block_on(waiting())?);
    // Both take turns, and what is only a reference here is reported by its own part.
    let mut unreported = Report::default();
    let alone = runtime.block_on(Rates::measure(&none, &mut unreported))?;
    let beside = runtime.block_on(Rates::measure(&million, &mut unreported))?;
    let beside_waiting = |what: &str| format!("{what}, 1,000,000 waiting (of none)");
    for (what, rate, reference) in [
        ("one task", beside.one, alone.one),
        ("64 tasks", beside.many, alone.many),
        ("enqueue_all", beside.batched, alone.batched),
    ] {
        report.ratio(beside_waiting(what), rate, reference, GOAL);
    }
    let alone = runtime.block_on(drain(&none, RUNS))?;
    let beside = runtime.block_on(drain(&million, RUNS))?;
    report.ratio(beside_waiting("drain"), beside, alone, GOAL);
    let mut alone = runtime.block_on(start::here(&none))?;
    let mut beside = runtime.block_on(start::here(&million))?;
    alone.sort_by(f64::total_cmp);
    beside.sort_by(f64::total_cmp);
    let (alone, beside) = (Percentile::P50.of(&alone), Percentile::P50.of(&beside));
    report.value("enqueue to start, none waiting, p50", "us", alone);
    report.at_most(
        "enqueue to start, 1,000,000 waiting, p50, of none",
        "",
        beside / alone,
        1.0 / GOAL,
    );
    if cfg!(target_os = "linux") {
        let memory = runtime.block_on(memory(&million))?;
        report.at_most("worker's memory, 1,000,000 waiting", "MiB", memory, 64.0);
    }
    Ok(())
}

async fn waiting() -> Result<Template> {
    let store = Store::new().await?;
    for batch in 0..WAITING / BATCH {
        let numbers = (0..BATCH).map(|number| (batch * BATCH + number) as u64);
        let delayed = numbers.map(|number| noop::prepare(number).delay(WEEK));
        store.client.enqueue_all(delayed).await?;
    }
    store.into_template().await
}

async fn memory(template: &Template) -> Result<f64> {
    let store = Store::on(template).await?;
    let child = Child::spawn("arrive", &store.path(), &[])?;
    // It has looked, pruned and rescued by then.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let resident = Spent::of(child.id())?.resident;
    child.end()?;
    Ok(resident)
}
