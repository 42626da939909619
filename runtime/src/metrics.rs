//! What is counted and timed, for whatever recorder the application has installed with the `metrics` facade. The names,
//! and what they mean, are here and in `docs/operating.md`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use crate::counters::Count;
use crate::stats::Stats;
use crate::store::Ending;

/// What attempts and ticks count as, in the order of [`Count`]; what comes after these is not by job.
const BY_JOB: [&str; 8] = [
    "afterhours_started_total",
    "afterhours_succeeded_total",
    "afterhours_failed_total",
    "afterhours_timed_out_total",
    "afterhours_panicked_total",
    "afterhours_retried_total",
    "afterhours_snoozed_total",
    "afterhours_skipped_total",
];
const ENQUEUED: &str = "afterhours_enqueued_total";
const ENQUEUE_SECONDS: &str = "afterhours_enqueue_seconds";
const WAIT_SECONDS: &str = "afterhours_wait_seconds";
const RUN_SECONDS: &str = "afterhours_run_seconds";
const ACTIVE: &str = "afterhours_active";
const RESCUED: &str = "afterhours_rescued_total";
const READY: &str = "afterhours_ready";
const SCHEDULED: &str = "afterhours_scheduled";
const OLDEST_READY: &str = "afterhours_oldest_ready_seconds";
const WAL_BYTES: &str = "afterhours_wal_bytes";

/// What a client and its workers count, by job and queue. The recorder is asked for each series once, so it has to be
/// there before the client is opened; without one nothing is recorded.
pub(crate) struct Metrics {
    /// No other client of the process has this number.
    number: u64,
    series: RwLock<HashMap<String, HashMap<String, Arc<Series>>>>,
}

/// A series that a thread has used, so that it finds it again without asking others.
struct Near {
    client: u64,
    job: &'static str,
    queue: Box<str>,
    series: Arc<Series>,
}

const NEAR: usize = 8;

thread_local! {
    /// By the address of the job's name, which is static.
    static NEAREST: RefCell<[Option<Near>; NEAR]> = const { RefCell::new([const { None }; NEAR]) };
}

impl Default for Metrics {
    fn default() -> Self {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        Self {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            series: RwLock::default(),
        }
    }
}

/// Those of one job in one queue.
pub(crate) struct Series {
    enqueued: Counter,
    enqueue_seconds: Histogram,
    /// In the order of [`BY_JOB`].
    counts: [Counter; BY_JOB.len()],
    wait_seconds: Histogram,
    run_seconds: Histogram,
    active: Gauge,
}

impl Metrics {
    /// Writes something down for a job in a queue.
    pub(crate) fn of(&self, job: &'static str, queue: &str, write: impl FnOnce(&Series)) {
        let mut write = Some(write);
        // A thread that ends has nothing near any more.
        let _ = NEAREST.try_with(|nearest| {
            // A recorder that enqueues finds the place taken.
            if let Ok(mut nearest) = nearest.try_borrow_mut()
                && let Some(write) = write.take()
            {
                let at = job.as_ptr().addr() / align_of::<usize>() % NEAR;
                let found = nearest[at].take().filter(|near| {
                    let is_it = near.client == self.number && std::ptr::eq(near.job, job);
                    is_it && *near.queue == *queue
                });
                let near = found.unwrap_or_else(|| Near {
                    client: self.number,
                    job,
                    queue: queue.into(),
                    series: self.find(job, queue),
                });
                write(&near.series);
                nearest[at] = Some(near);
            }
        });
        if let Some(write) = write {
            write(&self.find(job, queue));
        }
    }

    fn find(&self, job: &str, queue: &str) -> Arc<Series> {
        let known = self.series.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = known.get(job).and_then(|queues| queues.get(queue)) {
            return Arc::clone(series);
        }
        drop(known);
        let mut known = self.series.write().unwrap_or_else(PoisonError::into_inner);
        let queues = known.entry(job.to_owned()).or_default();
        let series = queues.entry(queue.to_owned());
        Arc::clone(series.or_insert_with(|| Arc::new(Series::new(job, queue))))
    }
}

impl Series {
    fn new(job: &str, queue: &str) -> Self {
        let labels = || [("job", job.to_owned()), ("queue", queue.to_owned())];
        let count = |name| counter!(name, &labels());
        let time = |name| histogram!(name, &labels());
        Self {
            enqueued: count(ENQUEUED),
            enqueue_seconds: time(ENQUEUE_SECONDS),
            counts: BY_JOB.map(count),
            wait_seconds: time(WAIT_SECONDS),
            run_seconds: time(RUN_SECONDS),
            active: gauge!(ACTIVE, &labels()),
        }
    }

    /// So many were stored, in one call that took so long.
    pub(crate) fn enqueued(&self, runs: u64, took: Duration) {
        self.enqueued.increment(runs);
        self.enqueue_seconds.record(took);
    }

    /// An attempt starts, so long after its run was due.
    pub(crate) fn started(&self, waited: Duration) {
        self.count(Count::Started);
        self.active.increment(1);
        self.wait_seconds.record(waited);
    }

    /// An attempt has ended.
    pub(crate) fn ended(&self, ending: &Ending, ran: Duration) {
        self.active.decrement(1);
        self.run_seconds.record(ran);
        Count::of(ending).for_each(|count| self.count(count));
    }

    /// One more of these.
    pub(crate) fn count(&self, count: Count) {
        if let Some(counter) = self.counts.get(count as usize) {
            counter.increment(1);
        }
    }
}

/// Runs were taken back from a worker that was lost.
pub(crate) fn rescued(runs: u32) {
    counter!(RESCUED).increment(runs.into());
}

/// Somebody has looked at the store.
#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a float, and a count of 2^53 is none"
)]
pub(crate) fn looked(stats: &Stats) {
    for queue in &stats.queues {
        gauge!(READY, "queue" => queue.name.clone()).set(queue.ready as f64);
    }
    gauge!(SCHEDULED).set(stats.scheduled as f64);
    gauge!(OLDEST_READY).set(stats.oldest_ready.unwrap_or_default().as_secs_f64());
    gauge!(WAL_BYTES).set(stats.wal_size as f64);
}
