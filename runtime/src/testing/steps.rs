//! Single steps of a run's life without runtime, threads or clock, so that how many instructions they take depends on
//! the code alone.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::task::{self, Poll, Waker};
use std::time::{Duration, SystemTime};

use tokio::sync::{Notify, Semaphore};

use crate::call::{Attempt, Call};
use crate::client::Client;
use crate::clock::{Clock, Now};
use crate::context::{Cancel, Context, Inner};
use crate::error::Error;
use crate::job::Job;
use crate::perform::Prepared;
use crate::progress::Told;
use crate::sizes;
use crate::slot::Slot;
use crate::states::States;
use crate::store::sqlite::{BeginError, Core, Location, Settings, open_writer};
use crate::store::{
    ClaimId, ClaimRequest, ClaimedRun, Ending, Kind, Limit, NewRun, NewWorker, Settlement, Store,
    Wanted, WorkerId,
};
use crate::wake::Sleeper;

const NOW: Now = Now {
    wall: 1_700_000_000_000,
    // As a store shows that was made today.
    store: 1_700_000_000_000,
};
const HOUR: i64 = 3_600_000;

/// A store in a file, with a worker that takes whatever there is.
#[derive(Debug)]
pub struct Steps {
    core: Core,
    client: Client,
    worker: WorkerId,
    claims: i64,
    told: Arc<Notify>,
}

/// Runs that are claimed and have not ended.
#[derive(Debug)]
pub struct ClaimedRuns(Vec<ClaimedRun>);

#[derive(Debug)]
struct Everything;

impl Wanted for Everything {
    fn rank(&self, _: &Kind) -> Option<usize> {
        Some(0)
    }

    fn limit(&self, _: &str) -> Option<Limit> {
        None
    }
}

impl Steps {
    /// Opens the file.
    ///
    /// # Errors
    /// If that fails.
    pub fn new(path: &Path) -> Result<Self, Error> {
        let settings = Settings {
            full: false,
            mmap: true,
            busy_timeout: Duration::ZERO,
            max_payload: sizes::PAYLOAD,
        };
        let location = Location::File(path.to_owned());
        let (mut core, _) = open_writer(&location, settings, &Clock::System)?;
        begin(&mut core)?;
        let worker = NewWorker {
            slot: 1,
            lock_file: 1,
            boot: String::new(),
            pid: 1,
        };
        let worker = core.register(&worker, NOW)?;
        core.commit()?;
        Ok(Self {
            core,
            client: Client::of_schedules(Clock::System)?,
            worker,
            claims: 0,
            told: Arc::default(),
        })
    }

    /// Stores one run, in a transaction of its own.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub fn enqueue<T>(&mut self, prepared: Prepared<T>) -> Result<(), Error> {
        let run = prepared.into_run(NOW, sizes::PAYLOAD)?;
        begin(&mut self.core)?;
        self.core.insert(&run, NOW)?;
        self.core.commit()?;
        Ok(())
    }

    /// Stores many runs in one transaction.
    ///
    /// # Errors
    /// If they cannot be stored.
    pub fn enqueue_all<T>(
        &mut self,
        prepared: impl IntoIterator<Item = Prepared<T>>,
    ) -> Result<(), Error> {
        let runs = prepared
            .into_iter()
            .map(|prepared| prepared.into_run(NOW, sizes::PAYLOAD))
            .collect::<Result<Vec<NewRun>, _>>()?;
        let runs: Vec<_> = runs.iter().map(|run| (run, NOW)).collect();
        begin(&mut self.core)?;
        self.core.insert_all(&runs)?;
        self.core.commit()?;
        Ok(())
    }

    /// Claims so many runs in one transaction.
    ///
    /// # Errors
    /// If the store fails.
    pub fn claim(&mut self, runs: u32) -> Result<ClaimedRuns, Error> {
        self.claims += 1;
        let request = ClaimRequest {
            claim: ClaimId::new(self.worker, self.claims),
            limit: runs,
            wanted: Arc::new(Everything),
        };
        begin(&mut self.core)?;
        let claimed = self.core.claim(&request, NOW)?;
        self.core.commit()?;
        Ok(ClaimedRuns(claimed.runs))
    }

    /// Writes in one transaction that they are done; returns how many that were.
    ///
    /// # Errors
    /// If the store fails.
    pub fn finish(&mut self, claimed: ClaimedRuns) -> Result<usize, Error> {
        let ends: Vec<_> = claimed
            .0
            .into_iter()
            .map(|run| Settlement {
                id: run.id,
                claim: run.claim,
                ending: Ending::Done {
                    result: Vec::new(),
                    keep: HOUR,
                },
            })
            .collect();
        begin(&mut self.core)?;
        let lost = self.core.settle_all(&ends, NOW)?;
        self.core.commit()?;
        Ok(ends.len() - lost.len())
    }

    /// Decodes the arguments of the first of these and executes it, a job that never waits; false if that fails.
    pub fn execute(&self, job: Job, claimed: &ClaimedRuns) -> bool {
        let Some(context) = claimed.0.first().and_then(|run| self.context(job, run)) else {
            return false;
        };
        match (job.0.start)(Call::new(context, job.0)) {
            Ok(Attempt::Future(mut future)) => {
                let mut context = task::Context::from_waker(Waker::noop());
                matches!(future.as_mut().poll(&mut context), Poll::Ready(Ok(_)))
            }
            Ok(Attempt::Blocking(call)) => call().is_ok(),
            Err(_) => false,
        }
    }

    fn context(&self, job: Job, run: &ClaimedRun) -> Option<Context> {
        let places = Arc::new(Semaphore::new(1));
        let place = Arc::clone(&places).try_acquire_owned().ok()?;
        Some(Context::new(Inner {
            run: run.clone(),
            name: job.0.name,
            max_attempts: 1,
            will_retry: false,
            enqueued_at: SystemTime::UNIX_EPOCH,
            due_at: SystemTime::UNIX_EPOCH,
            deadline: None,
            tags: Vec::new(),
            metadata: BTreeMap::new(),
            states: Arc::new(States::default()),
            client: self.client.clone(),
            cancel: Cancel::default(),
            slot: Slot::new(places, Arc::new(Sleeper::default()), place),
            told: Told::new(Arc::clone(&self.told)),
        }))
    }
}

fn begin(core: &mut Core) -> Result<(), Error> {
    core.begin().map_err(|error| match error {
        BeginError::Busy => core.busy(Duration::ZERO),
        BeginError::Other(error) => error,
    })
}
