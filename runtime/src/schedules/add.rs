//! Adding a schedule while the program runs.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use afterhours_schedule::Rule;

use super::stored;
use crate::client::Client;
use crate::clock::duration_millis;
use crate::error::Error;
use crate::job::{Missed, Overlap};
use crate::perform::Prepared;
use crate::registry::is_schedule_of_a_job;
use crate::sizes::NAME;
use crate::store::{NewRun, Origin, ScheduleRow};

const OF_A_JOB: &str =
    "this is the name of a job that has a schedule of its own: give another name";

impl Client {
    /// Enqueues a prepared run again and again, by a rule. The schedule is stored and goes on after restarts, until it
    /// is [removed](Client::unschedule); each tick enqueues one run over the whole fleet, as for the schedules of
    /// attributes. Await what this returns, after changing what differs.
    ///
    /// The name is the schedule's own. Adding one of the same name again replaces it: with the same rule it goes on
    /// where it was, so that a program can say its schedules at each start.
    ///
    /// An expression ticks from its next time on, an interval at once and then at its distance. The workers that fire
    /// it are those that have its job.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// use afterhours::schedule::{Cron, chrono_tz::Tz};
    /// # use afterhours::{Client, Missed, Result, job};
    /// #[job]
    /// async fn report(customer: u64) -> Result {
    ///     Ok(())
    /// }
    /// # let client = Client::open_in_memory().await?;
    /// let nightly = Cron::parse("0 3 * * *", Tz::Europe__Paris)?;
    /// client.schedule("report of 42", nightly, report::prepare(42)).missed(Missed::RunOnce).await?;
    ///
    /// let schedules = client.schedules().await?;
    /// assert_eq!(schedules[0].name, "report of 42");
    /// assert_eq!(schedules[0].next.len(), 5);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Schedule`] if the name is empty, very long or that of a job with a schedule of its own, or if what was prepared
    /// is not due at once; else as [`Client::enqueue`].
    pub fn schedule<T>(
        &self,
        name: impl Into<String>,
        rule: impl Into<Rule>,
        prepared: Prepared<T>,
    ) -> NewSchedule {
        NewSchedule {
            client: self.clone(),
            name: name.into(),
            rule: rule.into(),
            run: prepared.into_scheduled_run(self.max_payload()),
            overlap: Overlap::Skip,
            missed: Missed::Skip,
            missed_limit: None,
            missed_window: None,
        }
    }
}

/// A schedule that is about to be added, by [`Client::schedule`]: set what differs, then await it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
/// use afterhours::schedule::Every;
/// use afterhours::{Missed, Overlap};
/// # use afterhours::{Client, job};
/// # use std::time::Duration;
/// # #[job] async fn sync(shop: u64) {}
/// # let client = Client::open_in_memory().await?;
/// client
///     .schedule("sync of 42", Every::parse("1h")?, sync::prepare(42))
///     .overlap(Overlap::Allow)
///     .missed(Missed::RunAll)
///     .missed_limit(24)
///     .missed_window(Duration::from_secs(2 * 24 * 60 * 60))
///     .await?;
/// assert_eq!(client.schedules().await?[0].rule, "every 1h");
/// # Ok(()) }
/// ```
#[must_use = "nothing is stored until this is awaited"]
pub struct NewSchedule {
    client: Client,
    name: String,
    rule: Rule,
    run: Result<NewRun, Error>,
    overlap: Overlap,
    missed: Missed,
    missed_limit: Option<u32>,
    missed_window: Option<Duration>,
}

impl NewSchedule {
    /// What a tick does while the last run is active. Default: [`Overlap::Skip`].
    pub fn overlap(mut self, overlap: Overlap) -> Self {
        self.overlap = overlap;
        self
    }

    /// What becomes of ticks that passed while no worker was up. Default: [`Missed::Skip`].
    pub fn missed(mut self, missed: Missed) -> Self {
        self.missed = missed;
        self
    }

    /// With [`Missed::RunAll`]: at most so many, the latest. Default: 100.
    pub fn missed_limit(mut self, limit: u32) -> Self {
        self.missed_limit = Some(limit);
        self
    }

    /// With [`Missed::RunOnce`] and [`Missed::RunAll`]: none that is older; to the millisecond. Default: no bound.
    pub fn missed_window(mut self, window: Duration) -> Self {
        self.missed_window = Some(window);
        self
    }

    async fn add(self) -> Result<(), Error> {
        self.check()?;
        self.client.must_take_runs()?;
        let name = self.name;
        let row = ScheduleRow {
            name: name.clone(),
            origin: Origin::Client,
            rule: stored(&self.rule),
            overlap: self.overlap,
            missed: self.missed,
            missed_limit: self.missed_limit,
            missed_window: self.missed_window.map(duration_millis),
            run: self.run?,
        };
        let now = self.client.now();
        let is_added = self
            .client
            .write(1, move |store| store.define(&row, now))
            .await?;
        if is_added {
            return Ok(());
        }
        // Of a job that only other programs have.
        Err(refused(name, OF_A_JOB))
    }

    fn check(&self) -> Result<(), Error> {
        let reason = match (self.missed, self.missed_limit, self.missed_window) {
            _ if self.name.trim().is_empty() => "a schedule needs a name",
            _ if self.name.len() > NAME => "its name is too long: give one of at most 1024 bytes",
            _ if is_schedule_of_a_job(&self.name) => OF_A_JOB,
            (Missed::Skip, Some(_), _) | (Missed::RunOnce, Some(_), _) => {
                "`missed_limit` has an effect with `Missed::RunAll` only"
            }
            (Missed::Skip, None, Some(_)) => {
                "`missed_window` has no effect while missed ticks are skipped: say `.missed(Missed::RunOnce)`"
            }
            (Missed::RunAll, Some(0), _) => {
                "for none of the missed ticks say `.missed(Missed::Skip)`, not a limit of 0"
            }
            _ => return Ok(()),
        };
        Err(refused(self.name.clone(), reason))
    }
}

fn refused(schedule: String, reason: &str) -> Error {
    Error::Schedule {
        schedule,
        reason: reason.to_owned(),
    }
}

impl IntoFuture for NewSchedule {
    type Output = Result<(), Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.add())
    }
}

impl fmt::Debug for NewSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewSchedule")
            .field("name", &self.name)
            .field("rule", &self.rule)
            .finish_non_exhaustive()
    }
}
