//! Hears what other processes say, and calls other workers for what this one does not take.

use std::sync::Arc;
use std::time::Duration;

use super::shared::Shared;
use crate::wake::{Call, Ear};

/// Calls are passed on this often at most. What comes meanwhile is passed on together, so that workers that are all
/// full do not keep each other busy.
const PAUSE: Duration = Duration::from_millis(1);

/// Opens the worker's ear. Without one it looks by itself, and is a little late.
pub(super) fn open(shared: &Shared) -> Option<Ear> {
    let ear = shared.client().wakes().listen(shared.id());
    ear.unwrap_or_else(|error| {
        tracing::warn!(target: "afterhours", error = &error as &dyn std::error::Error, "other processes cannot wake this worker: it notices their runs a little later");
        None
    })
}

/// Goes on until it is aborted.
pub(super) async fn run(shared: Arc<Shared>, ear: Option<Ear>) {
    tokio::join!(
        listen(&shared, ear.as_ref()),
        pass_on(&shared, ear.as_ref())
    );
}

async fn listen(shared: &Shared, ear: Option<&Ear>) {
    let Some(ear) = ear else { return };
    loop {
        match ear.hear().await {
            Ok(heard) => {
                if heard.cancelling {
                    shared.sleeper.hear_of_cancelling();
                }
                if !shared.sleeper.hear(heard.call) {
                    pass_by(shared, heard.call).await;
                }
            }
            Err(error) => {
                tracing::warn!(target: "afterhours", error = &error as &dyn std::error::Error, "this worker no longer hears other processes: it notices their runs a little later");
                return;
            }
        }
    }
}

/// A worker that is full lets others be called. Until they are, it does not listen: then its socket gets full too, and
/// others are called in the first place.
async fn pass_by(shared: &Shared, call: Call) {
    if !call.is_empty() {
        shared.sleeper.pass_on(call);
        pause().await;
    }
}

/// By a clock that nobody can let stand still: whoever pauses hears nothing, not even that a run is to end.
async fn pause() {
    // Without a thread, as when the runtime shuts down, there is nobody to call either.
    let _ = tokio::task::spawn_blocking(|| std::thread::sleep(PAUSE)).await;
}

async fn pass_on(shared: &Shared, ear: Option<&Ear>) {
    loop {
        let call = shared.sleeper.to_pass().await;
        shared.client().wakes().pass_on(call, ear);
        pause().await;
    }
}
