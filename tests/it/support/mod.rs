//! What all modules share: one generous limit, a stage for signals between a job and its test, and stores.

#[path = "../../bin/jobs.rs"]
pub(crate) mod jobs;
#[path = "../../bin/kinds.rs"]
pub(crate) mod kinds;
#[path = "../../bin/ledger.rs"]
pub(crate) mod ledger;

pub(crate) mod aftermath;
pub(crate) mod chance;
pub(crate) mod judge;
pub(crate) mod prey;
pub(crate) mod process;
pub(crate) mod stage;
pub(crate) mod time;

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use afterhours::{Client, Error, Handle, Job, Result, RunningWorker, Status, Worker, job};
use serde::de::DeserializeOwned;

/// Only a test that hangs waits that long.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Waits, but not for ever.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(LIMIT, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited too long for {what}"),
    }
}

/// The result of a run, within the limit.
pub(crate) async fn joined<T: DeserializeOwned>(run: &Handle<T>) -> Result<T, Error> {
    within(&format!("the end of run {}", run.id()), run.join()).await
}

/// Looks at a run until its status is as wanted.
pub(crate) async fn status<T>(
    run: &Handle<T>,
    wanted: impl Fn(&Status) -> bool,
) -> Result<Status, Error> {
    let look = async {
        loop {
            let status = run.status().await?;
            if wanted(&status) {
                return Ok(status);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    within(&format!("the status of run {}", run.id()), look).await
}

pub(crate) fn is_scheduled(status: &Status) -> bool {
    matches!(status, Status::Scheduled { .. })
}

/// A job without effects: when it has ended, the worker has looked for runs.
#[job(name = "support.nothing")]
pub(crate) async fn nothing() {}

/// Returns after the worker has looked for due runs, at the present time of its clock.
pub(crate) async fn looked(client: &Client) -> Result {
    let run = client
        .enqueue(nothing::prepare().priority(i32::MIN))
        .await?;
    Ok(joined(&run).await?)
}

/// Starts a worker for these jobs, and for [`nothing`].
pub(crate) async fn start<const N: usize>(
    client: &Client,
    jobs: [Job; N],
) -> Result<RunningWorker, Error> {
    let jobs = jobs.into_iter().chain([nothing::JOB]);
    Worker::builder(client.clone())
        .jobs(jobs)
        .build()?
        .start()
        .await
}

/// A folder with room for a store.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> std::io::Result<Self> {
        tempfile::tempdir().map(Self)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    /// Where the store is.
    pub(crate) fn store(&self) -> PathBuf {
        self.0.path().join("jobs.db")
    }

    /// A connection of another program on the store.
    pub(crate) fn outsider(
        &self,
    ) -> afterhours::rusqlite::Result<afterhours::rusqlite::Connection> {
        let conn = afterhours::rusqlite::Connection::open(self.store())?;
        conn.busy_timeout(LIMIT)?;
        Ok(conn)
    }
}
