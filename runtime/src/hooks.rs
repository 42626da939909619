//! What an application does around every enqueue and every attempt, and who hears of attempts that fail.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;

use crate::call::Outcome;
use crate::context::Context;
use crate::run::AttemptOutcome;

/// Something to do around every enqueue and every attempt: give it to
/// [`ClientBuilder::hook`](crate::ClientBuilder::hook). Both methods do nothing unless you write them.
///
/// What [`enqueue`](Hook::enqueue) puts into a run's metadata travels with it, and [`attempt`](Hook::attempt) finds it
/// there, in whatever process. So logs of an attempt carry the request id of the caller:
///
/// ```
/// use afterhours::{AttemptFuture, Context, Enqueue, Hook};
/// use tracing::Instrument;
///
/// tokio::task_local! {
///     static REQUEST: String;
/// }
///
/// struct RequestId;
///
/// impl Hook for RequestId {
///     fn enqueue(&self, run: &mut Enqueue<'_>) {
///         // In a request, or in an attempt that came from one.
///         let around = Context::current();
///         let inherited = around.as_ref().and_then(|context| context.metadata("request"));
///         if let Some(id) = REQUEST.try_with(Clone::clone).ok().or(inherited.map(str::to_owned)) {
///             run.set("request", id);
///         }
///     }
///
///     fn attempt<'a>(&'a self, context: &'a Context, attempt: AttemptFuture<'a>) -> AttemptFuture<'a> {
///         let request = context.metadata("request").unwrap_or("none");
///         Box::pin(attempt.instrument(tracing::info_span!("request", id = request)))
///     }
/// }
/// # use afterhours::{Client, Result, Worker, job};
/// # #[job] async fn greet(ctx: &Context) -> Result<Option<String>> {
/// #     Ok(ctx.metadata("request").map(str::to_owned))
/// # }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("jobs.db");
///
/// let client = Client::builder(path).hook(RequestId).open().await?;
/// # let worker = Worker::builder(client.clone()).jobs([greet::JOB]).build()?.start().await?;
/// let handler = async { client.enqueue(greet::prepare()).await };
/// let run = REQUEST.scope("r-17".to_owned(), handler).await?;
/// # assert_eq!(run.join().await?.as_deref(), Some("r-17"));
/// # worker.stop().await
/// # }
/// ```
pub trait Hook: Send + Sync + 'static {
    /// A run is about to be enqueued by a call of this process, on the task or thread that calls. Runs of schedules are
    /// enqueued by their ticks and do not come by. Call sites that set nothing else for a run make the cheapest rows, so
    /// set what is needed.
    fn enqueue(&self, run: &mut Enqueue<'_>) {
        let _ = run;
    }

    /// An attempt is about to start: what this returns is executed instead, and has to await `attempt`, which resolves
    /// when the attempt has ended, whether it succeeded, failed, panicked or timed out. The first hook of a client is
    /// the outermost. One that panics makes the attempt count as panicked.
    fn attempt<'a>(
        &'a self,
        context: &'a Context,
        attempt: AttemptFuture<'a>,
    ) -> AttemptFuture<'a> {
        let _ = context;
        attempt
    }
}

/// An attempt, as a [`Hook`] gets it and gives it on; see the example there.
pub type AttemptFuture<'a> = Pin<Box<dyn Future<Output = Ended> + Send + 'a>>;

/// A run that is about to be enqueued, for [`Hook::enqueue`].
///
/// ```
/// use afterhours::{Enqueue, Hook};
///
/// struct Tenant(String);
///
/// impl Hook for Tenant {
///     fn enqueue(&self, run: &mut Enqueue<'_>) {
///         if run.queue() == "mail" && run.get("tenant").is_none() {
///             run.set("tenant", &self.0);
///         }
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
/// # use afterhours::{Client, job};
/// # #[job(queue = "mail")] async fn send_email(user_id: u64) {}
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("jobs.db");
///
/// let client = Client::builder(path).hook(Tenant("acme".to_owned())).open().await?;
/// let id = client.enqueue(send_email::prepare(42)).await?.id();
/// let stored = client.run(id).await?.ok_or("it waits")?;
/// assert_eq!(stored.metadata["tenant"], "acme");
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Enqueue<'a> {
    pub(crate) job: &'static str,
    pub(crate) queue: &'a str,
    pub(crate) metadata: &'a mut BTreeMap<String, String>,
}

impl Enqueue<'_> {
    /// The job's stored name.
    #[must_use]
    pub fn job(&self) -> &'static str {
        self.job
    }

    /// The queue that it will wait in.
    #[must_use]
    pub fn queue(&self) -> &str {
        self.queue
    }

    /// What the call site, or another hook, has set.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// Lets something travel with the run: see [`Context::metadata`].
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.metadata.insert(key.into(), value.into());
    }
}

/// How an attempt ended, as a [`Hook`] sees it.
///
/// ```
/// use afterhours::{AttemptFuture, Context, Hook};
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// /// Counts the attempts that did not succeed.
/// struct Bad(Arc<AtomicU32>);
///
/// impl Hook for Bad {
///     fn attempt<'a>(&'a self, _context: &'a Context, attempt: AttemptFuture<'a>) -> AttemptFuture<'a> {
///         Box::pin(async {
///             let ended = attempt.await;
///             if !ended.is_ok() {
///                 self.0.fetch_add(1, Ordering::Relaxed);
///             }
///             ended
///         })
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
/// # use afterhours::{Client, Result, Worker, job};
/// # #[job(retry = 0)] async fn import() -> Result { Err("no such file".into()) }
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("jobs.db");
/// # let bad = Arc::new(AtomicU32::new(0));
/// # let client = Client::builder(path).hook(Bad(Arc::clone(&bad))).open().await?;
/// # let worker = Worker::builder(client.clone()).jobs([import::JOB]).build()?.start().await?;
/// # assert!(client.enqueue(import::prepare()).await?.join().await.is_err());
/// # assert_eq!(bad.load(Ordering::Relaxed), 1);
/// # worker.stop().await
/// # }
/// ```
#[derive(Debug)]
pub struct Ended(pub(crate) End);

impl Ended {
    /// Whether the job returned `Ok`.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        matches!(self.0, End::Returned(Ok(_)))
    }

    /// What the job has returned, if it was an error; `None` too if it panicked or timed out.
    #[must_use]
    pub fn error(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        match &self.0 {
            End::Returned(Err(error)) => Some(error.as_error()),
            _ => None,
        }
    }
}

/// How an attempt ended.
pub(crate) enum End {
    Returned(Outcome),
    Panicked(Panic),
    TimedOut,
    /// The worker stops and did not let it finish.
    Stopped,
    /// A caller has cancelled its run, and it did not end within the grace period.
    Cancelled,
    Unfit(String),
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Returned(Ok(_)) => "succeeded",
            Self::Returned(Err(_)) => "failed",
            Self::Panicked(_) => "panicked",
            Self::TimedOut => "timed out",
            Self::Stopped => "stopped",
            Self::Cancelled => "cancelled",
            Self::Unfit(_) => "incompatible",
        })
    }
}

/// What a panic has left.
#[derive(Debug)]
pub(crate) struct Panic {
    pub(crate) text: String,
    /// `file:line:column`, if somebody wants to know.
    pub(crate) location: Option<String>,
}

/// The hooks of a client, the outermost first.
#[derive(Clone, Default)]
pub(crate) struct Hooks(Vec<Arc<dyn Hook>>);

impl Hooks {
    pub(crate) fn add(&mut self, hook: impl Hook) {
        self.0.push(Arc::new(hook));
    }

    pub(crate) fn enqueue(&self, run: &mut Enqueue<'_>) {
        for hook in &self.0 {
            hook.enqueue(run);
        }
    }

    /// Lets all hooks see the attempt.
    pub(crate) async fn around(
        &self,
        context: &Context,
        attempt: impl Future<Output = End> + Send,
    ) -> End {
        if self.0.is_empty() {
            return attempt.await;
        }
        let mut attempt: AttemptFuture<'_> = Box::pin(async { Ended(attempt.await) });
        for hook in self.0.iter().rev() {
            attempt = hook.attempt(context, attempt);
        }
        attempt.await.0
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hooks").field(&self.0.len()).finish()
    }
}

/// An attempt that did not succeed, for [`WorkerBuilder::on_error`](crate::WorkerBuilder::on_error).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
/// # use afterhours::{Client, Result, Worker, job};
/// # #[job(retry = 0)] async fn import() -> Result { panic!("no such file") }
/// # let client = Client::open_in_memory().await?;
/// let (reports, heard) = std::sync::mpsc::channel();
/// let worker = Worker::builder(client.clone())
///     .jobs([import::JOB])
///     .on_error(move |report| {
///         let text = format!("{:?}: {}", report.outcome, report.errors.join(": "));
///         let _ = reports.send((text, report.panicked_at.map(str::to_owned), report.will_retry));
///     });
/// # let worker = worker.build()?.start().await?;
/// # assert!(client.enqueue(import::prepare()).await?.join().await.is_err());
/// let (text, place, will_retry) = heard.recv()?;
/// assert!(text.starts_with("Panic: ") && text.contains("no such file"));
/// assert!(place.is_some() && !will_retry);
/// # worker.stop().await
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct ErrorReport<'a> {
    /// The attempt, with its run.
    pub context: &'a Context,
    /// In which way it did not succeed.
    pub outcome: AttemptOutcome,
    /// The error and its causes, each in words; the first is what the run's history shows.
    pub errors: &'a [String],
    /// Where it panicked, if it did: `file:line:column`.
    pub panicked_at: Option<&'a str>,
    /// Whether another attempt follows.
    pub will_retry: bool,
}

/// Who hears of attempts that did not succeed.
#[derive(Clone)]
pub(crate) struct OnError(Arc<dyn Fn(&ErrorReport<'_>) + Send + Sync>);

impl OnError {
    pub(crate) fn new(report: impl Fn(&ErrorReport<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(report))
    }

    /// A reporter that panics changes nothing.
    pub(crate) fn report(&self, report: &ErrorReport<'_>) {
        if catch_unwind(AssertUnwindSafe(|| (self.0)(report))).is_err() {
            tracing::error!(target: "afterhours", id = %report.context.id(), "the error reporter panicked");
        }
    }
}

impl fmt::Debug for OnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnError")
    }
}
