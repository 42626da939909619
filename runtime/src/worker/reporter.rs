//! Writes down a few times a second, while there is something new, how far attempts have come, all in one transaction, and
//! what was counted.

use std::sync::Arc;
use std::time::Duration;

use super::shared::{Phase, Shared};
use crate::blocking::blocking;
use crate::progress::Progress;
use crate::run::RunId;
use crate::store::ClaimId;

/// Between two times.
const PAUSE: Duration = Duration::from_millis(250);

pub(super) async fn run(shared: Arc<Shared>) {
    loop {
        let pause = async {
            shared.told.notified().await;
            write(&shared).await;
            shared.client().clock().sleep(PAUSE).await;
        };
        tokio::select! {
            biased;
            () = shared.entered(Phase::Draining) => return,
            () = pause => {}
        }
        // What has come meanwhile counts too, and who comes now finds that it is due again. Not in the select: a write that
        // goes on after the worker's farewell would bring its record back.
        write_counts(&shared).await;
    }
}

async fn write_counts(shared: &Arc<Shared>) {
    let shared = Arc::clone(shared);
    // It fails only where the runtime ends.
    let _ = blocking(move || {
        let active = || shared.active().len();
        shared.counting.write(active, shared.client().now().wall);
        Ok(())
    })
    .await;
}

async fn write(shared: &Shared) {
    let told: Vec<(RunId, ClaimId, Progress)> = shared
        .active()
        .iter()
        .filter_map(|((id, claim), context)| Some((*id, *claim, context.inner().told.take()?)))
        .collect();
    if told.is_empty() {
        return;
    }
    let written = shared
        .client()
        .write(told.len(), move |store| store.progress(&told));
    if let Err(error) = written.await {
        tracing::warn!(target: "afterhours", error = &error as &dyn std::error::Error, "how far attempts have come could not be written down");
    }
}
