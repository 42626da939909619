//! Runs that are claimed before a place is free for them, so that attempts that end quickly need not wait for the store.
//! They are as many as this worker starts within a few milliseconds; none at all where attempts take their time.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::store::ClaimedRun;

/// So much work is claimed ahead.
const HORIZON: Duration = Duration::from_millis(10);
/// But no more runs than this: half of them are claimed in a transaction of one or two milliseconds.
const MOST: usize = 2048;
/// What has not got a place for so long, because attempts take longer than those before, is given back.
const GIVE_BACK: Duration = Duration::from_millis(10);

/// The runs in the order in which they start.
#[derive(Debug, Default)]
pub(super) struct Ahead(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    runs: VecDeque<ClaimedRun>,
    /// When the number of those that wait has last become less, or the first one came.
    moved: Option<Instant>,
    /// At so few the claimer is to claim more.
    few: usize,
}

/// When so few of these are left, more are claimed: while one half is on its way, and the ends of the one before are
/// written with it, the other is executed. If more were left, the writer would claim a little and then wait.
pub(super) fn few(ahead: usize) -> usize {
    ahead.div_ceil(2)
}

/// A run that has waited, for a place that is free.
#[derive(Debug)]
pub(super) struct Next {
    pub(super) run: ClaimedRun,
    /// Not many are left.
    pub(super) is_few: bool,
}

impl Ahead {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn len(&self) -> usize {
        self.lock().runs.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().runs.is_empty()
    }

    /// Adds runs for which there was no place.
    pub(super) fn add(&self, runs: impl Iterator<Item = ClaimedRun>, now: Instant) {
        let mut waiting = self.lock();
        let were_none = waiting.runs.is_empty();
        waiting.runs.extend(runs);
        waiting.few = few(waiting.runs.len());
        if were_none {
            waiting.moved = Some(now);
        }
    }

    pub(super) fn take(&self, now: Instant) -> Option<Next> {
        let mut waiting = self.lock();
        let run = waiting.runs.pop_front()?;
        waiting.moved = Some(now);
        let is_few = waiting.runs.len() == waiting.few;
        Some(Next { run, is_few })
    }

    pub(super) fn take_all(&self) -> Vec<ClaimedRun> {
        self.lock().runs.drain(..).collect()
    }

    /// Whether those that wait have waited for too long.
    pub(super) fn is_stuck(&self, now: Instant) -> bool {
        let waiting = self.lock();
        !waiting.runs.is_empty()
            && waiting
                .moved
                .is_some_and(|moved| now.saturating_duration_since(moved) >= GIVE_BACK)
    }
}

/// How many attempts have ended lately.
#[derive(Debug)]
pub(super) struct Pace {
    /// The places of this worker.
    places: usize,
    since: Instant,
    /// In the time since then.
    ended: usize,
    /// In `HORIZON`.
    rate: u128,
}

/// A worker with few places is no faster for a handful of quick attempts.
const HANDFUL: usize = 8;

impl Pace {
    pub(super) fn new(places: usize, now: Instant) -> Self {
        Self {
            places,
            since: now,
            ended: 0,
            rate: 0,
        }
    }

    /// Takes in how many attempts have ended since the last time.
    pub(super) fn ended(&mut self, attempts: usize, now: Instant) {
        self.ended += attempts;
        let took = now.saturating_duration_since(self.since);
        // A moment in which as many have ended as there are places says enough, a shorter one nothing.
        if took >= HORIZON || self.ended >= self.places.max(HANDFUL) {
            let took = took.as_micros().max(100);
            let sample = HORIZON.as_micros() * self.ended as u128 / took;
            // Half of what was known counts on, so that one good moment does not make a rate.
            self.rate = (self.rate + sample) / 2;
            (self.since, self.ended) = (now, 0);
        }
    }

    /// Nothing is known of what comes now.
    pub(super) fn forget(&mut self) {
        self.rate = 0;
    }

    /// So many runs are claimed before their places are free: none where a place is taken for as long as that.
    pub(super) fn ahead(&self) -> usize {
        let runs = usize::try_from(self.rate).unwrap_or(MOST).min(MOST);
        if runs < (2 * self.places).clamp(HANDFUL, MOST) {
            return 0;
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(places: usize, attempts: usize, took: Duration) -> usize {
        let start = Instant::now();
        let mut pace = Pace::new(places, start);
        for round in 1..=200 {
            pace.ended(attempts, start + took * round);
        }
        pace.ahead()
    }

    #[test]
    fn as_much_is_claimed_ahead_as_starts_within_the_horizon() {
        let ms = Duration::from_millis;
        assert_eq!(after(64, 0, ms(1)), 0);
        assert_eq!(after(64, 64, ms(1000)), 0, "64 places, a second each");
        assert_eq!(after(64, 64, ms(10)), 0, "64 places, 10 ms each");
        assert_eq!(after(64, 64, ms(4)), 159, "64 places, 4 ms each");
        assert_eq!(after(64, 64, ms(1)), 639);
        assert_eq!(
            after(64, 7, Duration::from_micros(110)),
            635,
            "in small steps"
        );
        assert_eq!(after(64, 64, Duration::ZERO), MOST);
        assert_eq!(after(1, 1, ms(10)), 0);
        assert_eq!(after(1, 1, ms(1)), 9);
        assert_eq!(
            after(5000, 5000, ms(1)),
            MOST,
            "more places than are ever claimed ahead"
        );
    }

    #[test]
    fn a_few_quick_attempts_make_no_pace() {
        let start = Instant::now();
        let mut pace = Pace::new(1, start);
        for round in 1..8 {
            pace.ended(1, start + Duration::from_micros(50) * round);
            assert_eq!(pace.ahead(), 0);
        }
    }

    #[test]
    fn more_is_claimed_before_nothing_is_left() {
        assert_eq!([0, 1, 2, 9, 100].map(few), [0, 1, 1, 5, 50]);
    }

    #[test]
    fn one_burst_is_soon_forgotten() {
        let start = Instant::now();
        let mut pace = Pace::new(64, start);
        pace.ended(64, start + Duration::from_millis(1));
        assert_eq!(pace.ahead(), 320);
        pace.ended(0, start + Duration::from_millis(50));
        assert_eq!(pace.ahead(), 160);
        pace.ended(0, start + Duration::from_millis(100));
        assert_eq!(pace.ahead(), 0);
        pace.ended(64, start + Duration::from_millis(101));
        pace.forget();
        assert_eq!(pace.ahead(), 0);
    }
}
