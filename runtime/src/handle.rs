//! Holding on to a run: where it stands, and what came of it.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::call::decode_result;
use crate::client::Client;
use crate::clock::duration_millis;
use crate::context::{Context, current_client};
use crate::error::Error;
use crate::job::{Fit, JobDef};
use crate::options::{Options, Policy};
use crate::progress::Progress;
use crate::run::{Failure, RunId, State, Status};
use crate::store::{Ending, Inserted, RunView};

/// A run of a job that returns `T`. It can be kept as its [`RunId`] and rebuilt with the job's `handle(id)`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
/// # use afterhours::{Client, Status, job};
/// #[job]
/// async fn double(n: u64) -> afterhours::Result<u64> {
///     Ok(n * 2)
/// }
/// # let client = Client::open_in_memory().await?;
/// let run = client.enqueue(double::prepare(21)).await?;
/// assert_eq!(run.status().await?, Status::Ready);
///
/// let id = run.id();
/// let same = double::handle(id).on(&client);
/// assert!(!same.status().await?.is_finished());
/// # Ok(()) }
/// ```
pub struct Handle<T> {
    client: Option<Client>,
    job: &'static JobDef,
    id: RunId,
    is_duplicate: bool,
    result: PhantomData<fn() -> T>,
}

/// How often a joiner asks the store, in case another process ends the run: from the first to the last.
const FIRST_LOOK: Duration = Duration::from_millis(20);
const LAST_LOOK: Duration = Duration::from_secs(1);

impl<T> Handle<T> {
    pub(crate) fn new(client: Option<Client>, job: &'static JobDef, id: RunId) -> Self {
        Self {
            client,
            job,
            id,
            is_duplicate: false,
            result: PhantomData,
        }
    }

    /// Of the run that was stored, or of the twin that kept it out.
    pub(crate) fn enqueued(
        client: Option<Client>,
        job: &'static JobDef,
        inserted: Inserted,
    ) -> Self {
        Self {
            is_duplicate: inserted.is_duplicate,
            ..Self::new(client, job, inserted.id)
        }
    }

    /// The run.
    #[must_use]
    pub fn id(&self) -> RunId {
        self.id
    }

    /// Whether the enqueue that gave this handle stored nothing, because a twin was there: this is the twin's handle.
    /// See [`Prepared::unique`](crate::Prepared::unique).
    #[must_use]
    pub fn is_duplicate(&self) -> bool {
        self.is_duplicate
    }

    /// The same run in this client's store, for handles made without an installed client.
    #[must_use]
    pub fn on(mut self, client: &Client) -> Self {
        self.client = Some(client.clone());
        self
    }

    /// Where the run stands now.
    ///
    /// # Errors
    /// [`Error::Gone`] if there is no such run (any more), [`Error::WrongJob`] if it belongs to another job.
    pub async fn status(&self) -> Result<Status, Error> {
        Ok(self.look(&self.client()?).await?.status)
    }

    /// Cancels the run, and says where it stands then.
    ///
    /// A run that waits is cancelled at once. One that runs is asked to end: [`Context::cancelled`] resolves in its
    /// attempt, wherever that is, and after the worker's [grace period](crate::WorkerBuilder::shutdown_grace) an
    /// `async` job is dropped. Then the run is cancelled, also if the attempt has failed meanwhile; if it has
    /// succeeded, its result stands. A run that has ended stays as it is.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # use afterhours::{Client, Status, job};
    /// # #[job] async fn send_email(user_id: u64) {}
    /// # let client = Client::open_in_memory().await?;
    /// let run = client.enqueue(send_email::prepare(42)).await?;
    /// assert!(matches!(run.cancel().await?, Status::Cancelled { .. }));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Gone`] if there is no such run (any more), [`Error::WrongJob`] if it belongs to another job.
    pub async fn cancel(&self) -> Result<Status, Error> {
        let client = self.client()?;
        let view = self.look(&client).await?;
        let options = Options::from_stored(view.options.as_deref());
        let keep = duration_millis(Policy::of(self.job, &options).keep_done);
        client.cancel_and_keep(self.id, keep).await
    }

    /// How far the run's attempt has come, as it has [told](crate::Context::progress); `None` if it has told nothing, or
    /// no attempt is active. [`Progress`] shows it in use.
    ///
    /// # Errors
    /// As [`Handle::status`].
    pub async fn progress(&self) -> Result<Option<Progress>, Error> {
        let client = self.client()?;
        self.look(&client).await?;
        Ok(client.run(self.id).await?.and_then(|run| run.progress))
    }

    fn client(&self) -> Result<Client, Error> {
        self.client.clone().map_or_else(current_client, Ok)
    }

    async fn look(&self, client: &Client) -> Result<RunView, Error> {
        let id = self.id;
        match client.view(id).await?.filter(|view| !view.is_expired) {
            None => Err(Error::Gone { id }),
            Some(view) if !self.is_mine(&view.job) => Err(Error::WrongJob {
                id,
                expected: self.job.name,
                found: view.job,
            }),
            Some(view) => Ok(self.as_this_build_sees_it(view)),
        }
    }

    /// A run that waits for a build with other arguments is incompatible with this one.
    fn as_this_build_sees_it(&self, view: RunView) -> RunView {
        let RunView {
            version, signature, ..
        } = view;
        let waits = matches!(view.state, State::Ready | State::Scheduled);
        if !waits || self.job.fit_of(version, signature) != Fit::Foreign {
            return view;
        }
        let reason = self.job.mismatch(version, signature);
        RunView {
            state: State::Incompatible,
            status: Status::Incompatible { reason },
            ..view
        }
    }

    fn is_mine(&self, job: &str) -> bool {
        self.job.is_called(job)
    }
}

impl<T: DeserializeOwned> Handle<T> {
    /// Waits until the run has finished and returns its result.
    ///
    /// Inside an attempt, the attempt's place among the worker's concurrent ones is lent to others meanwhile, so
    /// that a job can wait for the jobs it has enqueued. What `concurrency` allows of a job is not lent: one with
    /// `concurrency = 1` that joins another run of itself waits until its timeout.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # use afterhours::{Client, Worker, job};
    /// # #[job] async fn double(n: u64) -> afterhours::Result<u64> { Ok(n * 2) }
    /// # let client = Client::open_in_memory().await?;
    /// # let worker = Worker::builder(client.clone()).jobs([double::JOB]).build()?.start().await?;
    /// let run = client.enqueue(double::prepare(21)).await?;
    /// assert_eq!(run.join().await?, 42);
    /// # worker.stop().await
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Failed`] with the history of attempts, [`Error::Cancelled`], [`Error::Incompatible`] if no attempt
    /// is possible with this build, [`Error::Gone`] if the run was deleted before it could be asked.
    pub async fn join(&self) -> Result<T, Error> {
        match Context::current() {
            Some(context) => context.inner().slot.lend(self.wait()).await,
            None => self.wait().await,
        }
    }

    async fn wait(&self) -> Result<T, Error> {
        let client = self.client()?;
        let listener = Listener {
            client: &client,
            id: self.id,
            ended: Some(client.joiners().listen(self.id)),
        };
        listener.wait(self).await
    }

    async fn finished(&self, client: &Client, view: RunView) -> Option<Result<T, Error>> {
        let id = self.id;
        Some(match (view.state, view.status) {
            (State::Done, _) => self.decode(&view.result.unwrap_or_default()),
            (_, Status::Failed { error, .. }) => Err(self.failure(client, error).await),
            (_, Status::Cancelled { reason, .. }) => Err(Error::Cancelled { id, reason }),
            (_, Status::Incompatible { reason }) => Err(Error::Incompatible { id, reason }),
            _ => return None,
        })
    }

    async fn ended(&self, client: &Client, ending: Ending) -> Result<T, Error> {
        match ending {
            Ending::Done { result, .. } => self.decode(&result),
            Ending::Cancelled { reason, .. } => Err(Error::Cancelled {
                id: self.id,
                reason,
            }),
            Ending::Failed { error, .. } => Err(self.failure(client, error).await),
            Ending::Park { reason } => Err(Error::Incompatible {
                id: self.id,
                reason,
            }),
            Ending::Retry { .. } | Ending::Snooze { .. } | Ending::Release => {
                Err(Error::Gone { id: self.id })
            }
        }
    }

    async fn failure(&self, client: &Client, error: String) -> Error {
        // The history may be gone already; the error is what counts.
        let attempts = client.attempts(self.id).await.unwrap_or_default();
        Error::Failed(Box::new(Failure {
            id: self.id,
            job: self.job.name.to_owned(),
            error,
            attempts,
        }))
    }

    fn decode(&self, bytes: &[u8]) -> Result<T, Error> {
        decode_result(self.job, bytes).map_err(|error| Error::Decode {
            id: self.id,
            wanted: std::any::type_name::<T>(),
            reason: error.to_string(),
        })
    }
}

/// Listens for the end of a run, and stops when it is dropped.
struct Listener<'a> {
    client: &'a Client,
    id: RunId,
    ended: Option<watch::Receiver<Option<Ending>>>,
}

impl Listener<'_> {
    async fn wait<T: DeserializeOwned>(mut self, handle: &Handle<T>) -> Result<T, Error> {
        let client = self.client;
        let mut pause = FIRST_LOOK;
        loop {
            if let Some(ending) = self.heard() {
                return handle.ended(client, ending).await;
            }
            match handle.look(client).await {
                Ok(view) => {
                    if let Some(outcome) = handle.finished(client, view).await {
                        return outcome;
                    }
                }
                // Deleted as soon as it finished. The word about it comes after the commit that deleted it and before
                // the next commit, so after one of our own it has come.
                Err(error) => {
                    let _ = client.write(0, |_| Ok(())).await;
                    match self.heard() {
                        Some(ending) => return handle.ended(client, ending).await,
                        None => return Err(error),
                    }
                }
            }
            if !self.news(pause).await {
                // It is at work somewhere else, it seems. Listens before the next look, so that nothing falls in between.
                client.listen_for_ends().await;
            }
            pause = (pause * 2).min(LAST_LOOK);
        }
    }

    fn heard(&self) -> Option<Ending> {
        self.ended.as_ref().and_then(|ended| ended.borrow().clone())
    }

    /// Waits for the word of a worker, or for the time to look again; whether there was a word.
    async fn news(&mut self, pause: Duration) -> bool {
        let Some(ended) = self.ended.as_mut() else {
            return false;
        };
        tokio::select! {
            // An error means that the sender has said its one word and is gone.
            _ = ended.changed() => true,
            () = self.client.clock().sleep(pause) => false,
        }
    }
}

impl Drop for Listener<'_> {
    fn drop(&mut self) {
        self.ended = None;
        self.client.joiners().forget(self.id);
    }
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        Self {
            is_duplicate: self.is_duplicate,
            ..Self::new(self.client.clone(), self.job, self.id)
        }
    }
}

impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("job", &self.job.name)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
