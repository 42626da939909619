//! How long the other workers have not moved, as this one has seen it. Pure; the rescuer brings what it saw.

use std::collections::HashMap;
use std::time::Duration;

use crate::store::{WorkerId, WorkerRow};

/// Looks that are further apart than this say nothing of the time between: whoever looks may have stood still itself.
const LONGEST_STEP: Duration = Duration::from_secs(1);

/// By worker: its last beat, and for how long that was seen to be the last.
#[derive(Debug, Default)]
pub(super) struct Stillness(HashMap<WorkerId, (Option<i64>, Duration)>);

impl Stillness {
    /// For how long this worker has not moved, `passed` after the last look. A worker without claims need not move.
    /// One whose beats cannot be seen does not move.
    pub(super) fn of(
        &mut self,
        worker: &WorkerRow,
        beat: Option<i64>,
        passed: Duration,
    ) -> Duration {
        let still = match self.0.get(&worker.id) {
            Some((last, still)) if *last == beat && (worker.has_claims || beat.is_none()) => {
                *still + passed.min(LONGEST_STEP)
            }
            _ => Duration::ZERO,
        };
        self.0.insert(worker.id, (beat, still));
        still
    }

    /// Forgets workers that are gone.
    pub(super) fn keep_only(&mut self, workers: &[WorkerRow]) {
        self.0
            .retain(|id, _| workers.iter().any(|worker| worker.id == *id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: Duration = Duration::from_millis(500);

    fn worker(has_claims: bool) -> WorkerRow {
        WorkerRow {
            id: WorkerId(1),
            slot: 1,
            lock_file: 1,
            boot: String::new(),
            pid: 1,
            has_claims,
        }
    }

    #[test]
    fn only_a_worker_with_claims_is_still() {
        let mut stillness = Stillness::default();
        for look in 0..10 {
            assert_eq!(stillness.of(&worker(true), Some(7), HALF), HALF * look);
        }
        assert_eq!(stillness.of(&worker(false), Some(7), HALF), Duration::ZERO);
        assert_eq!(stillness.of(&worker(true), Some(7), HALF), HALF);
    }

    #[test]
    fn a_beat_ends_it() {
        let mut stillness = Stillness::default();
        stillness.of(&worker(true), Some(7), HALF);
        assert_eq!(stillness.of(&worker(true), Some(7), HALF), HALF);
        assert_eq!(stillness.of(&worker(true), Some(8), HALF), Duration::ZERO);
        assert_eq!(stillness.of(&worker(true), Some(8), HALF), HALF);
    }

    #[test]
    fn the_time_in_which_nobody_looked_says_nothing() {
        let mut stillness = Stillness::default();
        stillness.of(&worker(true), Some(7), HALF);
        let hour = Duration::from_secs(3600);
        assert_eq!(stillness.of(&worker(true), Some(7), hour), LONGEST_STEP);
    }

    #[test]
    fn one_that_cannot_be_seen_is_still_whatever_it_has() {
        let mut stillness = Stillness::default();
        stillness.of(&worker(false), None, HALF);
        assert_eq!(stillness.of(&worker(false), None, HALF), HALF);
        stillness.keep_only(&[]);
        assert_eq!(stillness.of(&worker(false), None, HALF), Duration::ZERO);
    }
}
