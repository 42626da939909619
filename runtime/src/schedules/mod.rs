//! Schedules as data: what a job's attribute or a caller says becomes a row, and a row becomes a rule again.

mod add;
mod control;
mod info;

use std::time::Duration;

use afterhours_schedule::{Cron, Every, Rule, parse_timezone};

use crate::clock::duration_millis;
use crate::codec::Encoder;
use crate::error::Error;
use crate::job::{JobDef, ScheduleDef};
use crate::perform::prepare;
use crate::sizes;
use crate::store::{Origin, ScheduleRow, StoredRule};

pub use add::NewSchedule;
pub use info::{Schedule, ScheduleState};

/// The schedule of a job that has one by its attribute.
pub(crate) fn of_job(job: &'static JobDef) -> Result<Option<ScheduleRow>, Error> {
    let Some(said) = job.schedule else {
        return Ok(None);
    };
    let rule = match said {
        ScheduleDef::Every(interval) => StoredRule::Every(duration_millis(interval)),
        ScheduleDef::Cron {
            expression,
            timezone,
        } => StoredRule::Cron {
            expression: expression.to_owned(),
            timezone: timezone.to_owned(),
        },
    };
    // The macro has checked it, with the same code.
    read(&rule).map_err(|reason| Error::Schedule {
        schedule: job.name.to_owned(),
        reason,
    })?;
    // Nobody is there to give arguments.
    let run = prepare::<(), ()>(job, |_| Ok(()), Encoder::new(job.codec))
        .into_scheduled_run(sizes::PAYLOAD)?;
    Ok(Some(ScheduleRow {
        name: job.name.to_owned(),
        origin: Origin::Attribute,
        rule,
        overlap: job.overlap,
        missed: job.missed,
        missed_limit: job.missed_limit,
        missed_window: job.missed_window.map(duration_millis),
        run,
    }))
}

/// The rule in a row, or what is wrong with it: a newer build or a stranger may have written it.
pub(crate) fn read(rule: &StoredRule) -> Result<Rule, String> {
    match rule {
        StoredRule::Every(millis) => {
            let interval = Duration::from_millis(u64::try_from(*millis).unwrap_or(0));
            let every = Every::new(interval).map_err(|error| error.to_string())?;
            Ok(every.into())
        }
        StoredRule::Cron {
            expression,
            timezone,
        } => {
            let timezone = parse_timezone(timezone).map_err(|error| error.to_string())?;
            let cron = Cron::parse(expression, timezone).map_err(|error| error.to_string())?;
            Ok(cron.into())
        }
    }
}

/// The rule as a row has it.
fn stored(rule: &Rule) -> StoredRule {
    match rule {
        Rule::Every(every) => StoredRule::Every(duration_millis(every.interval())),
        Rule::Cron(cron) => StoredRule::Cron {
            expression: cron.to_string(),
            timezone: cron.timezone().name().to_owned(),
        },
    }
}
