//! Backpressure: how many runs of a queue may wait. Who enqueues more waits a little, and is then refused.
//!
//! To count for each enqueue would cost too much, so a client counts a few times a second, and adds what it has enqueued
//! since. What other processes enqueue meanwhile comes on top of the limit.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::Error;

/// How many runs of a queue may be ready.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueueLimit {
    pub(crate) most: u64,
    /// A queue that was full takes runs again when so few are left.
    pub(crate) low: u64,
}

/// How long a count is good for.
const COUNTED_FOR: Duration = Duration::from_millis(100);
/// How soon somebody counts again while others wait.
pub(crate) const LOOK: Duration = Duration::from_millis(20);

/// The limits of a client, and what it knows of the queues that have one.
#[derive(Debug, Default)]
pub(crate) struct Gates {
    gates: HashMap<String, Gate>,
    /// How long an enqueue waits.
    pub(crate) patience: Duration,
}

#[derive(Debug)]
pub(crate) struct Gate {
    queue: String,
    limit: QueueLimit,
    counted: Mutex<Option<Counted>>,
    /// Enqueued by this client since then.
    added: AtomicU64,
    /// Held by the one who counts, for all who wait for it.
    pub(crate) counting: tokio::sync::Mutex<()>,
}

#[derive(Debug, Clone, Copy)]
struct Counted {
    at: Instant,
    ready: u64,
    is_full: bool,
}

impl Gates {
    pub(crate) fn new(limits: Vec<(String, QueueLimit)>, patience: Duration) -> Self {
        let gate = |(queue, limit): (String, QueueLimit)| {
            let gate = Gate {
                queue: queue.clone(),
                limit,
                counted: Mutex::default(),
                added: AtomicU64::new(0),
                counting: tokio::sync::Mutex::default(),
            };
            (queue, gate)
        };
        Self {
            gates: limits.into_iter().map(gate).collect(),
            patience,
        }
    }

    /// Whether any queue has a limit.
    pub(crate) fn are_some(&self) -> bool {
        !self.gates.is_empty()
    }

    /// That of a queue with a limit.
    pub(crate) fn of(&self, queue: &str) -> Option<&Gate> {
        // Most clients have none.
        if self.gates.is_empty() {
            return None;
        }
        self.gates.get(queue)
    }
}

impl Gate {
    /// No more need to be counted.
    pub(crate) fn most(&self) -> u64 {
        self.limit.most
    }

    /// Whether so many more runs may come in; `None` if somebody has to count first. Those that may are counted in.
    pub(crate) fn admits(&self, runs: u64) -> Option<bool> {
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let known = counted.filter(|counted| {
            let good_for = if counted.is_full { LOOK } else { COUNTED_FOR };
            counted.at.elapsed() < good_for
        })?;
        let added = self.added.load(Ordering::Relaxed);
        // A batch that is larger than the limit would wait in vain: it comes in while there is room for one run.
        let is_admitted = !known.is_full && known.ready + added < self.limit.most;
        if is_admitted {
            self.added.fetch_add(runs, Ordering::Relaxed);
        }
        Some(is_admitted)
    }

    /// Somebody has counted how many are ready.
    pub(crate) fn count(&self, ready: u64) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let was_full = counted.is_some_and(|counted| counted.is_full);
        let is_full = ready >= self.limit.most || was_full && ready > self.limit.low;
        *counted = Some(Counted {
            at: Instant::now(),
            ready,
            is_full,
        });
        self.added.store(0, Ordering::Relaxed);
    }

    pub(crate) fn refuse(&self, waited: Duration) -> Error {
        Error::QueueFull {
            queue: self.queue.clone(),
            limit: self.limit.most,
            waited,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> Gates {
        let limit = QueueLimit { most: 10, low: 6 };
        Gates::new(vec![("mail".to_owned(), limit)], Duration::ZERO)
    }

    #[test]
    fn what_this_client_enqueues_counts_at_once() {
        let gates = gate();
        assert!(gates.of("other").is_none());
        let gate = gates.of("mail").unwrap();
        assert_eq!(gate.admits(1), None, "nobody has counted");
        gate.count(8);
        assert_eq!([gate.admits(1), gate.admits(1)], [Some(true); 2]);
        assert_eq!(gate.admits(1), Some(false));
    }

    #[test]
    fn a_full_queue_takes_runs_again_at_its_low_mark() {
        let gates = gate();
        let gate = gates.of("mail").unwrap();
        for (ready, admits) in [
            (9, true),
            (10, false),
            (9, false),
            (7, false),
            (6, true),
            (9, true),
        ] {
            gate.count(ready);
            assert_eq!(gate.admits(1), Some(admits), "{ready} ready");
        }
    }
}
