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
const LOOK: Duration = Duration::from_millis(20);

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

    /// As most clients have it: no queue has a limit.
    pub(crate) fn are_none(&self) -> bool {
        self.gates.is_empty()
    }

    /// That of a queue with a limit.
    pub(crate) fn of(&self, queue: &str) -> Option<&Gate> {
        self.gates.get(queue)
    }
}

impl Gate {
    /// No more need to be counted.
    pub(crate) fn most(&self) -> u64 {
        self.limit.most
    }

    /// What to do for so many runs that have waited so long. Those that may come in are counted in.
    pub(crate) fn step(&self, runs: u64, waited: Duration, patience: Duration) -> Step {
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let known = counted.filter(|counted| {
            let good_for = if counted.is_full { LOOK } else { COUNTED_FOR };
            counted.at.elapsed() < good_for
        });
        let Some(known) = known else {
            return Step::Count;
        };
        let added = self.added.load(Ordering::Relaxed);
        // A batch that is larger than the limit would wait in vain: it comes in while there is room for one run.
        if !known.is_full && known.ready + added < self.limit.most {
            self.added.fetch_add(runs, Ordering::Relaxed);
            return Step::Enter;
        }
        let left = patience.saturating_sub(waited);
        if left.is_zero() {
            return Step::Refused(Error::QueueFull {
                queue: self.queue.clone(),
                limit: self.limit.most,
                waited,
            });
        }
        Step::Wait(left.min(LOOK))
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
}

/// What comes next for somebody who enqueues.
#[derive(Debug)]
pub(crate) enum Step {
    Enter,
    /// Nobody knows how full it is.
    Count,
    Wait(Duration),
    Refused(Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> Gates {
        let limit = QueueLimit { most: 10, low: 6 };
        Gates::new(vec![("mail".to_owned(), limit)], Duration::ZERO)
    }

    /// Whether one more run comes in; `None` if somebody has to count first.
    fn enters(gate: &Gate) -> Option<bool> {
        match gate.step(1, Duration::ZERO, Duration::ZERO) {
            Step::Enter => Some(true),
            Step::Refused(_) => Some(false),
            Step::Count => None,
            Step::Wait(_) => unreachable!("nobody has patience"),
        }
    }

    #[test]
    fn what_this_client_enqueues_counts_at_once() {
        let gates = gate();
        assert!(gates.of("other").is_none());
        let gate = gates.of("mail").unwrap();
        assert_eq!(enters(gate), None, "nobody has counted");
        gate.count(8);
        assert_eq!([enters(gate), enters(gate)], [Some(true); 2]);
        assert_eq!(enters(gate), Some(false));
        let waits = gate.step(1, Duration::ZERO, 2 * LOOK);
        assert!(matches!(waits, Step::Wait(LOOK)), "{waits:?}");
    }

    #[test]
    fn a_full_queue_takes_runs_again_at_its_low_mark() {
        let gates = gate();
        let gate = gates.of("mail").unwrap();
        for (ready, enters_then) in [
            (9, true),
            (10, false),
            (9, false),
            (7, false),
            (6, true),
            (9, true),
        ] {
            gate.count(ready);
            assert_eq!(enters(gate), Some(enters_then), "{ready} ready");
        }
    }
}
