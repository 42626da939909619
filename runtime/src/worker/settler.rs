//! Writes down how attempts ended: all that have ended when the transaction begins, at once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::shared::Shared;
use crate::error::Error;
use crate::failpoint;
use crate::store::{Settlement, Store};

/// How long to wait after the store has failed.
const AFTER_ERROR: Duration = Duration::from_millis(500);

/// Goes on while the worker drains, until every attempt has ended and is written down.
pub(super) async fn run(shared: Arc<Shared>) {
    // Ends that the store has not taken. They are tried apart, so that they keep nobody else's end from being written.
    let mut refused = Vec::new();
    loop {
        if refused.is_empty() && shared.has_no_more_ends() {
            return;
        }
        tokio::select! {
            biased;
            () = shared.some_end() => {}
            () = shared.client().clock().sleep(AFTER_ERROR), if !refused.is_empty() => {
                refused = settle_apart(&shared, refused).await;
                continue;
            }
        }
        if !shared.has_ends() {
            continue;
        }
        match settle(&shared).await {
            Ok(()) => {}
            Err((error, ended)) if error.is_final() => {
                shared.written(&ended);
                return give_up(&shared, error).await;
            }
            Err((error @ Error::Busy { .. }, ended)) => {
                report(&error);
                // No end is to blame, and each by itself would wait as long again.
                shared.put_back(ended);
                shared.client().clock().sleep(AFTER_ERROR).await;
            }
            Err((error, ended)) => {
                report(&error);
                if ended.is_empty() {
                    // The transaction did not even begin: what is to be written waits where it was, and nobody tells of it
                    // again.
                    shared.client().clock().sleep(AFTER_ERROR).await;
                    shared.put_back(ended);
                } else {
                    refused.extend(settle_apart(&shared, ended).await);
                }
            }
        }
    }
}

/// Settles what has ended; gives it back with the error if the store fails.
pub(super) async fn settle(shared: &Arc<Shared>) -> Result<(), (Error, Vec<Settlement>)> {
    // Taken inside the transaction, which may be tried twice.
    let taken = Arc::<Mutex<Vec<Settlement>>>::default();
    let settled = shared
        .client()
        .write(shared.count_ends(), {
            let (shared, taken) = (Arc::clone(shared), Arc::clone(&taken));
            move |store| {
                let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
                taken.extend(shared.take_ends());
                write(&shared, store, &taken)
            }
        })
        .await;
    let ended = std::mem::take(&mut *taken.lock().unwrap_or_else(PoisonError::into_inner));
    match settled {
        Ok(()) => {
            failpoint::reached("after-settle");
            shared.written(&ended);
            Ok(())
        }
        Err(error) => Err((error, ended)),
    }
}

fn write(shared: &Shared, store: &mut dyn Store, ended: &[Settlement]) -> Result<(), Error> {
    for (id, _) in store.settle_all(ended, shared.client().now())? {
        tracing::warn!(target: "afterhours", %id, "the claim on this run was lost: nothing of the attempt was stored");
    }
    Ok(())
}

/// One transaction for each, so that one that cannot be written does not hold up the others. Returns what fails.
async fn settle_apart(shared: &Arc<Shared>, ended: Vec<Settlement>) -> Vec<Settlement> {
    let mut refused = Vec::new();
    for settlement in ended {
        let (inside, one) = (Arc::clone(shared), settlement.clone());
        let settled = shared
            .client()
            .write(1, move |store| {
                write(&inside, store, std::slice::from_ref(&one))
            })
            .await;
        match settled {
            Ok(()) => shared.written(&[settlement]),
            Err(error) => {
                tracing::error!(target: "afterhours", id = %settlement.id, error = &error as &dyn std::error::Error, "the end of this attempt could not be stored; trying again");
                refused.push(settlement);
            }
        }
    }
    refused
}

/// Without a store there is nobody to tell how attempts end.
async fn give_up(shared: &Shared, error: Error) {
    shared.fail(error);
    loop {
        shared.written(&shared.take_ends());
        if shared.has_no_more_ends() {
            return;
        }
        shared.some_end().await;
    }
}

fn report(error: &Error) {
    tracing::error!(target: "afterhours", error = error as &dyn std::error::Error, "the store failed this worker; trying again");
}
