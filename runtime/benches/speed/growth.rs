//! The same work in files of more and more runs, that wait or have finished.

use afterhours::Result;
use rusqlite::Connection;
use tokio::runtime::Runtime;

use crate::drain::{RUNS, drain};
use crate::report::{Percentile, Report};
use crate::stage::{BATCH, Store, TASKS, Template, enqueue_from, noop};

const SIZES: [usize; 4] = [10_000, 100_000, 1_000_000, 5_000_000];
const ENQUEUED: usize = 50_000;
/// Flat within a tenth up to here.
const FLAT: usize = 1_000_000;

pub(crate) fn part(runtime: &Runtime, report: &mut Report) -> Result {
    for state in [State::Waiting, State::Finished] {
        let mut smallest = None;
        for size in SIZES {
            let figures = runtime.block_on(Figures::measure(state, size))?;
            let first = *smallest.get_or_insert(figures);
            figures.report(state, size, first, report);
        }
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Ready behind all others.
    Waiting,
    Finished,
}

#[derive(Debug, Clone, Copy)]
struct Figures {
    enqueue: f64,
    p99: f64,
    drain: f64,
    bytes: f64,
}

impl Figures {
    async fn measure(state: State, size: usize) -> Result<Self> {
        let template = filled(state, size).await?;
        let store = Store::on(&template).await?;
        let bytes = std::fs::metadata(store.path())?.len() as f64 / size as f64;
        let mut enqueued = enqueue_from(&store.client, TASKS, ENQUEUED).await?;
        enqueued.times.sort_by(f64::total_cmp);
        store.client.close().await?;
        Ok(Self {
            enqueue: enqueued.rate,
            p99: Percentile::P99.of(&enqueued.times),
            drain: drain(&template, RUNS).await?,
            bytes,
        })
    }

    fn report(self, state: State, size: usize, first: Self, report: &mut Report) {
        let line = |what: &str| {
            let state = match state {
                State::Waiting => "waiting",
                State::Finished => "finished",
            };
            format!("{what}, {size} {state}")
        };
        let rates = [
            ("64 tasks", self.enqueue, first.enqueue),
            ("drain", self.drain, first.drain),
        ];
        for (what, rate, first) in rates {
            if size <= FLAT {
                report.ratio(line(what), rate, first, 0.9);
            } else {
                report.value(line(what), "/s", rate);
            }
        }
        report.value(line("64 tasks, p99"), "us", self.p99);
        report.value(line("a run in the file"), "B", self.bytes);
    }
}

/// What is ready has a lower priority than what is drained then, so that it stays.
async fn filled(state: State, size: usize) -> Result<Template> {
    let store = Store::new().await?;
    for batch in 0..size / BATCH {
        let numbers = (0..BATCH).map(|number| (batch * BATCH + number) as u64);
        let waiting = numbers.map(|number| noop::prepare(number).priority(-1));
        store.client.enqueue_all(waiting).await?;
    }
    let path = store.path();
    let template = store.into_template().await?;
    if state == State::Finished {
        // All at once, two hours before they expire. As failed ones, of which a million is kept: what is too many is pruned
        // meanwhile, which costs what it costs.
        Connection::open(path)?.execute_batch(
            "UPDATE afterhours_runs SET state = 4, attempts = 1, started_at = enqueued_at, finished_at = enqueued_at,
                 expires = (SELECT value FROM afterhours_meta WHERE key = 'clock_seen') + 7200000;
             DELETE FROM afterhours_ready",
        )?;
    }
    Ok(template)
}
