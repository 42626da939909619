//! Claims runs for the free places, and sleeps when there are none of either.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::OwnedSemaphorePermit;

use super::execute::execute;
use super::shared::{Phase, Shared};
use crate::clock::{Millis, until};
use crate::error::Error;
use crate::readers::Readers;
use crate::store::sqlite::query::data_version;
use crate::store::{ClaimRequest, Claimed, Ending, NextDue, Settlement, Wanted};

/// So many runs are claimed at a time at most.
const BATCH: usize = 256;
/// An idle worker looks into the store this often, whatever it hears.
const SAFETY_LOOK: Duration = Duration::from_secs(5);
/// Another process's commits are noticed this soon when its wake-up is lost.
const CHEAP_LOOK: Duration = Duration::from_millis(25);
/// A wall clock that was set is noticed this soon.
const CLOCK_LOOK: Duration = Duration::from_secs(1);
/// How long to wait after the store has failed.
const AFTER_ERROR: Duration = Duration::from_secs(1);

pub(super) async fn run(shared: Arc<Shared>) {
    let mut looker = Looker::new(&shared);
    loop {
        let places = tokio::select! {
            biased;
            () = shared.entered(Phase::Draining) => return,
            places = free_places(&shared) => places,
        };
        let wanted = places.num_permits();
        // A batch is far below what the number could hold.
        let limit = u32::try_from(wanted).unwrap_or(u32::MAX);
        let waits = match claim(&shared, limit).await {
            Ok(claimed) => {
                let full = claimed.runs.len() == wanted;
                let next = claimed.next;
                if shared.has_entered(Phase::Draining) {
                    return give_back(&shared, claimed).await;
                }
                start(&shared, claimed, places);
                if full {
                    continue;
                }
                looker.sleep(&shared, next)
            }
            Err(Error::Closed) => {
                tracing::error!(target: "afterhours", "the client was closed: this worker claims no more runs");
                return;
            }
            Err(error) => {
                tracing::error!(target: "afterhours", error = &error as &dyn std::error::Error, "claiming failed; trying again");
                AFTER_ERROR
            }
        };
        tokio::select! {
            biased;
            () = shared.entered(Phase::Draining) => return,
            () = shared.sleeper.woken() => {}
            () = looker.changed(&shared) => {}
            () = shared.client().clock().sleep(waits) => {}
        }
    }
}

/// Waits for a free place, then takes all that are free.
async fn free_places(shared: &Shared) -> OwnedSemaphorePermit {
    let slots = &shared.slots;
    loop {
        // The semaphore is never closed, so the first permit always comes.
        let Ok(mut places) = Arc::clone(slots).acquire_owned().await else {
            continue;
        };
        // Attempts that end together free their places one by one: one claim for all of them.
        tokio::task::yield_now().await;
        let more = u32::try_from(slots.available_permits().min(BATCH - 1)).unwrap_or(0);
        if let Ok(more) = Arc::clone(slots).try_acquire_many_owned(more) {
            places.merge(more);
        }
        return places;
    }
}

async fn claim(shared: &Arc<Shared>, limit: u32) -> Result<Claimed, Error> {
    let wanted: Arc<dyn Wanted> = Arc::<Shared>::clone(shared);
    let request = ClaimRequest {
        claim: shared.next_claim(),
        limit,
        wanted,
    };
    let now = shared.client().now();
    // Said before the store is asked: what is scheduled from now on wakes this worker.
    shared.sleeper.set_next(NextDue::default());
    shared
        .client()
        .write(BATCH, move |store| store.claim(&request, now))
        .await
}

fn start(shared: &Arc<Shared>, claimed: Claimed, mut places: OwnedSemaphorePermit) {
    for run in claimed.runs {
        // There are as many places as were asked for.
        if let Some(place) = places.split(1) {
            execute(shared, run, place);
        }
    }
}

/// What was claimed while the worker was told to stop never starts.
async fn give_back(shared: &Shared, claimed: Claimed) {
    let now = shared.client().now();
    let settlements: Vec<_> = claimed
        .runs
        .into_iter()
        .map(|run| Settlement {
            id: run.id,
            claim: run.claim,
            ending: Ending::Release,
        })
        .collect();
    let released = shared.client().write(settlements.len(), move |store| {
        settlements
            .iter()
            .try_for_each(|settlement| store.settle(settlement, now).map(drop))
    });
    if let Err(error) = released.await {
        tracing::error!(target: "afterhours", error = &error as &dyn std::error::Error, "claimed runs could not be given back; they are rescued later");
    }
}

/// Notices what no wake-up told: commits of other processes, and the time.
struct Looker {
    conn: Option<Connection>,
    seen: Option<Millis>,
}

impl Looker {
    fn new(shared: &Shared) -> Self {
        let conn = shared.client().readers().map(Readers::open);
        let conn = conn.transpose().unwrap_or_else(|error| {
            tracing::warn!(target: "afterhours", error = &error as &dyn std::error::Error, "no connection to look for other processes' commits");
            None
        });
        let seen = conn.as_ref().and_then(|conn| data_version(conn).ok());
        Self { conn, seen }
    }

    /// How long to sleep until the next run is due, and tells whoever schedules an earlier one.
    fn sleep(&mut self, shared: &Shared, next: NextDue) -> Duration {
        shared.sleeper.set_next(next);
        let now = shared.client().now();
        let wall = next.wall.map(|due| until(due, now.wall).min(CLOCK_LOOK));
        let store = next.store.map(|due| until(due, now.store));
        wall.into_iter()
            .chain(store)
            .fold(SAFETY_LOOK, Duration::min)
    }

    /// Waits until another connection has committed. In memory there is no other.
    async fn changed(&mut self, shared: &Shared) {
        let Some(conn) = &mut self.conn else {
            return std::future::pending().await;
        };
        loop {
            let version = data_version(conn).ok();
            if version != self.seen {
                self.seen = version;
                return;
            }
            shared.client().clock().sleep(CHEAP_LOOK).await;
        }
    }
}
