//! A worker that does nothing by itself: for tests it executes what is due when it is told to, one run at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Worker;
use super::agenda::Agenda;
use super::builder::check_states;
use super::shared::Shared;
use super::{claimer, execute, scheduler, settler};
use crate::clock::{ManualClock, Millis, duration_millis, from_millis, until};
use crate::error::Error;
use crate::options::{Options, Policy};
use crate::run::State;
use crate::store::{ClaimedRun, ListRequest, NextDue, Settlement};

/// How an attempt ended: the run, and what was written down.
pub(crate) struct Ended {
    pub(crate) run: ClaimedRun,
    pub(crate) settlement: Settlement,
    /// On the store's clock.
    pub(crate) at: Millis,
}

pub(crate) struct Inline {
    shared: Arc<Shared>,
    clock: Arc<ManualClock>,
    /// Held by whoever executes.
    plan: tokio::sync::Mutex<Plan>,
}

struct Plan {
    agenda: Agenda,
    schedules: watch::Receiver<()>,
    /// The next scheduled runs, as the last claim has told.
    next: NextDue,
}

impl Inline {
    pub(crate) async fn start(worker: Worker, clock: Arc<ManualClock>) -> Result<Self, Error> {
        let schedules = worker.0.client.schedule_changes();
        let shared = Shared::register(worker.0).await?;
        let agenda = scheduler::begin(&shared).await;
        Ok(Self {
            shared,
            clock,
            plan: tokio::sync::Mutex::new(Plan {
                agenda,
                schedules,
                next: NextDue::default(),
            }),
        })
    }

    /// Executes what is due and what follows from it at once. Inside of an attempt nothing: whoever has called that one
    /// goes on.
    pub(crate) async fn drain(&self) -> Result<Vec<Ended>, Error> {
        match self.plan.try_lock() {
            Ok(mut plan) => self.all_due(&mut plan).await,
            Err(_) => Ok(Vec::new()),
        }
    }

    /// Lets time pass, and stops at each moment at which something is due.
    pub(crate) async fn advance(&self, duration: Duration) -> Result<Vec<Ended>, Error> {
        /// The clock's unit.
        const LEAST: Duration = Duration::from_millis(1);
        let mut plan = self.plan.lock().await;
        let end = self.clock.now().checked_add(duration);
        let end = end.ok_or_else(|| Error::Setting {
            setting: "advance",
            reason: format!("no clock shows what comes after {duration:?}"),
        })?;
        let mut ended = self.all_due(&mut plan).await?;
        while let Ok(left) = end.duration_since(self.clock.now())
            && !left.is_zero()
        {
            let step = self.until_next(&plan).unwrap_or(left).max(LEAST);
            self.clock.advance(step.min(left));
            ended.extend(self.all_due(&mut plan).await?);
        }
        Ok(ended)
    }

    async fn all_due(&self, plan: &mut Plan) -> Result<Vec<Ended>, Error> {
        let mut ended = Vec::new();
        let mut runs: HashMap<_, AtWork> = HashMap::new();
        let mut at_work = JoinSet::new();
        // The timeouts of attempts count on the runtime's clock, so that one that hangs does not hang the test.
        let mut moved = Instant::now();
        loop {
            if plan.schedules.has_changed().unwrap_or(false) {
                plan.schedules.mark_unchanged();
                scheduler::plan(&self.shared, &mut plan.agenda).await;
            }
            scheduler::fire_due(&self.shared, &mut plan.agenda).await;
            if let Ok(place) = Arc::clone(&self.shared.slots).try_acquire_owned()
                && let Some(run) = self.claim(plan).await?
            {
                if at_work.is_empty() {
                    moved = Instant::now();
                }
                runs.insert((run.id, run.claim), self.at_work(run.clone()));
                let shared = Arc::clone(&self.shared);
                at_work.spawn(async move { execute::execute_one(&shared, run, place).await });
                continue;
            }
            let timeout = self.until_timeout(runs.values());
            tokio::select! {
                biased;
                attempt = at_work.join_next() => {
                    if attempt.is_none() {
                        return Ok(ended);
                    }
                    let at = self.shared.client().now().store;
                    for settlement in self.settle().await? {
                        let key = (settlement.id, settlement.claim);
                        let ended_one = runs.remove(&key).map(|AtWork { run, .. }| Ended { run, settlement, at });
                        ended.extend(ended_one);
                    }
                }
                // Something has become ready, or an attempt lends its place.
                () = self.shared.sleeper.woken() => {}
                () = tokio::time::sleep_until(moved + timeout.unwrap_or_default()), if timeout.is_some() => {
                    self.clock.advance(timeout.unwrap_or_default());
                    moved = Instant::now();
                }
            }
        }
    }

    async fn claim(&self, plan: &mut Plan) -> Result<Option<ClaimedRun>, Error> {
        loop {
            let request = claimer::claim_request(&self.shared, 1);
            let client = self.shared.client();
            let now = client.now();
            let mut claimed = client
                .write(1, move |store| store.claim(&request, now))
                .await?;
            plan.next = claimed.next;
            if let Some(run) = claimed.runs.pop() {
                return Ok(Some(run));
            }
            if !claimed.again {
                if claimed.is_more {
                    self.check_states().await?;
                }
                return Ok(None);
            }
        }
    }

    /// A ready run that stays where it is may need a state that nobody has given.
    async fn check_states(&self) -> Result<(), Error> {
        let request = ListRequest {
            state: Some(State::Ready),
            limit: 1000,
            ..ListRequest::default()
        };
        for run in self.shared.client().list(request).await?.runs {
            if let Some(job) = self.shared.plan.registry.get(&run.job) {
                check_states(job, &self.shared.plan.states)?;
            }
        }
        Ok(())
    }

    async fn settle(&self) -> Result<Vec<Settlement>, Error> {
        let ends = self.shared.take_ends();
        self.shared.put_back(ends.clone());
        settler::settle(&self.shared)
            .await
            .map_err(|(error, _)| error)?;
        Ok(ends)
    }

    /// How long until the next run or tick is due.
    fn until_next(&self, plan: &Plan) -> Option<Duration> {
        let now = self.shared.client().now();
        let NextDue { wall, store } = plan.agenda.next();
        let due = |moments: [Option<Millis>; 2], now| {
            moments
                .into_iter()
                .flatten()
                .min()
                .map(|due| until(due, now))
        };
        let wall = due([wall, plan.next.wall], now.wall);
        let store = due([store, plan.next.store], now.store);
        [wall, store].into_iter().flatten().min()
    }

    fn at_work(&self, run: ClaimedRun) -> AtWork {
        let job = self.shared.plan.registry.get(&run.kind.job);
        let options = Options::from_stored(run.options.as_deref());
        let timeout = job.and_then(|job| Policy::of(job, &options).timeout);
        let now = self.shared.client().now().store;
        AtWork {
            run,
            ends_by: timeout.map(|timeout| now.saturating_add(duration_millis(timeout))),
        }
    }

    /// How long the first of these attempts has left.
    fn until_timeout<'a>(&self, at_work: impl Iterator<Item = &'a AtWork>) -> Option<Duration> {
        let first = at_work.filter_map(|attempt| attempt.ends_by).min()?;
        Some(until(first, self.shared.client().now().store))
    }
}

/// An attempt that has not ended.
struct AtWork {
    run: ClaimedRun,
    /// Its timeout, on the store's clock.
    ends_by: Option<Millis>,
}

impl ManualClock {
    fn now(&self) -> SystemTime {
        from_millis(self.wall())
    }
}

/// Errors that the next attempts of jobs end with, instead of being executed.
#[derive(Debug, Default)]
pub(crate) struct Failures(Mutex<HashMap<&'static str, (u32, String)>>);

impl Failures {
    pub(crate) fn set(&self, job: &'static str, times: u32, error: String) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.insert(job, (times, error));
    }

    pub(super) fn take(&self, job: &str) -> Option<String> {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (times, error) = failures.get_mut(job).filter(|(times, _)| *times > 0)?;
        *times -= 1;
        Some(error.clone())
    }
}
