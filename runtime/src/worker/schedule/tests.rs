//! When schedules tick, and what they make up for.

use super::*;
use crate::job::{JobDef, ScheduleDef};
use crate::schedules::{of_job, read};

const MINUTE: Millis = 60_000;
const HOUR: Millis = 60 * MINUTE;

fn schedule(def: ScheduleDef) -> Schedule {
    of(JobDef {
        schedule: Some(def),
        ..job()
    })
}

fn job() -> JobDef {
    JobDef::scheduled("job", "file.rs", 1, |_| unreachable!("never started"))
}

fn of(job: JobDef) -> Schedule {
    with(job, true)
}

fn with(job: JobDef, goes_first: bool) -> Schedule {
    let row = of_job(Box::leak(Box::new(job))).unwrap().unwrap();
    let rule = read(&row.rule).unwrap();
    Schedule::new(&row, Ticks::from(&rule), goes_first)
}

fn at(now: Millis) -> Now {
    Now {
        wall: now,
        store: now,
    }
}

fn present(at: Millis) -> Upcoming {
    Upcoming {
        at,
        part: Part::Present,
    }
}

fn check(def: ScheduleDef, last: Option<Millis>, now: Millis, expected: Millis) {
    assert_eq!(
        schedule(def).next(last, at(now), Duration::from_millis(7)),
        Some(present(expected))
    );
}

#[test]
fn intervals_keep_their_spacing_and_skip_what_was_missed() {
    let hourly = ScheduleDef::Every(Duration::from_secs(3600));
    check(hourly, None, 100, 107);
    check(hourly, Some(0), 1, HOUR);
    check(hourly, Some(0), HOUR, HOUR);
    check(hourly, Some(0), HOUR + 4 * MINUTE, HOUR);
    check(hourly, Some(0), HOUR + 5 * MINUTE, 2 * HOUR);
    check(hourly, Some(0), 5 * HOUR + 30 * MINUTE, 6 * HOUR);
    check(hourly, Some(HOUR), 0, 2 * HOUR);
}

#[test]
fn expressions_follow_the_wall_clock_and_skip_what_was_missed() {
    let hourly = ScheduleDef::Cron {
        expression: "0 * * * *",
        timezone: "UTC",
    };
    check(hourly, None, 1, HOUR);
    check(hourly, None, HOUR, 2 * HOUR);
    check(hourly, Some(0), HOUR + MINUTE, HOUR);
    check(hourly, Some(HOUR), HOUR + MINUTE, 2 * HOUR);
    check(hourly, Some(0), 5 * HOUR + 30 * MINUTE, 6 * HOUR);
    // The clock was set back: silence until it passes the last tick.
    check(hourly, Some(5 * HOUR), HOUR, 6 * HOUR);
    let minutely = ScheduleDef::Cron {
        expression: "* * * * *",
        timezone: "UTC",
    };
    check(minutely, Some(0), 10 * MINUTE + 29_000, 10 * MINUTE);
    check(minutely, Some(0), 10 * MINUTE + 31_000, 11 * MINUTE);
}

#[test]
fn of_all_workers_one_goes_first() {
    for total in 1..=4 {
        let goes_first = |index: &u32| {
            Seat {
                index: *index,
                total,
            }
            .goes_first("job", None)
        };
        let first: Vec<_> = (1..=total).filter(goes_first).collect();
        assert_eq!(first, [crc32fast::hash(b"job") % total + 1]);
    }
    for def in HOURLY {
        let job = || JobDef {
            schedule: Some(def),
            ..job()
        };
        assert_eq!(with(job(), true).handicap, 0);
        assert_eq!(with(job(), false).handicap, 750);
    }
    // Another worker must not take over from one that is on time, nor after the next tick.
    let quick = ScheduleDef::Every(Duration::from_millis(100));
    let quick = with(
        JobDef {
            schedule: Some(quick),
            ..job()
        },
        false,
    );
    assert_eq!(quick.handicap, 50);
}

#[test]
fn a_last_tick_more_than_a_day_ahead_is_no_tick_of_this_clock() {
    const DAY: Millis = 24 * HOUR;
    for def in HOURLY {
        let schedule = schedule(def);
        // A day and, for an interval, its own length.
        let near = schedule.next(Some(1000 * DAY + DAY), at(1000 * DAY), Duration::ZERO);
        assert_eq!(near, Some(present(1000 * DAY + DAY + HOUR)));
        let far = schedule.next(Some(1010 * DAY), at(1000 * DAY), Duration::ZERO);
        let first = if schedule.is_wall() {
            1000 * DAY + HOUR
        } else {
            1000 * DAY
        };
        assert_eq!(far, Some(present(first)));
    }
}

#[test]
fn what_nobody_fires_is_counted() {
    for def in HOURLY {
        let schedule = schedule(def);
        assert_eq!(schedule.missed_before(None, 5 * HOUR), 0);
        for (last, tick, missed) in [(0, 1, 0), (0, 5, 4), (5, 5, 0), (9, 5, 0)] {
            assert_eq!(
                schedule.missed_before(Some(last * HOUR), tick * HOUR),
                missed
            );
        }
        assert_eq!(schedule.missed_before(Some(0), 1_000_000 * HOUR), 10_000);
    }
}

/// Hourly by interval and by expression.
const HOURLY: [ScheduleDef; 2] = [
    ScheduleDef::Every(Duration::from_secs(3600)),
    ScheduleDef::Cron {
        expression: "0 * * * *",
        timezone: "Europe/Paris",
    },
];
const EACH_SECOND: [ScheduleDef; 2] = [
    ScheduleDef::Every(Duration::from_secs(1)),
    ScheduleDef::Cron {
        expression: "* * * * * *",
        timezone: "UTC",
    },
];

/// What fires from `last` on, while no time passes; then the first tick to come.
fn made_up(schedule: &Schedule, last: Millis, now: Millis) -> (Vec<Millis>, Millis) {
    let mut ticks = Vec::new();
    let mut tick = schedule.next(Some(last), at(now), Duration::ZERO).unwrap();
    while tick.at <= now {
        ticks.push(tick.at);
        tick = schedule.go_on(tick.part, tick.at, at(now)).unwrap();
    }
    assert_eq!(tick.part, Part::Present);
    (ticks, tick.at)
}

/// Last fired at 0.
fn check_missed(job: &dyn Fn() -> JobDef, now: Millis, expected: &[Millis]) {
    for def in HOURLY {
        let schedule = of(JobDef {
            schedule: Some(def),
            ..job()
        });
        let expected = expected.iter().map(|hour| hour * HOUR).collect();
        let next = (now / HOUR + 1) * HOUR;
        assert_eq!(made_up(&schedule, 0, now), (expected, next), "{def:?}");
    }
}

fn run_all(limit: Option<u32>, window: Option<Millis>) -> JobDef {
    JobDef {
        missed: Missed::RunAll,
        missed_limit: limit,
        missed_window: window.map(|window| Duration::from_millis(window.unsigned_abs())),
        ..job()
    }
}

fn run_once(window: Option<Millis>) -> JobDef {
    JobDef {
        missed: Missed::RunOnce,
        ..run_all(None, window)
    }
}

const FIVE_AND_A_HALF: Millis = 5 * HOUR + 30 * MINUTE;

#[test]
fn a_job_that_skips_makes_up_for_nothing() {
    check_missed(&job, FIVE_AND_A_HALF, &[]);
    check_missed(&job, 5 * HOUR + MINUTE, &[5]);
}

#[test]
fn one_run_makes_up_for_all_with_the_latest_tick() {
    check_missed(&|| run_once(None), FIVE_AND_A_HALF, &[5]);
    check_missed(&|| run_once(Some(HOUR)), FIVE_AND_A_HALF, &[5]);
    check_missed(&|| run_once(Some(29 * MINUTE)), FIVE_AND_A_HALF, &[]);
    // The one that is late is that one.
    check_missed(&|| run_once(None), 5 * HOUR + MINUTE, &[5]);
    check_missed(&|| run_once(Some(1)), 5 * HOUR + MINUTE, &[5]);
    check_missed(&|| run_once(None), 30 * MINUTE, &[]);
}

#[test]
fn all_that_was_missed_comes_oldest_first() {
    check_missed(&|| run_all(None, None), FIVE_AND_A_HALF, &[1, 2, 3, 4, 5]);
    check_missed(&|| run_all(None, None), HOUR + 5 * MINUTE, &[1]);
    check_missed(&|| run_all(None, None), 30 * MINUTE, &[]);
    check_missed(&|| run_all(None, None), 5 * HOUR, &[1, 2, 3, 4, 5]);
}

#[test]
fn the_latest_are_kept_where_there_is_a_limit() {
    check_missed(&|| run_all(Some(3), None), FIVE_AND_A_HALF, &[3, 4, 5]);
    check_missed(
        &|| run_all(Some(5), None),
        FIVE_AND_A_HALF,
        &[1, 2, 3, 4, 5],
    );
    check_missed(&|| run_all(Some(1), None), FIVE_AND_A_HALF, &[5]);
    check_missed(&|| run_all(Some(0), None), FIVE_AND_A_HALF, &[]);
    check_missed(&|| run_all(Some(3), None), 5 * HOUR + MINUTE, &[3, 4, 5]);
    let latest: Vec<_> = (401..=500).collect();
    check_missed(&|| run_all(None, None), 500 * HOUR + 6 * MINUTE, &latest);
}

#[test]
fn none_is_older_than_the_window() {
    check_missed(&|| run_all(None, Some(2 * HOUR)), FIVE_AND_A_HALF, &[4, 5]);
    check_missed(&|| run_all(None, Some(2 * HOUR)), 5 * HOUR, &[4, 5]);
    check_missed(&|| run_all(Some(1), Some(2 * HOUR)), FIVE_AND_A_HALF, &[5]);
    check_missed(&|| run_all(None, Some(HOUR / 3)), FIVE_AND_A_HALF, &[]);
    check_missed(&|| run_all(None, Some(HOUR)), 5 * HOUR + MINUTE, &[5]);
}

#[test]
fn a_schedule_without_a_last_tick_has_missed_nothing() {
    for def in HOURLY {
        let schedule = of(JobDef {
            schedule: Some(def),
            ..run_all(None, None)
        });
        let next = schedule.next(None, at(FIVE_AND_A_HALF), Duration::ZERO);
        assert_eq!(next.unwrap().part, Part::Present);
        assert!(next.unwrap().at >= FIVE_AND_A_HALF);
    }
}

#[test]
fn a_year_of_seconds_is_not_walked_through() {
    const YEAR: Millis = 365 * 24 * HOUR;
    for def in EACH_SECOND {
        let schedule = of(JobDef {
            schedule: Some(def),
            ..run_all(Some(3), None)
        });
        let started = std::time::Instant::now();
        let (ticks, _) = made_up(&schedule, 0, YEAR + 700);
        assert_eq!(ticks, [YEAR - 2000, YEAR - 1000, YEAR]);
        assert!(started.elapsed() < Duration::from_secs(2), "{def:?}");
    }
}

#[test]
fn only_the_backlog_overlaps_by_itself() {
    let backlog = Part::Backlog { until: 0 };
    let check = |job: JobDef, part, expected| {
        let schedule = of(JobDef {
            schedule: Some(HOURLY[0]),
            ..job
        });
        assert_eq!(schedule.overlap(part), expected);
    };
    check(run_all(None, None), backlog, Overlap::Allow);
    check(run_all(None, None), Part::Present, Overlap::Skip);
    check(run_once(None), backlog, Overlap::Skip);
    let allowed = JobDef {
        overlap: Overlap::Allow,
        ..job()
    };
    check(allowed, Part::Present, Overlap::Allow);
}

#[test]
fn a_machine_that_slept_has_missed_its_tick() {
    for def in HOURLY {
        let schedule = schedule(def);
        let slept = |now| schedule.has_slept(present(HOUR), at(now));
        assert!(!slept(0));
        assert!(!slept(HOUR + 4 * MINUTE));
        assert!(slept(HOUR + 5 * MINUTE));
        let part = Part::Backlog { until: HOUR };
        assert!(!schedule.has_slept(Upcoming { at: HOUR, part }, at(9 * HOUR)));
    }
    let busy = schedule(EACH_SECOND[0]);
    assert!(!busy.has_slept(present(0), at(5000)));
    assert!(busy.has_slept(present(0), at(5001)));
}

#[test]
fn a_job_can_name_the_worker_that_goes_first() {
    let first = |worker, total| {
        let goes = |index| Seat { index, total }.goes_first("job", worker);
        (1..=total).filter(|index| goes(*index)).collect::<Vec<_>>()
    };
    for total in 1..=4 {
        let spread = first(None, total);
        for worker in 1..=total {
            assert_eq!(first(Some(worker), total), [worker]);
        }
        for worker in [0, total + 1, u32::MAX] {
            assert_eq!(first(Some(worker), total), spread);
        }
    }
}
