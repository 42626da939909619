//! Looks after the store: tries what others have parked, rescues the runs of dead workers, and prunes what is finished.

use std::sync::Arc;
use std::time::Duration;

use super::rescuer::Rescuer;
use super::shared::{Phase, Shared};
use crate::error::Error;
use crate::store::{KeepCaps, Parked};

/// A death is noticed this soon.
const ROUND: Duration = Duration::from_millis(500);
/// The store is pruned once in so many rounds, and again at once while a step was full.
const PRUNE_ROUNDS: u32 = 20;
/// Runs made ready again, or deleted, in one transaction.
const STEP: u32 = 500;
const ROWS: usize = STEP as usize;
const CAPS: KeepCaps = KeepCaps {
    done: 100_000,
    failed: 1_000_000,
};

pub(super) async fn run(shared: Arc<Shared>) {
    let mut rescuer = Rescuer::new(&shared).unwrap_or_else(|error| {
        tracing::error!(target: "afterhours", error = &error as &dyn std::error::Error, "this worker cannot rescue the runs of others");
        None
    });
    report("looking at parked runs", unpark(&shared).await);
    let mut round = 0_u32;
    loop {
        if let Some(rescuer) = &mut rescuer {
            report("rescuing", rescuer.round(&shared).await);
        }
        if round.is_multiple_of(PRUNE_ROUNDS) {
            report("pruning", prune(&shared).await);
        }
        round = round.wrapping_add(1);
        tokio::select! {
            biased;
            () = shared.entered(Phase::Draining) => return,
            () = shared.client().clock().sleep(ROUND) => {}
        }
    }
}

/// Another build has parked them; this one may know them. If not, it parks them again, once.
async fn unpark(shared: &Arc<Shared>) -> Result<(), Error> {
    let mut after = Some(Parked::default());
    while let Some(from) = after {
        let wanted = Arc::clone(shared);
        after = shared
            .client()
            .write(ROWS, move |store| store.unpark(&*wanted, from, STEP))
            .await?;
    }
    Ok(())
}

async fn prune(shared: &Shared) -> Result<(), Error> {
    while !shared.has_entered(Phase::Draining) {
        let now = shared.client().now();
        if shared
            .client()
            .write(ROWS, move |store| store.prune(STEP, CAPS, now))
            .await?
            < STEP
        {
            break;
        }
    }
    Ok(())
}

fn report(what: &str, outcome: Result<(), Error>) {
    if let Err(error) = outcome {
        tracing::warn!(target: "afterhours", error = &error as &dyn std::error::Error, "{what} failed; trying again");
    }
}
