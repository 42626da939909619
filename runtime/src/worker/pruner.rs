//! Deletes what is finished and has stayed long enough, and gives the space back. Others get their turn in between.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::shared::{Phase, Shared};
use crate::error::Error;
use crate::store::KeepCaps;

/// How long nobody looks after everything was found pruned.
const REST: Duration = Duration::from_secs(10);
/// The same after much was pruned: where so much ends, more is soon to go.
const SHORT_REST: Duration = Duration::from_secs(1);
/// Runs deleted in one transaction.
const STEP: u32 = 1000;
const ROWS: usize = STEP as usize;
const CAPS: KeepCaps = KeepCaps {
    done: 100_000,
    failed: 1_000_000,
};

pub(super) async fn run(shared: Arc<Shared>) {
    loop {
        let rest = prune(&shared).await.unwrap_or_else(|error| {
            tracing::warn!(target: "afterhours", error = &error as &dyn std::error::Error, "pruning failed; trying again");
            REST
        });
        tokio::select! {
            biased;
            () = shared.entered(Phase::Draining) => return,
            () = shared.client().clock().sleep(rest) => {}
        }
    }
}

/// Prunes until nothing is left to prune; returns how long to rest then.
async fn prune(shared: &Shared) -> Result<Duration, Error> {
    let client = shared.client();
    let cutoffs = client.cutoffs(CAPS).await?;
    let mut rest = REST;
    while !shared.has_entered(Phase::Draining) {
        let (since, now) = (Instant::now(), client.now());
        let pruned = client
            .write(ROWS, move |store| store.prune(STEP, &cutoffs, now))
            .await?;
        if pruned == STEP {
            rest = SHORT_REST;
        } else if !client.write(ROWS, |store| store.shrink()).await? {
            break;
        }
        // The longer a step takes, the more others have to do.
        tokio::time::sleep(since.elapsed()).await;
    }
    Ok(rest)
}
