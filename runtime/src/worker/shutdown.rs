//! Stopping in good order: on a signal, within the grace period, with nothing lost.

use std::time::Duration;

use super::Running;
use crate::error::Error;

/// After the grace period, dropped attempts are given back to the store within this time.
const GIVING_BACK: Duration = Duration::from_secs(5);

/// The others are told that this worker stops within this time.
const SAYING: Duration = Duration::from_millis(500);

/// What a worker leaves behind when it has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    Nothing,
    /// Plain `fn`s that do not end.
    Threads,
}

/// Stops a worker. What does not end is reported by name; its claim stays until it ends, or until the process does.
pub(super) async fn stop(running: Running) -> Result<Rest, Error> {
    let Running {
        shared,
        claimer,
        services,
    } = running;
    shared.drain();
    // Heard later if the store is busy; a word that comes too late costs little.
    ended_within(shared.say_stopping(), tokio::time::sleep(SAYING)).await;
    for service in services {
        // A service that panicked has ended too, and was reported by the panic hook.
        let _ = service.await;
    }
    let clock = shared.client().clock();
    if !ended_within(shared.idle(), clock.sleep(shared.plan.shutdown_grace)).await {
        shared.abort();
        ended_within(shared.idle(), tokio::time::sleep(GIVING_BACK)).await;
    }
    let left: Vec<String> = shared
        .active()
        .values()
        .map(|context| format!("{} ({})", context.name(), context.id()))
        .collect();
    if !left.is_empty() {
        tracing::error!(target: "afterhours", jobs = left.join(", "), "these attempts do not end; their runs are taken back when the process has ended");
        return Ok(Rest::Threads);
    }
    // A claim that was under way is given back before the worker's row goes: without it nobody would look for them.
    let _ = claimer.await;
    let id = shared.id();
    shared
        .client()
        .write(1, move |store| store.unregister(id))
        .await?;
    tracing::info!(target: "afterhours", worker = id.0, "worker stopped");
    Ok(Rest::Nothing)
}

async fn ended_within(end: impl Future<Output = ()>, limit: impl Future<Output = ()>) -> bool {
    tokio::select! {
        biased;
        () = end => true,
        () = limit => false,
    }
}

#[cfg(unix)]
pub(super) use unix::Signals;

#[cfg(unix)]
mod unix {
    use tokio::signal::unix::{Signal, SignalKind, signal};

    use crate::error::Error;

    /// SIGINT and SIGTERM, from the moment this is made.
    pub(crate) struct Signals {
        interrupt: Signal,
        terminate: Signal,
    }

    impl Signals {
        pub(crate) fn new() -> Result<Self, Error> {
            let listen = |kind| {
                signal(kind).map_err(|source| Error::Io {
                    what: "signals cannot be handled".to_owned(),
                    source,
                })
            };
            Ok(Self {
                interrupt: listen(SignalKind::interrupt())?,
                terminate: listen(SignalKind::terminate())?,
            })
        }

        pub(crate) async fn first(&mut self) {
            // Outside of the macro, which looks at its fields only if somebody listens.
            let signal = self.next().await;
            tracing::info!(target: "afterhours", signal, "stopping");
        }

        /// The exit code that a process killed by this signal has in a shell.
        pub(crate) async fn second(&mut self) -> i32 {
            128 + self.next().await
        }

        async fn next(&mut self) -> i32 {
            tokio::select! {
                _ = self.interrupt.recv() => SignalKind::interrupt().as_raw_value(),
                _ = self.terminate.recv() => SignalKind::terminate().as_raw_value(),
            }
        }
    }
}

#[cfg(not(unix))]
pub(super) use elsewhere::Signals;

#[cfg(not(unix))]
mod elsewhere {
    use crate::error::Error;

    /// Ctrl-C.
    pub(crate) struct Signals;

    impl Signals {
        pub(crate) fn new() -> Result<Self, Error> {
            Ok(Self)
        }

        pub(crate) async fn first(&mut self) {
            // Without a handler the process ends by itself.
            let _ = tokio::signal::ctrl_c().await;
        }

        pub(crate) async fn second(&mut self) -> i32 {
            let _ = tokio::signal::ctrl_c().await;
            130
        }
    }
}
