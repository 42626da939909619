//! An outsider who can write rows into the file: he can make a run fail or wait, and nothing else. The worker goes on
//! with its other runs, nothing panics, and the store is never said to have failed.

mod ears;
mod rows;

use std::time::Duration;

use afterhours::rusqlite::{Connection, Params};
use afterhours::{Client, Error, Handle, JobError, Result, RunningWorker, Status, Worker, job};

use ears::Ears;

/// Only a test that hangs waits that long.
const LIMIT: Duration = Duration::from_secs(60);

#[job(name = "strangers.echo", retry = 0)]
async fn echo(text: &str) -> Result<String> {
    Ok(text.to_owned())
}

#[job(name = "strangers.fail", retry = 0)]
async fn fail() -> Result {
    Err(JobError::from("as it should"))
}

#[job(name = "strangers.wait", retry = 1)]
async fn wait(#[state] stage: &Stage, then: &str) -> Result {
    stage.started.notify_one();
    stage.go.notified().await;
    match then {
        "succeed" => Ok(()),
        "snooze" => Err(JobError::snooze(Duration::from_secs(3600))),
        "retry" => Err(JobError::retry_in(Duration::from_secs(3600), "once more")),
        _ => Err(JobError::discard("as it should")),
    }
}

/// Between a job that waits and its test.
#[derive(Default)]
struct Stage {
    started: tokio::sync::Notify,
    go: tokio::sync::Notify,
}

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(LIMIT, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited too long for {what}"),
    }
}

/// A store, and a connection of another program on it.
struct Bench {
    ears: &'static Ears,
    folder: tempfile::TempDir,
    client: Client,
    outsider: Connection,
    stage: std::sync::Arc<Stage>,
}

impl Bench {
    async fn new() -> Result<Self> {
        let ears = Ears::listening();
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("jobs.db");
        let client = Client::open(&path).await?;
        let outsider = Connection::open(&path)?;
        outsider.busy_timeout(LIMIT)?;
        let stage = std::sync::Arc::default();
        Ok(Self {
            ears,
            folder,
            client,
            outsider,
            stage,
        })
    }

    /// The outsider writes.
    fn write(&self, sql: &str, values: impl Params) -> Result {
        let changed = self.outsider.execute(sql, values)?;
        assert!(changed > 0, "nothing was changed: {sql}");
        Ok(())
    }

    /// Writes into the row of a run, and whether it is ready where that follows from its row.
    fn set<T>(&self, run: &Handle<T>, set: &str) -> Result {
        let update = format!("UPDATE afterhours_runs SET {set} WHERE id = ?1");
        self.write(&update, [run.id()])?;
        let [forget, add] = [
            "DELETE FROM afterhours_ready WHERE run = ?1",
            "INSERT INTO afterhours_ready (suspect, kind, priority, run)
             SELECT crashes >= 2, kind, priority, id FROM afterhours_runs WHERE id = ?1 AND state = 0",
        ];
        self.outsider.execute(forget, [run.id()])?;
        self.outsider.execute(add, [run.id()])?;
        Ok(())
    }

    /// Which lock file the store has: the number at its beginning.
    fn lock_file(&self) -> Result<i64> {
        let content = std::fs::read(self.folder.path().join("jobs.db-afterhours.lock"))?;
        let number = content.first_chunk().ok_or("an empty lock file")?;
        Ok(i64::from_le_bytes(*number))
    }

    async fn start(&self) -> Result<RunningWorker> {
        let worker = Worker::builder(self.client.clone())
            .jobs([echo::JOB, fail::JOB, wait::JOB])
            .shared(std::sync::Arc::clone(&self.stage))
            .startup_jitter(Duration::ZERO);
        Ok(worker.build()?.start().await?)
    }

    /// A run that comes after all others has ended, so the worker has looked at those before it.
    async fn looked(&self, what: &str) -> Result {
        let last = echo::prepare("last").priority(i32::MIN);
        let run = self.client.enqueue(last).await?;
        assert_eq!(within(what, run.join()).await?, "last");
        Ok(())
    }

    fn assert_calm(&self, what: &str) {
        let words = self.ears.of_trouble();
        assert!(words.is_empty(), "{what}: {words:#?}");
    }
}

/// What becomes of the run that the outsider has written to.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Done,
    Failed,
    /// Kept for a build that may know it, with these words.
    Parked(&'static str),
    /// Nobody touches it, and it shows as this.
    Left(fn(&Status) -> bool),
    /// It shows as a run of nobody's job.
    Strange,
}

async fn assert_fate<T>(what: &str, run: &Handle<T>, fate: Fate) {
    let status = run.status().await;
    let is_so = match (fate, &status) {
        (Fate::Done, Ok(Status::Done { .. })) | (Fate::Failed, Ok(Status::Failed { .. })) => true,
        (Fate::Parked(words), Ok(Status::Incompatible { reason })) => reason.contains(words),
        (Fate::Left(shows), Ok(status)) => shows(status),
        (Fate::Strange, Err(Error::WrongJob { .. })) => true,
        _ => false,
    };
    assert!(is_so, "{what}: {fate:?} was expected, not {status:?}");
}
