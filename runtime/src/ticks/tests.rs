//! Walks that stay short, and moments on either clock.

use super::*;

const HOUR: Millis = 3_600_000;

fn hourly() -> [Ticks; 2] {
    let cron = Cron::parse("0 * * * *", chrono_tz::Europe::Paris).unwrap();
    [Ticks::Every(HOUR), Ticks::Cron(Box::new(cron))]
}

#[test]
fn matches_are_counted_where_they_are_uneven() {
    let cron = Cron::parse("0-2,50 * 0 * * *", chrono_tz::Europe::Paris).unwrap();
    let end = 40 * 24 * HOUR;
    let mut all = Vec::new();
    let mut last = 0;
    while let Some(tick) = next_match(&cron, last).filter(|tick| *tick <= end) {
        all.push(tick);
        last = tick;
    }
    assert!(all.len() > 9000);
    for limit in [1_u32, 2, 3, 4, 5, 239, 240, 241, 5000, 1_000_000] {
        let first = all.len().saturating_sub(limit as usize);
        assert_eq!(
            first_of_latest_matches(&cron, 0, end, limit),
            Some(all[first]),
            "{limit}"
        );
    }
    assert_eq!(first_of_latest_matches(&cron, end - 1, end, 3), None);
}

#[test]
fn a_tick_has_a_time_on_the_wall_clock() {
    let now = Now {
        wall: 10 * HOUR,
        store: 3 * HOUR,
    };
    let [every, cron] = hourly();
    assert_eq!((every.time(now), cron.time(now)), (now.store, now.wall));
    assert_eq!(
        (every.wall(2 * HOUR, now), cron.wall(9 * HOUR, now)),
        (9 * HOUR, 9 * HOUR)
    );
    // The ends of time are no reason to panic.
    for tick in [Millis::MIN, Millis::MAX] {
        let _ = (
            every.wall(tick, now),
            every.following(tick),
            every.is_ahead(tick, now.store),
        );
        let _ = (cron.following(tick), cron.is_ahead(tick, now.wall));
    }
}

#[test]
fn an_interval_that_is_resumed_keeps_its_spacing() {
    let [every, _] = hourly();
    for (last, passed_over) in [
        (None, None),
        (Some(7), Some(7 + 5 * HOUR)),
        (Some(6 * HOUR), Some(6 * HOUR)),
    ] {
        assert_eq!(every.passed_over(last, 5 * HOUR + 30_000), passed_over);
    }
}

#[test]
fn counting_stops_somewhere() {
    for ticks in hourly() {
        assert_eq!(ticks.count_between(0, 3 * HOUR), 2);
        assert_eq!(ticks.count_between(0, HOUR), 0);
        assert_eq!(ticks.count_between(5 * HOUR, HOUR), 0);
        assert_eq!(ticks.count_between(0, 20_000 * HOUR), COUNTED);
    }
}

/// A stranger's last tick, or one of a calendar without bounds: the next tick is near all the same, or there is none.
#[test]
fn after_a_last_tick_however_far_away_the_next_one_is_near() {
    let now = 1_700_000_000_000;
    let far = [Millis::MIN, Millis::MIN + 1, -8_334_601_228_800_000, -1, 0];
    for interval in [1, 7, 1000, HOUR, Millis::MAX / 4] {
        let ticks = Ticks::Every(interval);
        for last in far {
            let next = ticks.next(last, now).unwrap();
            let near = now.saturating_sub(interval)..=now.saturating_add(interval);
            assert!(near.contains(&next), "{next} after {last} at {interval}");
            let latest = ticks.passed_over(Some(last), now).unwrap();
            assert!(
                latest <= now && now - latest < interval.max(now + 2),
                "{latest}"
            );
            if let Some(first) = ticks.first_of_latest(last, last, now, 3) {
                assert!((now - interval.saturating_mul(3)..=now).contains(&first));
            }
        }
        assert!(ticks.next(Millis::MAX, now).is_some());
    }
    for [_, cron] in [hourly()] {
        for last in far {
            let next = cron.next(last, now).unwrap();
            assert!(
                (now - HOUR..=now + HOUR).contains(&next),
                "{next} after {last}"
            );
            let _ = cron.following(last);
            let _ = cron.count_between(last, now);
        }
        for last in [Millis::MAX, 8_210_266_876_799_999] {
            assert_eq!(cron.following(last), None);
        }
    }
}
