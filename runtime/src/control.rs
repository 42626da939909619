//! What people do to runs and queues from outside: once more, never again, not now.

use crate::client::Client;
use crate::clock::{Millis, Now, duration_millis, from_millis};
use crate::error::Error;
use crate::options::{KEEP_DONE, Options, Policy};
use crate::registry::linked_by_name;
use crate::run::{BY_A_CALLER, RunId, Status};
use crate::sizes;
use crate::store::Store;

impl Client {
    /// Makes a run ready now that has failed, was cancelled, is parked, or waits for its time; says where it stands then.
    /// Its history stays. One that has used up its attempts gets one more.
    ///
    /// A run that is ready, runs, or is done stays as it is. Nobody looks for twins: where the job is `unique`, a run that
    /// took this one's place since it ended does not keep it out.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # use afterhours::{Client, Status, job};
    /// # #[job] async fn send_email(user_id: u64) {}
    /// # let client = Client::open_in_memory().await?;
    /// let run = client.enqueue(send_email::prepare(42)).await?;
    /// client.cancel(run.id()).await?;
    /// assert_eq!(client.retry(run.id()).await?, Status::Ready);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Gone`] if there is no such run (any more).
    pub async fn retry(&self, id: RunId) -> Result<Status, Error> {
        self.decide(id, move |store, _| store.retry_now(id)).await
    }

    /// Cancels a run, as [`Handle::cancel`](crate::Handle::cancel) does, whatever its job. [`Client::retry`] shows it
    /// in use.
    ///
    /// # Errors
    /// [`Error::Gone`] if there is no such run (any more).
    pub async fn cancel(&self, id: RunId) -> Result<Status, Error> {
        let view = self.view(id).await?.ok_or(Error::Gone { id })?;
        let options = Options::from_stored(view.options.as_deref());
        let keep = match linked_by_name().get(view.job.as_str()) {
            Some(job) => duration_millis(Policy::of(job, &options).keep_done),
            None => duration_millis(options.keep().unwrap_or(KEEP_DONE)),
        };
        self.cancel_and_keep(id, keep).await
    }

    /// Fails a run for good that waits for its time or for a worker, or that is parked; says where it stands then. Others
    /// stay as they are: cancel one that runs.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # use afterhours::{Client, Status, job};
    /// # #[job] async fn send_email(user_id: u64) {}
    /// # let client = Client::open_in_memory().await?;
    /// let run = client.enqueue(send_email::prepare(42)).await?;
    /// assert!(matches!(client.discard(run.id()).await?, Status::Failed { .. }));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Gone`] if there is no such run (any more).
    pub async fn discard(&self, id: RunId) -> Result<Status, Error> {
        self.decide(id, move |store, now| store.discard(id, now))
            .await
    }

    /// Lets no worker claim from this queue, whether it has runs or not, until it is [resumed](Client::resume_queue), and
    /// also after all have started anew. Workers obey at their next claim, and have started what they claimed before
    /// within some milliseconds; what is at work goes on. Enqueueing and schedules go on too.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # let client = afterhours::Client::open_in_memory().await?;
    /// client.pause_queue("mail").await?;
    /// assert!(client.stats().await?.queues[0].is_paused);
    /// client.resume_queue("mail").await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Setting`] if the name is longer than that of a queue can be, 1024 bytes.
    pub async fn pause_queue(&self, queue: &str) -> Result<(), Error> {
        self.set_paused(queue, true).await
    }

    /// Lets workers claim from this queue again; twice is fine. [`Client::pause_queue`] shows it in use.
    ///
    /// # Errors
    /// As [`Client::pause_queue`].
    pub async fn resume_queue(&self, queue: &str) -> Result<(), Error> {
        self.set_paused(queue, false).await
    }

    async fn set_paused(&self, queue: &str, paused: bool) -> Result<(), Error> {
        if queue.len() > sizes::NAME {
            return Err(Error::Setting {
                setting: "queue",
                reason: format!(
                    "a name of {} bytes is none that a queue can have: at most {}",
                    queue.len(),
                    sizes::NAME
                ),
            });
        }
        let queue = queue.to_owned();
        self.write(1, move |store| store.pause_queue(&queue, paused))
            .await
    }

    /// Cancels, and says where the run stands then.
    pub(crate) async fn cancel_and_keep(&self, id: RunId, keep: Millis) -> Result<Status, Error> {
        let now = self.now();
        // What it was a moment ago is not asked: the store decides in the transaction that ends it.
        let seen = self
            .write(1, move |store| {
                store.cancel(id, keep, now)?;
                store.run(id, now)
            })
            .await?;
        // With `keep = 0` nothing of it is left to be seen.
        Ok(seen.map_or_else(
            || Status::Cancelled {
                at: from_millis(now.wall),
                reason: BY_A_CALLER.to_owned(),
            },
            |view| view.status,
        ))
    }

    async fn decide(
        &self,
        id: RunId,
        mut decide: impl FnMut(&mut dyn Store, Now) -> Result<bool, Error> + Send + 'static,
    ) -> Result<Status, Error> {
        let now = self.now();
        let seen = self
            .write(1, move |store| {
                decide(store, now)?;
                store.run(id, now)
            })
            .await?;
        seen.map(|view| view.status).ok_or(Error::Gone { id })
    }
}
