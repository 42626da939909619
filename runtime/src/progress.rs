//! How far an attempt has come, as it tells itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// How far a run has come, by its own count: see [`Context::progress`](crate::Context::progress).
///
/// ```
/// use afterhours::{Context, Result, job};
/// use std::time::Duration;
///
/// #[job]
/// async fn import(ctx: &Context) -> Result {
///     ctx.progress(1, 3); // one line of three
///     ctx.cancelled().await;
///     Err("told to end".into())
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result {
/// # use afterhours::{Client, Worker};
/// # let client = Client::open_in_memory().await?;
/// # let worker = Worker::builder(client.clone()).jobs([import::JOB]).build()?.start().await?;
///
/// let run = client.enqueue(import::prepare()).await?;
/// let progress = loop {
///     match run.progress().await? {
///         Some(progress) => break progress,
///         None => tokio::time::sleep(Duration::from_millis(50)).await,
///     }
/// };
/// assert_eq!((progress.done, progress.total), (1, 3));
/// # run.cancel().await?;
/// # worker.stop().await
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// So many steps are done.
    pub done: u64,
    /// Of so many.
    pub total: u64,
}

impl Progress {
    pub(crate) fn new(done: u64, total: u64) -> Self {
        Self { done, total }
    }
}

/// What an attempt has told last. Cheap to tell; the worker writes it down from time to time.
#[derive(Debug)]
pub(crate) struct Told {
    last: Mutex<Last>,
    /// Rung when there is something to be written down.
    bell: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Last {
    progress: Option<Progress>,
    is_written: bool,
}

impl Told {
    pub(crate) fn new(bell: Arc<Notify>) -> Self {
        Self {
            last: Mutex::default(),
            bell,
        }
    }

    pub(crate) fn tell(&self, progress: Progress) {
        let mut last = self.last();
        if last.progress == Some(progress) {
            return;
        }
        let was_written = last.progress.is_none() || last.is_written;
        *last = Last {
            progress: Some(progress),
            is_written: false,
        };
        drop(last);
        if was_written {
            self.bell.notify_one();
        }
    }

    /// What is to be written down, once.
    pub(crate) fn take(&self) -> Option<Progress> {
        let mut last = self.last();
        if last.is_written {
            return None;
        }
        last.is_written = true;
        last.progress
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
