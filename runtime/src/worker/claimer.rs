//! Claims runs for the free places, writes down how attempts ended and asks which are to end, all in one transaction,
//! and sleeps when there is nothing to do.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

use super::execute::execute;
use super::looker::Looker;
use super::shared::{Ended, Phase, Shared};
use crate::clock::{Millis, Now};
use crate::error::Error;
use crate::failpoint;
use crate::run::RunId;
use crate::store::{
    ClaimId, ClaimRequest, Claimed, ClaimedRun, Ending, NextDue, Settlement, Store, Wanted,
};
use crate::wake::Call;

/// So many runs are claimed at a time at most.
const BATCH: usize = 256;
/// How long to wait after the store has failed.
const AFTER_ERROR: Duration = Duration::from_millis(500);

/// Goes on while the worker drains, until every attempt has ended and is written down.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut looker = Looker::new(&shared);
    let mut look = false;
    // Whether the store has not taken the end of some attempt. Such ends are tried apart, so that they keep nobody else's
    // end from being written, and this worker from claiming.
    let mut apart = false;
    loop {
        // Attempts that end together are written down together, and give their places to one claim.
        tokio::task::yield_now().await;
        if let Err(error) = shared.make_sure_of_number().await {
            if is_final(&error) {
                return give_up(&shared, error).await;
            }
            tracing::error!(target: "afterhours", error = &error as &dyn std::error::Error, "this worker could not be registered again; trying again");
            shared.client().clock().sleep(AFTER_ERROR).await;
            continue;
        }
        let mut ended = shared.take_ended();
        if apart {
            apart = !settle_apart(&shared, std::mem::take(&mut ended)).await;
        }
        let places = free_places(&shared);
        let hops = shared.sleeper.set_full(places.is_none());
        if places.is_none() {
            shared.sleeper.pass_on(Call::for_the_rest(hops));
        }
        if ended.is_empty() && places.is_none() && !look {
            if shared.is_done() {
                return;
            }
            look = sleep(&shared, &mut looker, None, apart).await;
            continue;
        }
        match exchange(&shared, &ended, places.as_ref()).await {
            Ok(Exchanged {
                is_registered: false,
                ..
            }) => {
                shared.written(&ended);
                shared.was_given_up(shared.id());
            }
            Ok(Exchanged {
                claimed,
                cancelling,
                ..
            }) => {
                look = false;
                if !ended.is_empty() {
                    failpoint::reached("after-settle");
                }
                shared.written(&ended);
                shared.cancel(&cancelling);
                let more = claimed.again
                    || places
                        .as_ref()
                        .is_none_or(|places| claimed.runs.len() == places.num_permits());
                let next = claimed.next;
                if !claimed.runs.is_empty() {
                    failpoint::reached("after-claim");
                }
                leave_to_others(&shared, &claimed, hops);
                start(&shared, claimed, places).await;
                if !more {
                    look = sleep(&shared, &mut looker, Some(next), apart).await;
                }
            }
            Err(error) if is_final(&error) => {
                shared.written(&ended);
                return give_up(&shared, error).await;
            }
            Err(error) => {
                tracing::error!(target: "afterhours", error = &error as &dyn std::error::Error, "the store failed this worker; trying again");
                shared.sleeper.pass_on(Call::for_the_rest(hops));
                if matches!(error, Error::Busy { .. }) {
                    // No settlement is to blame, and each by itself would wait as long again.
                    ended.iter().cloned().for_each(|one| shared.put_back(one));
                } else {
                    apart = !settle_apart(&shared, ended).await;
                }
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

/// Settles what has ended, claims for the free places, and asks what is to end.
async fn exchange(
    shared: &Arc<Shared>,
    ended: &Ended,
    places: Option<&OwnedSemaphorePermit>,
) -> Result<Exchanged, Error> {
    let (ended, now, worker) = (ended.clone(), shared.client().now(), shared.id());
    let request = places.map(|places| claim_request(shared, places));
    shared
        .client()
        .write(ended.len() + BATCH, move |store| {
            settle(store, &ended, now)?;
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

fn claim_request(shared: &Arc<Shared>, places: &OwnedSemaphorePermit) -> ClaimRequest {
    // Said before the store is asked: what is scheduled from now on wakes this worker.
    shared.sleeper.set_next(NextDue::default());
    let wanted: Arc<dyn Wanted> = Arc::<Shared>::clone(shared);
    // There are at most `BATCH` places.
    let limit = u32::try_from(places.num_permits()).unwrap_or(u32::MAX);
    ClaimRequest {
        claim: shared.next_claim(),
        limit,
        wanted,
    }
}

fn settle(store: &mut dyn Store, ended: &[Settlement], now: Now) -> Result<(), Error> {
    for settlement in ended {
        if !store.settle(settlement, now)? {
            tracing::warn!(target: "afterhours", id = %settlement.id, "the claim on this run was lost: nothing of the attempt was stored");
        }
    }
    Ok(())
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

async fn start(shared: &Arc<Shared>, claimed: Claimed, places: Option<OwnedSemaphorePermit>) {
    let Some(mut places) = places else { return };
    if shared.has_entered(Phase::Draining) {
        // Claimed while the worker was told to stop: these never start.
        return give_back(shared, claimed.runs).await;
    }
    for run in claimed.runs {
        // There are as many places as were asked for.
        if let Some(place) = places.split(1) {
            execute(shared, run, place);
        }
    }
}

async fn give_back(shared: &Shared, runs: Vec<ClaimedRun>) {
    let released = runs.into_iter().map(|run| Settlement {
        id: run.id,
        claim: run.claim,
        ending: Ending::Release,
    });
    let _ = settle_apart(shared, released.collect()).await;
}

/// One transaction for each, so that one that cannot be written does not hold up the others. What fails waits for
/// the next round, and then this is false.
async fn settle_apart(shared: &Shared, ended: Ended) -> bool {
    let mut all = true;
    for settlement in ended.iter() {
        let (one, now) = ([settlement.clone()], shared.client().now());
        match shared
            .client()
            .write(1, move |store| settle(store, &one, now))
            .await
        {
            Ok(()) => shared.written(std::slice::from_ref(settlement)),
            Err(error) => {
                tracing::error!(target: "afterhours", id = %settlement.id, error = &error as &dyn std::error::Error, "the end of this attempt could not be stored; trying again");
                shared.put_back(settlement.clone());
                all = false;
            }
        }
    }
    all
}

/// Whether trying again is in vain.
fn is_final(error: &Error) -> bool {
    matches!(error, Error::Closed | Error::FileReplaced { .. })
}

/// Without a store there is nobody to tell how attempts end.
async fn give_up(shared: &Shared, error: Error) {
    shared.fail(error);
    while !shared.is_done() {
        shared.sleeper.woken().await;
        let ended = shared.take_ended();
        shared.written(&ended);
    }
}

/// Until the next run is due; nothing that becomes due concerns a worker without a free place. True if runs may have
/// been cancelled meanwhile. Not for long if there is something to try `again`.
async fn sleep(shared: &Shared, looker: &mut Looker, next: Option<NextDue>, again: bool) -> bool {
    const NEVER_OVERSLEEPS: NextDue = NextDue {
        wall: Some(Millis::MIN),
        store: Some(Millis::MIN),
    };
    shared.sleeper.set_next(next.unwrap_or(NEVER_OVERSLEEPS));
    tokio::select! {
        biased;
        () = shared.sleeper.woken() => shared.sleeper.take_cancelling(),
        () = looker.something(shared, next.unwrap_or_default()) => true,
        () = shared.client().clock().sleep(AFTER_ERROR), if again => false,
    }
}
