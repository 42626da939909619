//! Writes down how far attempts have come: at once, then what is new a few times a second, all in one transaction.

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
        }
    };
    tokio::select! {
        biased;
        () = shared.entered(Phase::Draining) => {}
        () = work => {}
    }
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
