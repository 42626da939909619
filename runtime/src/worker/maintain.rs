//! Looks after what others have left: tries what they have parked, and rescues the runs of dead workers.

use std::sync::Arc;
use std::time::Duration;

use super::rescuer::Rescuer;
use super::shared::{Phase, Shared};
use crate::error::Error;
use crate::store::Parked;

/// A death is noticed this soon.
const ROUND: Duration = Duration::from_millis(500);
/// Runs made ready again in one transaction.
const STEP: u32 = 500;
const ROWS: usize = STEP as usize;

pub(super) async fn run(shared: Arc<Shared>) {
    let mut rescuer = Rescuer::new(&shared).unwrap_or_else(|error| {
        tracing::error!(target: "afterhours", error = &error as &dyn std::error::Error, "this worker cannot rescue the runs of others");
        None
    });
    report("looking at parked runs", unpark(&shared).await);
    loop {
        if let Some(rescuer) = &mut rescuer {
            report("rescuing", rescuer.round(&shared).await);
        }
        tokio::select! {
            biased;
            () = shared.entered(Phase::Draining) => return,
            () = shared.client().clock().beat(ROUND) => {}
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

fn report(what: &str, outcome: Result<(), Error>) {
    if let Err(error) = outcome {
        tracing::warn!(target: "afterhours", error = &error as &dyn std::error::Error, "{what} failed; trying again");
    }
}
