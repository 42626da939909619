//! Looks after the store: tries what others have parked, rescues the runs of dead workers, and prunes what is finished.

use std::sync::Arc;
use std::time::Duration;

use super::shared::{Phase, Shared};
use crate::error::Error;
use crate::liveness::LockFile;
use crate::store::{KeepCaps, Parked, WorkerRow};

/// A death is noticed this soon.
const ROUND: Duration = Duration::from_millis(500);
/// The store is pruned once in so many rounds, and again at once while a step was full.
const PRUNE_ROUNDS: u32 = 20;
/// Runs taken back, or deleted, in one transaction.
const STEP: u32 = 500;
const ROWS: usize = STEP as usize;
const CAPS: KeepCaps = KeepCaps {
    done: 100_000,
    failed: 1_000_000,
};

pub(super) async fn run(shared: Arc<Shared>) {
    // Opened once more, because locks of one opening do not keep each other out.
    let lock = shared.client().lock_file().unwrap_or_else(|error| {
        tracing::error!(target: "afterhours", error = &error as &dyn std::error::Error, "this worker cannot rescue the runs of others");
        None
    });
    report("looking at parked runs", unpark(&shared).await);
    let mut round = 0_u32;
    loop {
        if let Some(lock) = &lock {
            report("rescuing", rescue_dead(&shared, lock).await);
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

async fn rescue_dead(shared: &Shared, lock: &LockFile) -> Result<(), Error> {
    let workers = shared.client().write(0, |store| store.workers()).await?;
    for worker in workers
        .into_iter()
        .filter(|worker| worker.id != shared.id())
    {
        if lock.try_lock(worker.slot).map_err(lock_error)? {
            // Held over the transactions, so that no new worker takes the byte meanwhile.
            let rescued = rescue(shared, &worker).await;
            lock.unlock(worker.slot).map_err(lock_error)?;
            rescued?;
        }
    }
    Ok(())
}

async fn rescue(shared: &Shared, worker: &WorkerRow) -> Result<(), Error> {
    let id = worker.id;
    let mut total = 0;
    loop {
        let now = shared.client().now();
        let rescued = shared
            .client()
            .write(ROWS, move |store| store.rescue(id, STEP, now))
            .await?;
        total += rescued;
        if rescued < STEP {
            break;
        }
    }
    tracing::warn!(target: "afterhours", worker = id.0, runs = total, "a worker is gone: its runs were taken back");
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

fn lock_error(source: std::io::Error) -> Error {
    Error::Io {
        what: "the lock file could not be asked".to_owned(),
        source,
    }
}

fn report(what: &str, outcome: Result<(), Error>) {
    if let Err(error) = outcome {
        tracing::warn!(target: "afterhours", error = &error as &dyn std::error::Error, "{what} failed; trying again");
    }
}
