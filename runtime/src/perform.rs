//! Enqueueing: what `prepare(..)` returns, its settings, and how it ends in the store.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{self, Poll};
use std::time::{Duration, SystemTime};

use crate::client::Client;
use crate::clock::{Now, duration_millis, to_millis};
use crate::codec::{DecodeError, Decoder, Encoder, advice, content_len, seal};
use crate::context::current_client;
use crate::error::Error;
use crate::handle::Handle;
use crate::hooks::Enqueue;
use crate::job::{JobDef, UniqueDef};
use crate::options::{Options, option_millis};
use crate::retry::Backoff;
use crate::sizes::Sizes;
use crate::store::{Due, Inserted, Kind, NewRun, Unique};

/// A run that is about to be enqueued: set what differs from the job's own options, then enqueue it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
/// use std::time::Duration;
/// # use afterhours::{Client, job};
/// # #[job] async fn send_email(user_id: u64, template: &str) {}
/// # let client = Client::open_in_memory().await?;
/// let prepared = send_email::prepare(42, "welcome")
///     .queue("mail")
///     .priority(20)
///     .timeout(Duration::from_secs(5))
///     .retry(1)
///     .keep(Duration::from_secs(24 * 60 * 60))
///     .tags(["welcome", "user-42"])
///     .metadata("request", "r-17");
/// let run = client.enqueue(prepared).await?; // or `.enqueue().await?` with the installed client
///
/// let stored = client.run(run.id()).await?.ok_or("it waits")?;
/// assert_eq!((stored.queue.as_str(), stored.priority), ("mail", 20));
/// assert_eq!(stored.tags, ["welcome", "user-42"]);
/// assert_eq!(stored.metadata["request"], "r-17");
/// # Ok(()) }
/// ```
///
/// The delay between attempts is set as [`Backoff`] shows.
#[must_use = "a prepared run does nothing until it is enqueued"]
pub struct Prepared<T> {
    job: &'static JobDef,
    payload: Result<Vec<u8>, Error>,
    queue: Option<Cow<'static, str>>,
    priority: Option<i32>,
    options: Options,
    when: When,
    unique: Option<String>,
    unique_for: Option<Duration>,
    result: PhantomData<fn() -> T>,
}

#[derive(Debug, Clone, Copy)]
enum When {
    Now,
    In(Duration),
    At(SystemTime),
}

/// Makes a run of encoded arguments. Every type of arguments and results compiles this anew, so the work is done by
/// functions that know of neither.
pub fn prepare<A, T>(
    job: &'static JobDef,
    decode: fn(&mut Decoder<'_>) -> Result<A, DecodeError>,
    arguments: Encoder,
) -> Prepared<T> {
    let check = |bytes: &[u8]| Decoder::all(job.codec, bytes, decode).map(drop);
    Prepared::new(job, payload(job, arguments, &check))
}

fn payload(
    job: &'static JobDef,
    arguments: Encoder,
    check: &dyn Fn(&[u8]) -> Result<(), DecodeError>,
) -> Result<Vec<u8>, Error> {
    let payload = arguments.finish().and_then(|bytes| {
        // A type that encodes but does not decode again is found at the first enqueue, not in the worker.
        if cfg!(debug_assertions) {
            check(&bytes).map_err(|error| format!("{error}{}", advice(job.codec)))?;
        }
        Ok(bytes)
    });
    payload
        .and_then(|bytes| {
            let sealed = seal(job.envelope(), &bytes);
            sealed.ok_or_else(|| "they are larger than 4 GiB".to_owned())
        })
        .map_err(|reason| Error::Encode {
            job: job.name,
            reason,
        })
}

impl<T> Prepared<T> {
    fn new(job: &'static JobDef, payload: Result<Vec<u8>, Error>) -> Self {
        Self {
            job,
            payload,
            queue: None,
            priority: None,
            options: Options::default(),
            when: When::Now,
            unique: None,
            unique_for: None,
            result: PhantomData,
        }
    }

    /// The lane it waits in, in at most 1024 bytes. Default: the job's, else `default`.
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = Some(Cow::Owned(queue.into()));
        self
    }

    /// Higher goes first. Default: the job's, else 10.
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = Some(priority);
        self
    }

    /// The longest attempt; to the millisecond. Default: the job's, else 120 s, and 30 s for a job with a schedule.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout_ms = Some(option_millis(timeout));
        self
    }

    /// How many further attempts follow a failed one. Default: the job's, else 5, and none for a job with a schedule.
    pub fn retry(mut self, retry: u32) -> Self {
        self.options.retry = Some(retry);
        self
    }

    /// The base of the delay between attempts; to the millisecond. Default: the job's, else 10 s.
    pub fn retry_delay(mut self, delay: Duration) -> Self {
        self.options.retry_delay_ms = Some(option_millis(delay));
        self
    }

    /// How the delay between attempts grows. Default: the job's, else [`Backoff::Exponential`].
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.options.backoff = Some(backoff);
        self
    }

    /// How much chance lengthens the delay between attempts, from 0.0 (none) to 1.0 (at most double).
    /// Other values count as not set. Default: the job's, else 0.5 for [`Backoff::Exponential`], and 0.0 for the
    /// others.
    pub fn jitter(mut self, jitter: f64) -> Self {
        self.options.jitter = Some(jitter);
        self
    }

    /// How long the run stays once it is finished, to the millisecond; zero deletes it at once. Default: the job's,
    /// else 1 hour, and 7 days if it failed.
    pub fn keep(mut self, keep: Duration) -> Self {
        self.options.keep_ms = Some(option_millis(keep));
        self
    }

    /// Words to find it by: see [`RunFilter::tag`](crate::RunFilter::tag). Default: none.
    pub fn tags(mut self, tags: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.options.tags = tags.into_iter().map(Into::into).collect();
        self
    }

    /// Lets something travel with the run, such as the id of the request that it comes from: the attempt reads it with
    /// [`Context::metadata`](crate::Context::metadata), and lists of runs show it. A second value of one key replaces the
    /// first. Tags, metadata and options together have 8 KiB.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.metadata.insert(key.into(), value.into());
        self
    }

    /// Keeps twins out: while this run waits or runs, enqueueing another of the same job with the same key stores
    /// nothing and gives this run's handle, which then [says so](Handle::is_duplicate).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # use afterhours::{Client, job};
    /// # #[job] async fn send_email(user_id: u64, template: &str) {}
    /// # let client = Client::open_in_memory().await?;
    /// let first = client.enqueue(send_email::prepare(42, "welcome").unique("mail:42")).await?;
    /// let twin = client.enqueue(send_email::prepare(42, "reminder").unique("mail:42")).await?;
    /// assert_eq!(twin.id(), first.id());
    /// assert!(twin.is_duplicate() && !first.is_duplicate());
    /// # Ok(()) }
    /// ```
    pub fn unique(mut self, key: impl Into<String>) -> Self {
        self.unique = Some(key.into());
        self
    }

    /// Keeps twins out for this long after it is enqueued, also when it has ended before; to the millisecond. Twins
    /// are runs with the same key, or with the same arguments if neither the call site nor the job names a key.
    /// Default: the job's; without one, only [`unique`](Self::unique) keeps twins out.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # use afterhours::{Client, job};
    /// # use std::time::Duration;
    /// # #[job] async fn send_email(user_id: u64, template: &str) {}
    /// # let client = Client::open_in_memory().await?;
    /// let daily = || send_email::prepare(42, "digest").unique_for(Duration::from_secs(24 * 60 * 60));
    /// let first = client.enqueue(daily()).await?;
    /// first.cancel().await?;
    /// assert!(client.enqueue(daily()).await?.is_duplicate());
    /// # Ok(()) }
    /// ```
    pub fn unique_for(mut self, period: Duration) -> Self {
        self.unique_for = Some(period);
        self
    }

    /// Starts it when this much time has passed, to the millisecond, whatever happens to the wall clock meanwhile.
    /// [`Status`](crate::Status) shows it in use.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.when = When::In(delay);
        self
    }

    /// Starts it when the wall clock shows this time, to the millisecond.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # use afterhours::{Client, Status, job};
    /// # use std::time::{Duration, SystemTime};
    /// # #[job] async fn send_email(user_id: u64) {}
    /// # let client = Client::open_in_memory().await?;
    /// let tomorrow = SystemTime::now() + Duration::from_secs(24 * 60 * 60); // or a `chrono::DateTime`
    /// let run = client.enqueue(send_email::prepare(42).at(tomorrow)).await?;
    /// assert!(matches!(run.status().await?, Status::Scheduled { .. }));
    /// # Ok(()) }
    /// ```
    pub fn at(mut self, when: impl Into<SystemTime>) -> Self {
        self.when = When::At(when.into());
        self
    }

    /// Enqueues it with the client of the attempt around the caller, else with the installed one.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # use afterhours::{Client, job};
    /// # #[job] async fn send_email(user_id: u64) {}
    /// # Client::open_in_memory().await?.install()?;
    /// let run = send_email::prepare(42).priority(20).enqueue().await?;
    /// assert!(!run.status().await?.is_finished());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When it is awaited: [`Error::NoClient`] if there is neither; else as [`Client::enqueue`].
    pub fn enqueue(self) -> Perform<T> {
        let job = self.job;
        let enqueued = current_client().and_then(|client| {
            let run = self.into_run_of(&client, client.now())?;
            Ok((run, client))
        });
        Perform::new(job, enqueued)
    }

    /// As [`Prepared::enqueue`], for plain `fn` code: waits on this thread until the run is stored.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # use afterhours::{Client, Error, Handle, job};
    /// # #[job] async fn send_email(user_id: u64) {}
    /// # Client::open_in_memory().await?.install()?;
    /// fn sign_up(user_id: u64) -> Result<Handle<()>, Error> {
    ///     send_email::prepare(user_id).enqueue_blocking()
    /// }
    /// let run = tokio::task::spawn_blocking(|| sign_up(42)).await??;
    /// assert!(!run.is_duplicate());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Prepared::enqueue`].
    pub fn enqueue_blocking(self) -> Result<Handle<T>, Error> {
        let client = current_client()?;
        let job = self.job;
        let run = self.into_run_of(&client, client.now())?;
        let inserted = client.insert_blocking(run)?;
        Ok(Handle::enqueued(Some(client), job, inserted))
    }

    /// The arguments as they would be stored.
    #[cfg(feature = "testing")]
    pub(crate) fn into_payload(self) -> Result<Vec<u8>, Error> {
        self.payload
    }

    pub(crate) fn job(&self) -> &'static JobDef {
        self.job
    }

    /// What the ticks of a schedule enqueue: the schedule says when they are due.
    pub(crate) fn into_scheduled_run(self, max_payload: usize) -> Result<NewRun, Error> {
        let job = self.job;
        match self.when {
            // No time is asked for.
            When::Now => self.into_run(Now { wall: 0, store: 0 }, max_payload),
            When::In(_) | When::At(_) => Err(Error::Schedule {
                schedule: job.name.to_owned(),
                reason: "the schedule says when its runs are due: leave `delay` and `at` out"
                    .to_owned(),
            }),
        }
    }

    /// The run as this client enqueues it, after its hooks have seen it.
    pub(crate) fn into_run_of(mut self, client: &Client, now: Now) -> Result<NewRun, Error> {
        client.hooks().enqueue(&mut Enqueue {
            job: self.job.name,
            queue: self.queue.as_deref().unwrap_or(self.job.queue),
            metadata: &mut self.options.metadata,
        });
        self.into_run(now, client.max_payload())
    }

    /// The run, if nothing of it is too large.
    pub(crate) fn into_run(self, now: Now, max_payload: usize) -> Result<NewRun, Error> {
        let envelope = self.job.envelope();
        let due = match self.when {
            When::Now => Due::Now,
            When::In(delay) => Due::Store(now.store.saturating_add(duration_millis(delay))),
            When::At(when) => Due::Wall(to_millis(when)),
        };
        let payload = self.payload?;
        let unique = unique(self.job, self.unique.as_deref(), self.unique_for, &payload);
        let options = self.options.to_stored();
        let queue = self.queue.unwrap_or(Cow::Borrowed(self.job.queue));
        let sizes = Sizes {
            arguments: content_len(&payload),
            options: options.as_ref().map_or(0, String::len),
            queue: queue.len(),
            key: self.unique.as_ref().map_or(0, String::len),
        };
        sizes.check(self.job.name, max_payload)?;
        Ok(NewRun {
            kind: Kind {
                queue,
                job: Cow::Borrowed(self.job.name),
                version: envelope.version,
                signature: envelope.signature,
            },
            priority: self.priority.unwrap_or(self.job.priority),
            due,
            payload,
            options,
            unique,
        })
    }
}

/// Which runs are its twins: what the call site says, else what the job says.
fn unique(
    job: &JobDef,
    key: Option<&str>,
    period: Option<Duration>,
    payload: &[u8],
) -> Option<Unique> {
    let key = match (key, job.unique) {
        (Some(key), _) => tagged(KEY, key.as_bytes()),
        (None, Some(UniqueDef::Key(key))) => tagged(KEY, key.as_bytes()),
        (None, None) if period.is_none() => return None,
        (None, Some(UniqueDef::Arguments) | None) => tagged(ARGUMENTS, payload),
    };
    let period = period.or(job.unique_for).map(duration_millis);
    Some(Unique { key, period })
}

/// Arguments are never taken for a key of the same bytes.
const ARGUMENTS: u8 = 0;
const KEY: u8 = 1;

fn tagged(tag: u8, bytes: &[u8]) -> Vec<u8> {
    [&[tag], bytes].concat()
}

impl<T> fmt::Debug for Prepared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("job", &self.job.name)
            .field("when", &self.when)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Enqueues a prepared run in this client's store. [`Client`] and [`Prepared`] show it in use.
    ///
    /// # Errors
    /// If the arguments cannot be stored, [`Error::TooLarge`] if they or what was set are too large, or if the store
    /// cannot take the run. See [`Error::is_unknown`].
    pub fn enqueue<T>(&self, prepared: Prepared<T>) -> Perform<T> {
        let job = prepared.job;
        let run = prepared.into_run_of(self, self.now());
        Perform::new(job, run.map(|run| (run, self.clone())))
    }

    /// Enqueues many runs in one transaction: all of them or none.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # use afterhours::{Client, job};
    /// # #[job] async fn resize(path: &str) {}
    /// # let client = Client::open_in_memory().await?;
    /// let paths = ["a.png", "b.png"];
    /// let runs = client.enqueue_all(paths.iter().map(|path| resize::prepare(path))).await?;
    /// assert_eq!(runs.len(), 2);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Client::enqueue`].
    pub async fn enqueue_all<T>(
        &self,
        prepared: impl IntoIterator<Item = Prepared<T>>,
    ) -> Result<Vec<Handle<T>>, Error> {
        let now = self.now();
        let (jobs, runs): (Vec<_>, Vec<_>) = prepared
            .into_iter()
            .map(|prepared| (prepared.job, prepared.into_run_of(self, now)))
            .unzip();
        let runs = runs.into_iter().collect::<Result<Vec<_>, _>>()?;
        let inserted = self.insert_all(runs).await?;
        Ok(jobs
            .into_iter()
            .zip(inserted)
            .map(|(job, inserted)| Handle::enqueued(Some(self.clone()), job, inserted))
            .collect())
    }
}

/// The future that stores a run; it gives the run's [`Handle`].
///
/// `Ok` means that the run is stored and will be executed. `Err` before anything was sent to the store (no client,
/// arguments that cannot be stored) means that it is not. Dropping the future half-way, or an error with
/// [`Error::is_unknown`], leaves it open.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
/// # use afterhours::{Client, job};
/// # #[job] async fn greet(name: &str) {}
/// # let client = Client::open_in_memory().await?;
/// let name = String::from("Ada");
/// let stored = tokio::spawn(client.enqueue(greet::prepare(&name))); // it borrows nothing
/// let run = stored.await??;
/// assert!(!run.is_duplicate());
/// # Ok(()) }
/// ```
#[must_use = "nothing is enqueued until this is awaited"]
pub struct Perform<T> {
    job: &'static JobDef,
    client: Option<Client>,
    insert: Pin<Box<dyn Future<Output = Result<Inserted, Error>> + Send>>,
    result: PhantomData<fn() -> T>,
}

impl<T> Perform<T> {
    fn new(job: &'static JobDef, enqueued: Result<(NewRun, Client), Error>) -> Self {
        let client = enqueued.as_ref().ok().map(|(_, client)| client.clone());
        let insert = Box::pin(async move {
            let (run, client) = enqueued?;
            client.insert(run).await
        });
        Self {
            job,
            client,
            insert,
            result: PhantomData,
        }
    }
}

impl<T> Future for Perform<T> {
    type Output = Result<Handle<T>, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<Self::Output> {
        let inserted = task::ready!(self.insert.as_mut().poll(context))?;
        Poll::Ready(Ok(Handle::enqueued(self.client.take(), self.job, inserted)))
    }
}

impl<T> fmt::Debug for Perform<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Perform")
            .field("job", &self.job.name)
            .finish_non_exhaustive()
    }
}
