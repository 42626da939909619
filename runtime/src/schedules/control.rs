//! Looking at schedules, and holding them up, from any process on the store.

use super::info::Schedule;
use super::read;
use crate::client::Client;
use crate::error::Error;
use crate::registry::linked_by_name;
use crate::run::RunId;
use crate::store::sqlite::schedules;
use crate::store::{Origin, ScheduleView, Store};
use crate::ticks::Ticks;

impl Client {
    /// All schedules of this store, by name: those of attributes since a worker that has them was first started, and
    /// those that were [added](Client::schedule).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # let client = afterhours::Client::open_in_memory().await?;
    /// for schedule in client.schedules().await? {
    ///     println!("{} ({}), {} missed: {:?}", schedule.name, schedule.rule, schedule.missed, schedule.next);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn schedules(&self) -> Result<Vec<Schedule>, Error> {
        let now = self.now();
        let views = self.schedule_views().await?;
        let jobs = linked_by_name();
        let shown = views
            .into_iter()
            .map(|view| Schedule::new(view, &jobs, now));
        Ok(shown.collect())
    }

    /// Lets the ticks of a schedule pass without a run, on all workers, until it is [resumed](Client::resume_schedule).
    /// Twice is fine. What is enqueued already is not touched.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # use afterhours::{Client, ScheduleState, job, schedule::Every};
    /// # #[job] async fn sync(shop: u64) {}
    /// # let client = Client::open_in_memory().await?;
    /// client.schedule("sync of 42", Every::parse("1h")?, sync::prepare(42)).await?;
    /// client.pause_schedule("sync of 42").await?;
    /// assert_eq!(client.schedules().await?[0].state, ScheduleState::Paused);
    /// client.resume_schedule("sync of 42").await?;
    /// assert_eq!(client.schedules().await?[0].state, ScheduleState::Active);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::NoSchedule`] if there is none of this name.
    pub async fn pause_schedule(&self, name: &str) -> Result<(), Error> {
        self.change(name, |store, name| store.pause(name)).await
    }

    /// Lets a schedule go on from its next tick. Those that have passed while it was paused are not made up for,
    /// whatever `missed` says. [`Client::pause_schedule`] shows it in use.
    ///
    /// # Errors
    /// [`Error::NoSchedule`] if there is none of this name.
    pub async fn resume_schedule(&self, name: &str) -> Result<(), Error> {
        let now = self.now();
        self.change(name, move |store, name| {
            let Some(view) = store.schedule(name, now)? else {
                return Ok(false);
            };
            if !view.is_paused {
                return Ok(true);
            }
            // What this build cannot read goes on as it was.
            let (since, last_tick) = match read(&view.row.rule).as_ref().map(Ticks::from) {
                Ok(ticks) if ticks.is_wall() => (Some(now.wall), view.last_tick),
                Ok(ticks) => (view.since, ticks.passed_over(view.last_tick, now.store)),
                Err(_) => (view.since, view.last_tick),
            };
            store.resume(name, since, last_tick)
        })
        .await
    }

    /// Enqueues a run of a schedule now, also of a paused one. Its ticks are not disturbed, but one that comes while
    /// this run is active is skipped, unless the schedule allows them to overlap. If a twin of the run is active, it is
    /// the twin's id that comes back.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # use afterhours::{Client, job, schedule::Every};
    /// # #[job] async fn sync(shop: u64) {}
    /// # let client = Client::open_in_memory().await?;
    /// client.schedule("sync of 42", Every::parse("1h")?, sync::prepare(42)).await?;
    /// let id = client.run_schedule("sync of 42").await?;
    /// assert_eq!(client.schedules().await?[0].last_run, Some(id));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::NoSchedule`] if there is none of this name; else as [`Client::enqueue`].
    pub async fn run_schedule(&self, name: &str) -> Result<RunId, Error> {
        let (wanted, now) = (name.to_owned(), self.now());
        let inserted = self
            .write(1, move |store| store.run_now(&wanted, now))
            .await?;
        inserted
            .map(|inserted| inserted.id)
            .ok_or_else(|| no_schedule(name))
    }

    /// Removes a schedule. Runs that it has enqueued stay.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # use afterhours::{Client, job, schedule::Every};
    /// # #[job] async fn sync(shop: u64) {}
    /// # let client = Client::open_in_memory().await?;
    /// client.schedule("sync of 42", Every::parse("1h")?, sync::prepare(42)).await?;
    /// client.unschedule("sync of 42").await?;
    /// assert!(client.schedules().await?.is_empty());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::NoSchedule`] if there is none of this name, [`Error::Schedule`] if a job of this program says it:
    /// its worker would only add it again.
    pub async fn unschedule(&self, name: &str) -> Result<(), Error> {
        let now = self.now();
        let job = linked_by_name().get(name).copied();
        let is_own = job.is_some_and(|job| job.schedule.is_some());
        self.change(name, move |store, name| {
                let view = store.schedule(name, now)?;
                if is_own && view.is_some_and(|view| view.row.origin == Origin::Attribute) {
                    return Err(Error::Schedule {
                        schedule: name.to_owned(),
                        reason: "the attribute of its job says it: take `every` or `cron` out there, or pause it"
                            .to_owned(),
                    });
                }
                store.remove_schedule(name)
            })
            .await
    }

    /// All schedules as they are stored.
    pub(crate) async fn schedule_views(&self) -> Result<Vec<ScheduleView>, Error> {
        let now = self.now();
        match self.readers() {
            Some(readers) => {
                let most = self.max_payload();
                readers
                    .read(move |conn| schedules::all(conn, now, most))
                    .await
            }
            None => self.write(0, move |store| store.schedules(now)).await,
        }
    }

    /// Changes a schedule; false means that there is none.
    async fn change(
        &self,
        name: &str,
        mut change: impl FnMut(&mut dyn Store, &str) -> Result<bool, Error> + Send + 'static,
    ) -> Result<(), Error> {
        let wanted = name.to_owned();
        if self.write(1, move |store| change(store, &wanted)).await? {
            Ok(())
        } else {
            Err(no_schedule(name))
        }
    }
}

fn no_schedule(name: &str) -> Error {
    Error::NoSchedule {
        name: name.to_owned(),
    }
}
