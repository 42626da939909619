//! The job that costs nothing, and stores to enqueue it in.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use afterhours::{Client, Result, Worker, WorkerBuilder, job};
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio::task::JoinSet;

pub(crate) const TASKS: usize = 64;
pub(crate) const BATCH: usize = 1_000;

/// Counts the no-op runs down to the last.
#[derive(Default)]
pub(crate) struct Countdown {
    left: AtomicUsize,
    done: Notify,
}

impl Countdown {
    pub(crate) fn of(runs: usize) -> Arc<Self> {
        Arc::new(Self {
            left: AtomicUsize::new(runs),
            done: Notify::new(),
        })
    }

    pub(crate) async fn is_over(&self) {
        self.done.notified().await;
    }

    pub(crate) fn left(&self) -> usize {
        self.left.load(Ordering::Relaxed)
    }
}

#[job(name = "noop")]
pub(crate) async fn noop(#[state] countdown: &Countdown, _number: u64) {
    if countdown.left.fetch_sub(1, Ordering::Relaxed) == 1 {
        countdown.done.notify_one();
    }
}

/// A store in a folder that goes when it is dropped.
pub(crate) struct Store {
    pub(crate) client: Client,
    pub(crate) folder: TempDir,
}

impl Store {
    pub(crate) async fn new() -> Result<Self> {
        Self::on(&Template::default()).await
    }

    /// On a copy of a file.
    pub(crate) async fn on(template: &Template) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("jobs.db");
        if let Some(file) = &template.0 {
            std::fs::copy(file.path().join("jobs.db"), &path)?;
        }
        let client = Client::open(&path).await?;
        Ok(Self { client, folder })
    }

    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("jobs.db")
    }

    pub(crate) fn worker(&self, countdown: &Arc<Countdown>) -> WorkerBuilder {
        worker(&self.client, countdown)
    }

    /// Closes it to be copied.
    pub(crate) async fn into_template(self) -> Result<Template> {
        self.client.close().await?;
        Ok(Template(Some(self.folder)))
    }
}

/// A closed store that others begin as; or none.
#[derive(Default)]
pub(crate) struct Template(Option<TempDir>);

pub(crate) fn worker(client: &Client, countdown: &Arc<Countdown>) -> WorkerBuilder {
    Worker::builder(client.clone())
        .jobs([noop::JOB])
        .shared(Arc::clone(countdown))
        .concurrency(TASKS)
}

/// Enqueues so many no-op runs, a thousand at a time.
pub(crate) async fn fill(client: &Client, runs: usize) -> Result {
    for batch in 0..runs / BATCH {
        let numbers = (0..BATCH).map(|number| (batch * BATCH + number) as u64);
        client.enqueue_all(numbers.map(noop::prepare)).await?;
    }
    Ok(())
}

/// To ask for the time costs time too: one of so many calls is timed. Not a multiple of anything that the library counts.
const TIMED: usize = 7;

/// What tasks have enqueued.
pub(crate) struct Enqueued {
    /// Runs a second.
    pub(crate) rate: f64,
    /// How long some of the calls took, in microseconds.
    pub(crate) times: Vec<f64>,
}

/// Enqueues about so many from this many tasks, each waiting for its own.
pub(crate) async fn enqueue_from(client: &Client, tasks: usize, runs: usize) -> Result<Enqueued> {
    let each = runs / tasks;
    let since = Instant::now();
    let mut all = JoinSet::new();
    for task in 0..tasks {
        let client = client.clone();
        all.spawn(async move {
            let mut times = Vec::with_capacity(each.div_ceil(TIMED));
            for number in 0..each {
                let enqueued = client.enqueue(noop::prepare((task * runs + number) as u64));
                if number % TIMED == 0 {
                    let since = Instant::now();
                    enqueued.await?;
                    times.push(micros(since.elapsed()));
                } else {
                    enqueued.await?;
                }
            }
            Ok::<_, afterhours::Error>(times)
        });
    }
    let mut times = Vec::new();
    while let Some(one) = all.join_next().await {
        times.extend(one??);
    }
    let rate = (each * tasks) as f64 / since.elapsed().as_secs_f64();
    Ok(Enqueued { rate, times })
}

pub(crate) fn micros(took: Duration) -> f64 {
    took.as_secs_f64() * 1e6
}

/// Returns once nothing is ready or claimed any more, so that all ends are written down.
pub(crate) fn wait_until_drained(path: &Path) -> Result {
    let conn = Connection::open(path)?;
    conn.busy_timeout(Duration::from_secs(10))?;
    let mut is_left = conn.prepare(
        "SELECT EXISTS (SELECT 1 FROM afterhours_ready)
             OR EXISTS (SELECT 1 FROM afterhours_running)",
    )?;
    while is_left.query_row([], |row| row.get(0))? {
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}
