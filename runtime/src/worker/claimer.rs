//! Claims runs for the free places and some ahead, asks which are to end, and sleeps when there is nothing to do.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;

use super::ahead::{Pace, few};
use super::execute::execute;
use super::looker::Looker;
use super::shared::{Hand, Phase, Shared};
use crate::clock::Millis;
use crate::error::Error;
use crate::failpoint;
use crate::run::RunId;
use crate::store::{
    ClaimId, ClaimRequest, Claimed, ClaimedRun, Ending, NextDue, Settlement, Wanted,
};
use crate::wake::Call;

/// So many runs are claimed at a time at most, beside those ahead.
const BATCH: usize = 256;
/// Whether runs that are claimed ahead move is looked at this often.
const WHILE_RUNS_WAIT: Duration = Duration::from_millis(2);
/// How long to wait after the store has failed.
const AFTER_ERROR: Duration = Duration::from_millis(500);

/// Goes on while the worker drains, until every attempt has ended and is written down: callers may cancel them.
pub(super) async fn run(shared: Arc<Shared>) {
    // The settler waits for it, also if this panics: what was being claimed when the worker was told to stop is given back.
    let _over = Over(&shared);
    claim(&shared).await;
}

struct Over<'a>(&'a Shared);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.end_claims();
    }
}

async fn claim(shared: &Arc<Shared>) {
    let mut looker = Looker::new(shared);
    let mut look = false;
    let mut pace = Pace::new(shared.concurrency(), Instant::now());
    loop {
        if shared.ahead.is_empty() {
            // Attempts that end together give their places to one claim.
            tokio::task::yield_now().await;
        }
        if let Err(error) = shared.make_sure_of_number().await {
            if error.is_final() {
                return give_up(shared, error);
            }
            tracing::error!(target: "afterhours", error = &error as &dyn std::error::Error, "this worker could not be registered again; trying again");
            shared.client().clock().sleep(AFTER_ERROR).await;
            continue;
        }
        pace.ended(shared.count_ended(), Instant::now());
        if shared.has_entered(Phase::Draining) || shared.ahead.is_stuck(Instant::now()) {
            pace.forget();
            give_back(shared, shared.ahead.take_all());
        }
        start_ahead(shared);
        let places = free_places(shared);
        let hops = shared.sleeper.set_full(places.is_none());
        if places.is_none() {
            shared.sleeper.pass_on(Call::for_the_rest(hops));
        }
        let limit = limit(shared, places.as_ref(), &pace);
        if limit == 0 && !look {
            if shared.is_done() {
                return;
            }
            look = sleep(shared, &mut looker, None).await;
            continue;
        }
        match exchange(shared, limit).await {
            Ok(Exchanged {
                is_registered: false,
                ..
            }) => shared.was_given_up(shared.id()),
            Ok(Exchanged {
                claimed,
                cancelling,
                ..
            }) => {
                look = false;
                shared.cancel(&cancelling);
                let more = claimed.again || claimed.runs.len() == limit;
                let next = claimed.next;
                if !claimed.runs.is_empty() {
                    failpoint::reached("after-claim");
                }
                leave_to_others(shared, &claimed, hops);
                start(shared, claimed, places);
                if !more {
                    // What was claimed starts before this task looks around.
                    tokio::task::yield_now().await;
                    look = sleep(shared, &mut looker, Some(next)).await;
                }
            }
            Err(error) if error.is_final() => return give_up(shared, error),
            Err(error) => {
                tracing::error!(target: "afterhours", error = &error as &dyn std::error::Error, "the store failed this worker; trying again");
                shared.sleeper.pass_on(Call::for_the_rest(hops));
                shared.client().clock().sleep(AFTER_ERROR).await;
            }
        }
    }
}

/// What one transaction brought.
struct Exchanged {
    /// Others have given this worker up: it has claimed nothing.
    is_registered: bool,
    claimed: Claimed,
    /// Runs of this worker that callers have cancelled.
    cancelling: Vec<(RunId, ClaimId)>,
}

/// All places that are free, if this worker still claims.
fn free_places(shared: &Shared) -> Option<OwnedSemaphorePermit> {
    if shared.has_entered(Phase::Draining) {
        return None;
    }
    let free = u32::try_from(shared.slots.available_permits().min(BATCH))
        .ok()
        .filter(|free| *free > 0)?;
    Arc::clone(&shared.slots).try_acquire_many_owned(free).ok()
}

/// How many runs to claim: for the free places, and ahead where enough of that is gone.
fn limit(shared: &Shared, places: Option<&OwnedSemaphorePermit>, pace: &Pace) -> usize {
    if shared.has_entered(Phase::Draining) {
        return 0;
    }
    let free = places.map_or(0, OwnedSemaphorePermit::num_permits);
    let most = pace.ahead();
    let gone = most.saturating_sub(shared.ahead.len());
    if gone >= most - few(most) {
        free + gone
    } else {
        free
    }
}

/// Claims, and asks what is to end.
async fn exchange(shared: &Arc<Shared>, limit: usize) -> Result<Exchanged, Error> {
    let (now, worker) = (shared.client().now(), shared.id());
    let request = (limit > 0).then(|| claim_request(shared, limit));
    shared
        .client()
        .write(limit, move |store| {
            let is_registered = store.is_registered(worker)?;
            let claimed = match request.as_ref().filter(|_| is_registered) {
                Some(request) => store.claim(request, now)?,
                None => Claimed::default(),
            };
            let cancelling = store.cancelling(worker)?;
            Ok(Exchanged {
                is_registered,
                claimed,
                cancelling,
            })
        })
        .await
}

pub(super) fn claim_request(shared: &Arc<Shared>, limit: usize) -> ClaimRequest {
    // Said before the store is asked: what is scheduled from now on wakes this worker.
    shared.sleeper.set_next(NextDue::default());
    let wanted: Arc<dyn Wanted> = Arc::<Shared>::clone(shared);
    ClaimRequest {
        claim: shared.next_claim(),
        limit: u32::try_from(limit).unwrap_or(u32::MAX),
        wanted,
    }
}

/// Calls another worker for what this one was called for, or has made ready, and does not take.
fn leave_to_others(shared: &Shared, claimed: &Claimed, hops: u8) {
    if !claimed.is_more {
        return;
    }
    let call = if claimed.promoted {
        Call::for_promoted()
    } else {
        Call::for_the_rest(hops)
    };
    shared.sleeper.pass_on(call);
}

fn start(shared: &Arc<Shared>, claimed: Claimed, places: Option<OwnedSemaphorePermit>) {
    // Until a task has them in hand. Not where there is nothing: its end would wake this task again and again.
    let _hand = (!claimed.runs.is_empty()).then(|| Hand::of(shared));
    if shared.has_entered(Phase::Draining) {
        // Claimed while the worker was told to stop.
        return give_back(shared, claimed.runs);
    }
    let mut runs = claimed.runs.into_iter();
    if let Some(mut places) = places {
        while let Some(place) = places.split(1) {
            let Some(run) = runs.next() else { break };
            execute(shared, run, place);
        }
    }
    shared.ahead.add(runs, Instant::now());
}

/// Starts what is claimed in places that have become free since.
fn start_ahead(shared: &Arc<Shared>) {
    let _hand = (!shared.ahead.is_empty()).then(|| Hand::of(shared));
    while !shared.ahead.is_empty()
        && let Ok(place) = Arc::clone(&shared.slots).try_acquire_owned()
        && let Some(next) = shared.next_ahead()
    {
        execute(shared, next.run, place);
    }
}

/// These never start here.
fn give_back(shared: &Shared, runs: Vec<ClaimedRun>) {
    let released = runs.into_iter().map(|run| Settlement {
        id: run.id,
        claim: run.claim,
        ending: Ending::Release,
    });
    shared.put_back(released.collect());
}

/// Nothing can be claimed any more.
fn give_up(shared: &Shared, error: Error) {
    shared.fail(error);
    drop(shared.ahead.take_all());
}

/// Until the next run is due; nothing that becomes due concerns a worker without a free place. True if runs may have
/// been cancelled meanwhile. Not for long if runs wait for a place.
async fn sleep(shared: &Shared, looker: &mut Looker, next: Option<NextDue>) -> bool {
    const NEVER_OVERSLEEPS: NextDue = NextDue {
        wall: Some(Millis::MIN),
        store: Some(Millis::MIN),
    };
    shared.sleeper.set_next(next.unwrap_or(NEVER_OVERSLEEPS));
    tokio::select! {
        biased;
        () = shared.sleeper.woken() => shared.sleeper.take_cancelling(),
        () = looker.something(shared, next.unwrap_or_default()) => true,
        // Not on the store's clock: attempts take their own time.
        () = tokio::time::sleep(WHILE_RUNS_WAIT), if !shared.ahead.is_empty() => false,
    }
}
