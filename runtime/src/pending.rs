//! Enqueueing in the application's own transaction: committed together with its rows, or not at all.

use std::fmt;

use rusqlite::Transaction;

use crate::client::Client;
use crate::context::current_client;
use crate::error::Error;
use crate::handle::Handle;
use crate::perform::Prepared;
use crate::run::RunId;
use crate::store::Effects;
use crate::store::sqlite::insert_beside;

impl<T> Prepared<T> {
    /// Enqueues it in a transaction of the application on the same file. The run exists when the transaction is
    /// committed, and never did if it is rolled back.
    ///
    /// Begin the transaction with `TransactionBehavior::Immediate`: SQLite's default cannot start to write once
    /// another connection has written meanwhile.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # use afterhours::{Client, job};
    /// # use afterhours::rusqlite::{Connection, TransactionBehavior};
    /// # #[job] async fn ship(order: u64) {}
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("shop.db");
    /// # let client = Client::open(&path).await?;
    /// # client.install()?;
    /// let mut shop = Connection::open(&path)?;
    /// # shop.execute_batch("CREATE TABLE orders (id INTEGER PRIMARY KEY)")?;
    /// let tx = shop.transaction_with_behavior(TransactionBehavior::Immediate)?;
    /// tx.execute("INSERT INTO orders VALUES (42)", [])?;
    /// let pending = ship::prepare(42).enqueue_with(&tx)?;
    /// tx.commit()?;
    /// let run = pending.wake();
    /// assert_eq!(run.status().await?, afterhours::Status::Ready);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Setting`] if the transaction is one on another file than the client's; [`Error::QueueFull`] at once, if
    /// the queue has a limit and is full; else as
    /// [`Perform`](crate::Perform).
    pub fn enqueue_with(self, tx: &Transaction<'_>) -> Result<Pending<T>, Error> {
        let client = current_client()?;
        if !client.is_on_the_file_of(tx) {
            return Err(Error::Setting {
                setting: "enqueue_with",
                reason: format!(
                    "the transaction is on `{}`, and the jobs are in another store: open the same file",
                    tx.path().unwrap_or_default()
                ),
            });
        }
        let job = self.job();
        let now = client.now();
        let run = self.into_run_of(&client, now)?;
        client.admit_beside(tx, &run)?;
        let (inserted, effects) = insert_beside(tx, &run, now)?;
        let handle = Handle::enqueued(Some(client.clone()), job, inserted);
        Ok(Pending {
            handle,
            client,
            effects,
        })
    }
}

/// A run that exists once the application's transaction is committed. [`Prepared::enqueue_with`] shows it in use.
#[must_use = "call `wake()` after the commit; without it the run starts a little later"]
pub struct Pending<T> {
    handle: Handle<T>,
    client: Client,
    effects: Effects,
}

impl<T> Pending<T> {
    /// The run, if the transaction is committed.
    #[must_use]
    pub fn id(&self) -> RunId {
        self.handle.id()
    }

    /// To be called after the commit: wakes a worker. Dropping it instead costs at most the time until a worker next
    /// looks for other connections' commits: every 25 ms, and every 500 ms once nobody has committed for a second.
    pub fn wake(self) -> Handle<T> {
        self.client.wakes().committed(&self.effects);
        self.client.wakes().tell_others();
        self.handle
    }
}

impl<T> fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending")
            .field("handle", &self.handle)
            .finish_non_exhaustive()
    }
}
