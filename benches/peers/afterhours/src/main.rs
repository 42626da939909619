//! afterhours, as its README shows it: a client, and a worker with its default concurrency, which is 64.

use std::time::Instant;

use afterhours::{Client, RunningWorker, Worker, job};
use measure::tasks::{self, Queue};
use measure::{Library, Measured, OtherProcess, Result, Role, Run, Scenario, batches};

/// The default, `Durability::Normal`.
const DURABILITY: &str = "WAL, synchronous=NORMAL";

#[job]
async fn noop(_number: u64) {
    measure::executed();
}

#[job]
async fn start(sent: u64) {
    measure::arrived(sent);
}

#[derive(Clone)]
struct Enqueue(Client);

impl Queue for Enqueue {
    async fn noop(&mut self, number: u64) -> Result {
        self.0.enqueue(noop::prepare(number)).await?;
        Ok(())
    }

    async fn start(&mut self, sent: u64) -> Result {
        self.0.enqueue(start::prepare(sent)).await?;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result {
    match Role::from_arguments()? {
        Role::Work(store) => {
            let client = Client::open(&store).await?;
            let worker = Worker::builder(client).build()?.start().await?;
            measure::work_until_parent_ends()?;
            stop(worker).await
        }
        Role::Measure(run) => {
            let client = Client::open(&run.store).await?;
            let measured = measure(&client, &run).await?;
            client.close().await?;
            let library = Library {
                name: "afterhours",
                lock: include_str!("../Cargo.lock"),
                sqlite: afterhours::rusqlite::version().to_owned(),
                durability: DURABILITY,
            };
            measured.print(&library, &run)
        }
    }
}

async fn measure(client: &Client, run: &Run) -> Result<Measured> {
    let queue = Enqueue(client.clone());
    match run.scenario {
        Scenario::One => tasks::one(run.count, queue).await,
        Scenario::Tasks64 => tasks::tasks64(run.count, queue).await,
        Scenario::Batch => {
            let since = Instant::now();
            fill(client, run.count).await?;
            Ok(Measured::rate(run.count, since.elapsed()))
        }
        Scenario::Drain => drain(client, run).await,
        Scenario::Start => {
            let worker = Worker::builder(client.clone()).build()?.start().await?;
            let measured = tasks::starts(run.count, queue).await?;
            stop(worker).await?;
            Ok(measured)
        }
        Scenario::StartOther => {
            let _worker = OtherProcess::start(&run.store)?;
            tasks::starts(run.count, queue).await
        }
    }
}

async fn fill(client: &Client, count: u64) -> Result {
    for numbers in batches(count) {
        client.enqueue_all(numbers.map(noop::prepare)).await?;
    }
    Ok(())
}

async fn drain(client: &Client, run: &Run) -> Result<Measured> {
    fill(client, run.count).await?;
    measure::expect(run.count);
    let worker = Worker::builder(client.clone()).build()?;
    let since = Instant::now();
    let running = worker.start().await?;
    measure::wait_until_executed()?;
    // The last ones are recorded while the worker stops.
    stop(running).await?;
    let measured = Measured::rate(run.count, since.elapsed());
    let conn = afterhours::rusqlite::Connection::open(&run.store)?;
    let done = "SELECT count(*) FROM afterhours_runs WHERE state = 3";
    let done: i64 = conn.query_row(done, [], |row| row.get(0))?;
    measure::check_done(u64::try_from(done)?, run.count)?;
    Ok(measured)
}

async fn stop(worker: RunningWorker) -> Result {
    // A job's error is none of the standard library's.
    worker
        .stop()
        .await
        .map_err(|error| error.to_string().into())
}
