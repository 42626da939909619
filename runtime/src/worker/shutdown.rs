//! Stopping in good order: on a signal, within the grace period, with nothing lost.

use std::sync::Arc;
use std::time::Duration;

use super::Running;
use super::shared::Shared;
use crate::error::Error;
use crate::failpoint;

/// After the grace period, what is left is given back and the worker's row removed within this time. Longer would
/// keep the process from ending when somebody else has locked the database.
const FAREWELL: Duration = Duration::from_secs(5);

/// What a worker leaves behind when it has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    Nothing,
    /// Plain `fn`s that do not end.
    Threads,
}

/// Stops a worker. What does not end is reported by name; its claim stays until it ends, or until the process does.
pub(super) async fn stop(running: Running) -> Result<Rest, Error> {
    let shared = Arc::clone(&running.shared);
    shared.drain();
    // Nothing waits for this word: it is heard late if the store is busy, and that costs little.
    let saying = Arc::clone(&shared);
    tokio::spawn(async move { saying.say_stopping().await });
    let grace = shared.client().clock().sleep(shared.plan.shutdown_grace);
    if !ended_within(shared.idle(), grace).await {
        shared.abort();
    }
    // A task, so that it goes on when it has taken too long and the process does not end.
    let farewell = tokio::spawn(farewell(running));
    match tokio::time::timeout(FAREWELL, farewell).await {
        // It does not panic; without a runtime there is nothing left to do.
        Ok(ended) => ended.unwrap_or(Ok(())).map(|()| Rest::Nothing),
        Err(_) => unfinished(&shared),
    }
}

async fn farewell(running: Running) -> Result<(), Error> {
    let Running {
        shared,
        claimer,
        settler,
        services,
        listener,
    } = running;
    shared.idle().await;
    for service in services {
        // A service that panicked has ended too, and was reported by the panic hook.
        let _ = service.await;
    }
    // A claim that was under way is given back before the worker's row goes: without it nobody would look for them.
    let _ = claimer.await;
    let _ = settler.await;
    // With it goes its socket.
    listener.abort();
    let _ = listener.await;
    shared.counting.clear();
    failpoint::reached("before-unregister");
    let id = shared.id();
    let unregistered = shared
        .client()
        .write(1, move |store| store.unregister(id))
        .await;
    if let Some(error) = shared.take_failure() {
        return Err(error);
    }
    unregistered?;
    tracing::info!(target: "afterhours", worker = id.0, "worker stopped");
    Ok(())
}

/// The time is over: either attempts do not end, or the store does not take how they ended.
fn unfinished(shared: &Shared) -> Result<Rest, Error> {
    if let Some(error) = shared.take_failure() {
        return Err(error);
    }
    let active = shared.active();
    let left: Vec<String> = active
        .values()
        .filter(|context| !context.inner().slot.is_over())
        .map(|context| format!("{} ({})", context.name(), context.id()))
        .collect();
    if left.is_empty() {
        return Err(Error::Unwritten { runs: active.len() });
    }
    tracing::error!(target: "afterhours", jobs = left.join(", "), "these attempts do not end; their runs are taken back when the process has ended");
    Ok(Rest::Threads)
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
