//! Against a walk through every minute, or every second, around the moments at which clocks change.

use afterhours_schedule::{
    Cron,
    chrono::{DateTime, TimeDelta, Utc},
    chrono_tz::Tz,
};
use proptest::prelude::*;

use crate::{
    oracle::Job,
    support::{FieldCase, cases, clock_change, field, night_hours, ticks},
};

fn zero() -> BoxedStrategy<FieldCase> {
    Just(FieldCase {
        text: "0".to_owned(),
        values: [0].into(),
    })
    .boxed()
}

fn any_day() -> BoxedStrategy<FieldCase> {
    Just(FieldCase {
        text: "*".to_owned(),
        values: (0..=31).collect(),
    })
    .boxed()
}

fn job(
    second: BoxedStrategy<FieldCase>,
    day: BoxedStrategy<FieldCase>,
    weekday: BoxedStrategy<FieldCase>,
) -> impl Strategy<Value = Job> {
    (
        second,
        field(0..=59),
        night_hours(),
        day,
        any_day(),
        weekday,
    )
        .prop_map(|(second, minute, hour, day, month, weekday)| Job {
            second,
            minute,
            hour,
            day,
            month,
            weekday,
        })
}

/// Every tick in `(after, until]`, by the crate and by the walk.
fn compare(
    job: &Job,
    tz: Tz,
    after: DateTime<Utc>,
    until: DateTime<Utc>,
    step: TimeDelta,
) -> Result<(), TestCaseError> {
    // A day that never comes is refused; it has no ticks to compare.
    let Ok(cron) = Cron::parse(&job.text(), tz) else {
        return Ok(());
    };
    let found: Vec<_> = ticks(&cron, after)
        .take_while(|tick| *tick <= until)
        .collect();
    let walked = job.ticks(tz, after, until, step);
    let text = job.text();
    prop_assert!(
        found == walked,
        "{text} in {tz} after {after}:\n found {found:?}\nwalked {walked:?}"
    );
    Ok(())
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn minute_by_minute(
        job in job(zero(), any_day(), any_day()),
        (tz, change) in clock_change(1973..=2099),
        before in 0..36 * 60_i64,
    ) {
        let change = change - TimeDelta::seconds(change.timestamp() % 60);
        let after = change - TimeDelta::minutes(before);
        compare(&job, tz, after, change + TimeDelta::hours(30), TimeDelta::minutes(1))?;
    }

    #[test]
    fn minute_by_minute_on_some_days(
        job in job(zero(), field(1..=31), field(0..=7)),
        (tz, change) in clock_change(1973..=2099),
    ) {
        let change = change - TimeDelta::seconds(change.timestamp() % 60);
        let after = change - TimeDelta::hours(8);
        compare(&job, tz, after, change + TimeDelta::hours(40), TimeDelta::minutes(1))?;
    }

    #[test]
    fn second_by_second(
        job in job(field(0..=59), any_day(), any_day()),
        (tz, change) in clock_change(1850..=2099),
        before in -3_600..3_600_i64,
    ) {
        let after = change - TimeDelta::seconds(before);
        compare(&job, tz, after, after + TimeDelta::hours(3), TimeDelta::seconds(1))?;
    }
}
