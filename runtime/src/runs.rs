//! Looking at runs from outside: lists by state, job, queue, tag or error, and all that is known of one.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use crate::client::Client;
use crate::clock::from_millis;
use crate::error::Error;
use crate::job::JobDef;
use crate::progress::Progress;
use crate::registry::linked_by_name;
use crate::run::{AttemptRecord, RunId, State, Status};
use crate::sizes::shorten;
use crate::store::sqlite::list;
use crate::store::{ListRequest, Listed, RunRow};

/// Which runs [`Client::runs`] lists, and how many at a time. Everything that is set must hold.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
/// # use afterhours::{Client, RunFilter, RunState, job};
/// # #[job(queue = "mail")] async fn send_email(user_id: u64) {}
/// # let client = Client::open_in_memory().await?;
/// client.enqueue(send_email::prepare(42).tags(["welcome"])).await?;
///
/// let filter = RunFilter::new().state(RunState::Ready).job(send_email::NAME).queue("mail").tag("welcome");
/// let page = client.runs(filter).await?;
/// assert_eq!(page.runs[0].job, send_email::NAME);
/// assert_eq!(page.runs[0].arguments.as_deref(), Some("user_id: 42"));
/// # Ok(()) }
/// ```
///
/// [`Cursor`] shows how one page follows another.
#[derive(Debug, Clone)]
#[must_use]
pub struct RunFilter(ListRequest);

/// How many runs a page has at most.
const PAGE: usize = 50;
const LARGEST_PAGE: usize = 1000;

impl RunFilter {
    /// All runs, the latest enqueued first, 50 to a page.
    pub fn new() -> Self {
        Self(ListRequest {
            limit: PAGE,
            ..ListRequest::default()
        })
    }

    /// Only those in this state, and in the order of it: what is scheduled by the time it is due; what is ready job by
    /// job, each as it will be claimed; what has ended from the one that stays longest, which of runs that are kept
    /// equally long is the latest end; what runs, the latest enqueued first; what is incompatible by job.
    pub fn state(mut self, state: State) -> Self {
        self.0.state = Some(state);
        self
    }

    /// Only those stored under this name of a job.
    pub fn job(mut self, name: impl Into<String>) -> Self {
        self.0.job = Some(name.into());
        self
    }

    /// Only those of this queue.
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.0.queue = Some(queue.into());
        self
    }

    /// Only those with this tag.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.0.tag = Some(tag.into());
        self
    }

    /// Only those whose [`error`](Run::error) has this in it, in upper or lower case. [`Client::runs`] shows it in use.
    pub fn error(mut self, part: impl Into<String>) -> Self {
        self.0.error = Some(part.into());
        self
    }

    /// How many to a page: 1 to 1000. Default: 50.
    pub fn limit(mut self, runs: usize) -> Self {
        self.0.limit = runs.clamp(1, LARGEST_PAGE);
        self
    }

    /// The page that begins where another one of the same filter ended.
    pub fn after(mut self, cursor: Cursor) -> Self {
        self.0.after = Some(cursor.0);
        self
    }
}

impl Default for RunFilter {
    fn default() -> Self {
        Self::new()
    }
}

/// Where a page of runs ends. Its text can go into a link.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
/// # use afterhours::{Client, RunFilter, job};
/// # #[job] async fn send_email(user_id: u64) {}
/// # let client = Client::open_in_memory().await?;
/// client.enqueue_all([1, 2, 3].map(|user| send_email::prepare(user))).await?;
///
/// let filter = RunFilter::new().limit(2);
/// let page = client.runs(filter.clone()).await?;
/// let link = page.next.ok_or("there are more")?.to_string();
/// let rest = client.runs(filter.after(link.parse()?)).await?;
/// assert_eq!((page.runs.len(), rest.runs.len()), (2, 1));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor([i64; 4]);

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.0;
        write!(f, "{a}_{b}_{c}_{d}")
    }
}

/// The text is no cursor.
///
/// ```
/// let error = "x".parse::<afterhours::Cursor>().unwrap_err();
/// assert_eq!(error.to_string(), "`x` is no place in a list of runs: take the `next` of a page");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no place in a list of runs: take the `next` of a page")]
pub struct ParseCursorError(String);

impl FromStr for Cursor {
    type Err = ParseCursorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers: Option<Vec<i64>> = text.split('_').map(|part| part.parse().ok()).collect();
        numbers
            .and_then(|numbers| numbers.try_into().ok())
            .map(Self)
            .ok_or_else(|| ParseCursorError(shorten(text.to_owned())))
    }
}

/// Some of the runs that a filter lets through, from [`Client::runs`]. [`Cursor`] shows it in use.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RunPage {
    /// In the order of the filter's state.
    pub runs: Vec<Run>,
    /// Where the next page begins; `None` at the end of the list. A page looks at 10,000 runs at most, so one of a
    /// filter that lets few through can be short, or empty, and go on.
    pub next: Option<Cursor>,
}

/// A run as it stands in the store, from [`Client::runs`] or [`Client::run`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
/// # use afterhours::{Client, RunState, job};
/// # #[job(queue = "mail")] async fn send_email(user_id: u64, template: &str) {}
/// # let client = Client::open_in_memory().await?;
/// let id = client.enqueue(send_email::prepare(42, "welcome")).await?.id();
///
/// let run = client.run(id).await?.ok_or("it waits")?;
/// assert_eq!((run.queue.as_str(), run.state, run.attempts), ("mail", RunState::Ready, 0));
/// assert_eq!(run.arguments.as_deref(), Some("user_id: 42, template: \"welcome\""));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The name that its job is stored under.
    pub job: String,
    /// The queue that it waits in, or was claimed from.
    pub queue: String,
    /// Higher goes first.
    pub priority: i64,
    /// Where it stands in its life.
    pub state: State,
    /// The same, with what there is to say about it.
    pub status: Status,
    /// How many attempts have begun.
    pub attempts: u32,
    /// When it was enqueued.
    pub enqueued_at: SystemTime,
    /// When its first attempt was due, if it was enqueued for a time.
    pub due_at: Option<SystemTime>,
    /// When the attempt was claimed that is at work, or that it has ended with.
    pub started_at: Option<SystemTime>,
    /// When it ended.
    pub finished_at: Option<SystemTime>,
    /// How far its attempt has come, as that has told: see [`Context::progress`](crate::Context::progress).
    pub progress: Option<Progress>,
    /// Its tags.
    pub tags: Vec<String>,
    /// What travels with it: see [`Prepared::metadata`](crate::Prepared::metadata).
    pub metadata: BTreeMap<String, String>,
    /// Its arguments, as `user_id: 42, template: "welcome"`, if its job is linked into this program and has arguments of
    /// the same signature; cut after 8 KiB, and not shown at all above 64 KiB.
    pub arguments: Option<String>,
    /// Why it has failed, was cancelled or is incompatible; otherwise the error of its last attempt that did not succeed.
    pub error: Option<String>,
}

impl Run {
    pub(crate) fn new(row: RunRow, jobs: &Jobs) -> Self {
        let job = jobs.get(row.job.as_str());
        let arguments = row
            .payload
            .and_then(|payload| job.and_then(|job| job.show(&payload)))
            .map(shorten);
        Self {
            id: row.id,
            job: row.job,
            queue: row.queue,
            priority: row.priority,
            state: row.state,
            status: row.status,
            attempts: row.attempts,
            enqueued_at: from_millis(row.enqueued_at),
            due_at: row.due_at.map(from_millis),
            started_at: row.started_at.map(from_millis),
            finished_at: row.finished_at.map(from_millis),
            progress: row.progress,
            tags: row.tags,
            metadata: row.metadata,
            arguments,
            error: row.error,
        }
    }
}

type Jobs = HashMap<&'static str, &'static JobDef>;

impl Client {
    /// A page of the runs that the filter lets through. Costs as much as the rows it looks at: an index or a table of its
    /// own leads to those of each state.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # use afterhours::{Client, RunFilter, RunState};
    /// # let client = Client::open_in_memory().await?;
    /// let failed = RunFilter::new().state(RunState::Failed).error("connection refused");
    /// let mut after = None;
    /// loop {
    ///     let filter = failed.clone();
    ///     let page = client.runs(after.map_or(filter.clone(), |cursor| filter.after(cursor))).await?;
    ///     for run in &page.runs {
    ///         println!("{} {}: {:?}", run.id, run.job, run.error);
    ///         client.retry(run.id).await?;
    ///     }
    ///     after = page.next;
    ///     if after.is_none() {
    ///         break;
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn runs(&self, filter: RunFilter) -> Result<RunPage, Error> {
        let Listed { runs, next } = self.list(filter.0).await?;
        let jobs = linked_by_name();
        Ok(RunPage {
            runs: runs.into_iter().map(|row| Run::new(row, &jobs)).collect(),
            next: next.map(Cursor),
        })
    }

    /// One run, if it is still there. [`Client::history`] has its attempts, and [`Run`] shows it in use.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn run(&self, id: RunId) -> Result<Option<Run>, Error> {
        let now = self.now();
        let row = match self.readers() {
            Some(readers) => readers.read(move |conn| list::one(conn, id, now)).await?,
            None => self.write(0, move |store| store.row(id, now)).await?,
        };
        Ok(row.map(|row| Run::new(row, &linked_by_name())))
    }

    /// The attempts of a run that did not succeed, the oldest first: the latest 100 of them. There are none of a run
    /// that is gone.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # use afterhours::{Client, job};
    /// # #[job] async fn send_email(user_id: u64) {}
    /// # let client = Client::open_in_memory().await?;
    /// let run = client.enqueue(send_email::prepare(42)).await?;
    /// for attempt in client.history(run.id()).await? {
    ///     println!("attempt {}: {}, {}", attempt.attempt, attempt.outcome.as_str(), attempt.error);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn history(&self, id: RunId) -> Result<Vec<AttemptRecord>, Error> {
        self.attempts(id).await
    }

    /// As [`Client::list`], in memory, for threads outside of a runtime.
    #[cfg(feature = "testing")]
    pub(crate) fn list_blocking(&self, request: ListRequest) -> Result<Listed, Error> {
        let now = self.now();
        self.write_blocking(move |store| store.list(&request, now))
    }

    pub(crate) async fn list(&self, request: ListRequest) -> Result<Listed, Error> {
        let now = self.now();
        match self.readers() {
            Some(readers) => {
                readers
                    .read(move |conn| {
                        let snapshot = conn.unchecked_transaction()?;
                        list::list(&snapshot, &request, now)
                    })
                    .await
            }
            None => self.write(0, move |store| store.list(&request, now)).await,
        }
    }
}
