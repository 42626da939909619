//! effectum, as its documentation shows it: one queue in the process, which writes on a thread of its own and puts what
//! waits into one transaction, and a worker on it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use effectum::{Job, JobRunner, RunningJob, Worker};
use measure::tasks::{self, Queue};
use measure::{Library, Measured, Result, Role, Run, Scenario, TASKS, batches};

/// effectum sets `synchronous=NORMAL`. It means to set WAL as well, but misspells the pragma: left alone it keeps a
/// rollback journal and waits for the disk in every transaction. The file remembers its mode, so it is set before.
const DURABILITY: &str = "WAL (set by the benchmark), synchronous=NORMAL";
const ALONE: &str = "a worker hears of new jobs from the queue of its own process only";
/// Long enough for the last transaction.
const PATIENCE: Duration = Duration::from_secs(10);

async fn noop(job: RunningJob, _context: ()) -> effectum::Result<()> {
    job.json_payload::<u64>()?;
    measure::executed();
    Ok(())
}

async fn start(job: RunningJob, _context: ()) -> effectum::Result<()> {
    measure::arrived(job.json_payload()?);
    Ok(())
}

#[derive(Clone)]
struct Enqueue(Arc<effectum::Queue>);

impl Queue for Enqueue {
    async fn noop(&mut self, number: u64) -> Result {
        self.0.add_job(job("noop", number)?).await?;
        Ok(())
    }

    async fn start(&mut self, sent: u64) -> Result {
        self.0.add_job(job("start", sent)?).await?;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result {
    match Role::from_arguments()? {
        Role::Work(_) => Err(ALONE.into()),
        Role::Measure(run) => {
            let library = Library {
                name: "effectum",
                lock: include_str!("../Cargo.lock"),
                sqlite: rusqlite::version().to_owned(),
                durability: DURABILITY,
            };
            measure(&run).await?.print(&library, &run)
        }
    }
}

async fn measure(run: &Run) -> Result<Measured> {
    let queue = open(&run.store).await?;
    let measured = match run.scenario {
        Scenario::One => tasks::one(run.count, Enqueue(queue.clone())).await,
        Scenario::Tasks64 => tasks::tasks64(run.count, Enqueue(queue.clone())).await,
        Scenario::Batch => {
            let since = Instant::now();
            fill(&queue, run.count).await?;
            Ok(Measured::rate(run.count, since.elapsed()))
        }
        Scenario::Drain => drain(&queue, run.count).await,
        Scenario::Start => {
            let worker = worker(&queue).await?;
            let measured = tasks::starts(run.count, Enqueue(queue.clone())).await;
            worker.unregister(Some(PATIENCE)).await?;
            measured
        }
        Scenario::StartOther => Ok(Measured::impossible(ALONE)),
    };
    queue.close(PATIENCE).await?;
    measured
}

async fn open(store: &Path) -> Result<Arc<effectum::Queue>> {
    let conn = rusqlite::Connection::open(store)?;
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    drop(conn);
    Ok(Arc::new(effectum::Queue::new(store).await?))
}

fn job(kind: &'static str, number: u64) -> Result<Job> {
    Ok(Job::builder(kind).json_payload(&number)?.build())
}

async fn worker(queue: &effectum::Queue) -> Result<Worker> {
    let jobs = [
        JobRunner::builder("noop", noop).build(),
        JobRunner::builder("start", start).build(),
    ];
    let worker = Worker::builder(queue, ())
        .jobs(jobs)
        .max_concurrency(TASKS as u16);
    Ok(worker.build().await?)
}

async fn fill(queue: &effectum::Queue, count: u64) -> Result {
    for mut numbers in batches(count) {
        let jobs = numbers.try_fold(Vec::new(), |mut jobs, number| {
            jobs.push(job("noop", number)?);
            Result::Ok(jobs)
        });
        queue.add_jobs(jobs?).await?;
    }
    Ok(())
}

async fn drain(queue: &effectum::Queue, count: u64) -> Result<Measured> {
    fill(queue, count).await?;
    measure::expect(count);
    let since = Instant::now();
    let worker = worker(queue).await?;
    measure::wait_until_executed()?;
    // The last ones are recorded while the worker stops.
    worker.unregister(Some(PATIENCE)).await?;
    let measured = Measured::rate(count, since.elapsed());
    let left = queue.num_active_jobs().await?;
    measure::check_done(count - left.pending - left.running, count)?;
    Ok(measured)
}
