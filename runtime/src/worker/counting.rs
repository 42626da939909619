//! What a worker counts for others to see, and when that is written down.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::clock::Millis;
use crate::counters::{Count, Page, Record};
use crate::store::Settlement;

/// Its counts, and where they are written.
#[derive(Debug)]
pub(super) struct Counting {
    counts: [AtomicU64; Count::ALL.len()],
    /// Something was counted since they were written.
    is_due: AtomicBool,
    started_at: Millis,
    concurrency: u64,
    /// None in memory, or where the file cannot be opened.
    page: Option<Page>,
    /// Somebody was told that it cannot be written; once is enough.
    has_failed: AtomicBool,
}

impl Counting {
    /// For a worker of the store at this path, in this slot of its lock file.
    pub(super) fn new(store: Option<&Path>, slot: i64, concurrency: usize, now: Millis) -> Self {
        let opened = store.map(|store| Page::open(store, slot)).transpose();
        let counting = Self {
            counts: Default::default(),
            is_due: AtomicBool::new(false),
            started_at: now,
            concurrency: concurrency as u64,
            page: None,
            has_failed: AtomicBool::new(false),
        };
        match opened {
            Ok(page) => Self { page, ..counting },
            Err(error) => {
                counting.warn(&error);
                counting
            }
        }
    }

    /// Counts. True for the first since they were written: then somebody should write them.
    pub(super) fn add(&self, count: Count, times: u64) -> bool {
        self.counts[count as usize].fetch_add(times, Ordering::SeqCst);
        self.is_first()
    }

    /// Whoever writes says that nothing is due, then reads; whoever counts does so, then looks here. In one order for all,
    /// so that one of them sees the other.
    fn is_first(&self) -> bool {
        !self.is_due.load(Ordering::SeqCst) && !self.is_due.swap(true, Ordering::SeqCst)
    }

    /// Counts how attempts ended that are at work no more; true as above, also if their ends count as nothing.
    pub(super) fn add_ends(&self, ended: &[Settlement]) -> bool {
        let mut sums = [0; Count::ALL.len()];
        for count in ended.iter().flat_map(|end| Count::of(&end.ending)) {
            sums[count as usize] += 1;
        }
        for (count, sum) in self.counts.iter().zip(sums) {
            count.fetch_add(sum, Ordering::SeqCst);
        }
        self.is_first()
    }

    /// Writes them down, if there is where, with how many attempts are at work.
    pub(super) fn write(&self, active: impl FnOnce() -> usize, now: Millis) {
        // Before anything is read: what is counted meanwhile is due again.
        self.is_due.store(false, Ordering::SeqCst);
        let record = Record {
            pid: std::process::id(),
            started_at: self.started_at,
            written_at: now,
            concurrency: self.concurrency,
            active: active() as u64,
            counts: std::array::from_fn(|at| self.counts[at].load(Ordering::SeqCst)),
        };
        if let Some(Err(error)) = self.page.as_ref().map(|page| page.write(&record)) {
            self.warn(&error);
        }
    }

    /// The worker is gone.
    pub(super) fn clear(&self) {
        if let Some(Err(error)) = self.page.as_ref().map(Page::clear) {
            self.warn(&error);
        }
    }

    fn warn(&self, error: &std::io::Error) {
        if !self.has_failed.swap(true, Ordering::Relaxed) {
            tracing::warn!(target: "afterhours", error = error as &dyn std::error::Error, "what this worker counts cannot be written down for others to see");
        }
    }
}
