//! Writes down a few times a second, while there is something new, how far attempts have come, all in one transaction, and
//! what was counted.

use std::sync::Arc;
use std::time::Duration;

use super::shared::{Phase, Shared};
use crate::progress::Progress;
use crate::run::RunId;
use crate::store::ClaimId;

/// Between two times.
const PAUSE: Duration = Duration::from_millis(250);

pub(super) async fn run(shared: Arc<Shared>) {
    let work = async {
        loop {
            shared.told.notified().await;
            write(&shared).await;
            shared.client().clock().sleep(PAUSE).await;
            // What has come meanwhile counts too, and who comes now finds that it is due again.
            write_counts(&shared);
        }
    };
    tokio::select! {
        biased;
        () = shared.entered(Phase::Draining) => {}
        () = work => {}
    }
}

fn write_counts(shared: &Shared) {
    let active = || shared.active().len();
    shared.counting.write(active, shared.client().now().wall);
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
