//! The two times a store lives by, and who tells them. Nothing else in the crate asks the system for the time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[cfg(any(test, feature = "testing"))]
mod manual;

#[cfg(any(test, feature = "testing"))]
pub use manual::ManualClock;

/// Milliseconds, the one unit of time in the store.
pub(crate) type Millis = i64;

/// One moment on both clocks, handed to everything that needs to know the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Now {
    /// Milliseconds since 1970 on the wall clock, which can be set back and forward.
    pub(crate) wall: Millis,
    /// Milliseconds on the store's clock, which only runs forward and never jumps while the machine is up.
    pub(crate) store: Millis,
}

/// Tells the time and waits: the system's clock, or one that a test moves by hand.
#[derive(Debug, Clone, Default)]
pub(crate) enum Clock {
    /// The system's clocks.
    #[default]
    System,
    /// A clock that stands still until it is moved.
    #[cfg(any(test, feature = "testing"))]
    Manual(std::sync::Arc<ManualClock>),
}

impl Clock {
    /// Milliseconds since 1970.
    pub(crate) fn wall(&self) -> Millis {
        match self {
            Self::System => to_millis(SystemTime::now()),
            #[cfg(any(test, feature = "testing"))]
            Self::Manual(clock) => clock.read().wall,
        }
    }

    /// Milliseconds since this machine started; counts on while it is suspended.
    pub(crate) fn boot(&self) -> Millis {
        match self {
            Self::System => system::since_boot(),
            #[cfg(any(test, feature = "testing"))]
            Self::Manual(clock) => clock.read().boot,
        }
    }

    /// Which boot [`Clock::boot`] counts from.
    pub(crate) fn boot_id(&self) -> String {
        match self {
            Self::System => system::boot_id(),
            #[cfg(any(test, feature = "testing"))]
            Self::Manual(_) => "manual".to_owned(),
        }
    }

    /// Waits for the next of the moments that are this far apart, which are the same for all who wait so.
    pub(crate) async fn beat(&self, period: Duration) {
        match self {
            Self::System => tokio::time::sleep(next_beat(period)).await,
            #[cfg(any(test, feature = "testing"))]
            Self::Manual(clock) => clock.sleep(period).await,
        }
    }

    /// Waits until `duration` has passed on this clock.
    pub(crate) async fn sleep(&self, duration: Duration) {
        match self {
            Self::System => nap(duration, system::since_boot).await,
            #[cfg(any(test, feature = "testing"))]
            Self::Manual(clock) => clock.sleep(duration).await,
        }
    }
}

/// Which boot of which machine this process runs in.
pub(crate) fn this_boot() -> String {
    system::boot_id()
}

/// The end of a suspension of the machine is noticed this soon.
const SUSPENSION_LOOK: Duration = Duration::from_secs(1);

/// A runtime's timers stand still while the machine is suspended; what is due by the clock since boot is due all the
/// same, so that one is looked at too.
async fn nap(duration: Duration, boot: impl Fn() -> Millis) {
    let mut now = boot();
    let due = now.saturating_add(duration_millis(duration));
    let mut timer = std::pin::pin!(tokio::time::sleep(duration));
    loop {
        let look = until_beat(SUSPENSION_LOOK, now);
        if tokio::time::timeout(look, &mut timer).await.is_ok() {
            return;
        }
        now = boot();
        if now >= due {
            return;
        }
    }
}

/// How long until the next multiple of `period`. Those who only look from time to time look at these moments, so that an
/// idle process wakes up once for all of them.
fn until_beat(period: Duration, boot: Millis) -> Duration {
    let period = duration_millis(period).max(1);
    until(period, boot.rem_euclid(period))
}

/// As [`until_beat`], from now on.
pub(crate) fn next_beat(period: Duration) -> Duration {
    until_beat(period, system::since_boot())
}

/// Milliseconds since 1970; moments before count below zero.
pub(crate) fn to_millis(time: SystemTime) -> Millis {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => duration_millis(since),
        Err(before) => -duration_millis(before.duration()),
    }
}

/// The moment that [`to_millis`] came from.
pub(crate) fn from_millis(millis: Millis) -> SystemTime {
    let distance = Duration::from_millis(millis.unsigned_abs());
    let time = if millis >= 0 {
        UNIX_EPOCH.checked_add(distance)
    } else {
        UNIX_EPOCH.checked_sub(distance)
    };
    time.unwrap_or(UNIX_EPOCH)
}

/// Whole milliseconds, rounded up so that nothing starts early, and bounded so that sums cannot overflow.
pub(crate) fn duration_millis(duration: Duration) -> Millis {
    const LONGEST: Millis = i64::MAX / 4;
    let millis = duration.as_nanos().div_ceil(1_000_000);
    Millis::try_from(millis).unwrap_or(LONGEST).min(LONGEST)
}

/// How long until `due`; nothing if it has passed.
pub(crate) fn until(due: Millis, now: Millis) -> Duration {
    Duration::from_millis(u64::try_from(due.saturating_sub(now)).unwrap_or(0))
}

#[cfg(target_os = "linux")]
mod system {
    use super::Millis;
    use nix::time::{ClockId, clock_gettime};

    pub(super) fn since_boot() -> Millis {
        // The kernel always has this clock; a zero would only make delays count from the boot.
        clock_gettime(ClockId::CLOCK_BOOTTIME)
            .map_or(0, |time| time.tv_sec() * 1000 + time.tv_nsec() / 1_000_000)
    }

    pub(super) fn boot_id() -> String {
        std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .map_or_else(|_| "unknown".to_owned(), |id| id.trim().to_owned())
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::Millis;

    /// Without a clock that counts from the boot, elapsed time is read from the wall clock.
    pub(super) fn since_boot() -> Millis {
        super::to_millis(std::time::SystemTime::now())
    }

    pub(super) fn boot_id() -> String {
        "wall".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test(start_paused = true)]
    async fn a_suspended_machine_is_noticed_within_a_second() {
        const HOUR: Duration = Duration::from_secs(3600);
        for (suspended_after, expected) in [
            (Duration::ZERO, SUSPENSION_LOOK),
            (HOUR / 2, HOUR / 2),
            (2 * HOUR, HOUR),
        ] {
            let since = tokio::time::Instant::now();
            let suspended = Cell::new(Duration::ZERO);
            let boot = || {
                let awake = since.elapsed();
                let now = awake + suspended.get();
                if awake >= suspended_after {
                    // From the next look on it is hours later, and no timer has run.
                    suspended.set(3 * HOUR);
                }
                duration_millis(now)
            };
            nap(HOUR, boot).await;
            let took = since.elapsed();
            assert!(
                (expected..=expected + SUSPENSION_LOOK).contains(&took),
                "{took:?}"
            );
        }
    }

    #[test]
    fn millis_round_trip_and_round_up() {
        for millis in [0, 1, -1, 1_700_000_000_123, -5_000_000_000_000] {
            assert_eq!(to_millis(from_millis(millis)), millis);
        }
        assert_eq!(duration_millis(Duration::from_nanos(1)), 1);
        assert!(duration_millis(Duration::MAX) > 0);
        assert_eq!(from_millis(i64::MIN), from_millis(i64::MIN));
    }
}
