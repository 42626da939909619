//! honker, as its documentation shows it: its calls block and share one connection, so the tasks that enqueue are
//! threads. It has no worker: the loop around `claim_batch` and `ack_batch`, or around its waker, is the program's own.

use std::path::Path;
use std::time::Instant;

use honker::{Database, EnqueueOpts, Queue, QueueOpts};
use measure::{BATCH, Library, Measured, OtherProcess, Result, Role, Run, Scenario, batches};

/// What it sets on its connections; it checkpoints every 10,000 pages, a tenth as often as SQLite does by itself.
const DURABILITY: &str = "WAL, synchronous=NORMAL, wal_autocheckpoint=10000";
const BATCHED: &str = "no batch call: 1,000 `enqueue_tx` in one transaction";
const LOOP: &str = "no worker: a loop of `claim_batch` and `ack_batch` with 1,000 at a time, whose handlers run one after the other; finished jobs are deleted";
const WORKER: &str = "worker";

fn main() -> Result {
    match Role::from_arguments()? {
        Role::Work(store) => {
            work(&open(&store)?);
            measure::work_until_parent_ends()
        }
        Role::Measure(run) => {
            let database = open(&run.store)?;
            let sqlite = database.with_conn(|conn| {
                conn.query_row("SELECT sqlite_version()", [], |row| row.get(0))
            })?;
            let library = Library {
                name: "honker",
                lock: include_str!("../Cargo.lock"),
                sqlite,
                durability: DURABILITY,
            };
            measure(&database, &run)?.print(&library, &run)
        }
    }
}

fn measure(database: &Database, run: &Run) -> Result<Measured> {
    let queue = noops(database);
    let starts = start_queue(database);
    let enqueue = |number: u64| {
        queue.enqueue(&number, EnqueueOpts::default())?;
        Ok(())
    };
    let enqueue_start = |sent: u64| {
        starts.enqueue(&sent, EnqueueOpts::default())?;
        Ok(())
    };
    match run.scenario {
        Scenario::One => measure::one(run.count, enqueue),
        Scenario::Tasks64 => measure::tasks64(run.count, enqueue),
        Scenario::Batch => {
            let since = Instant::now();
            fill(database, &queue, run.count)?;
            Ok(Measured::rate(run.count, since.elapsed()).with_note(BATCHED))
        }
        Scenario::Drain => {
            fill(database, &queue, run.count)?;
            let since = Instant::now();
            let done = drain(&queue)?;
            let measured = Measured::rate(run.count, since.elapsed()).with_note(LOOP);
            measure::check_done(done, run.count)?;
            Ok(measured)
        }
        Scenario::Start => {
            work(database);
            measure::starts(run.count, enqueue_start)
        }
        Scenario::StartOther => {
            let _worker = OtherProcess::start(&run.store)?;
            measure::starts(run.count, enqueue_start)
        }
    }
}

/// With the default watcher, which looks every millisecond; the others are said to be experimental.
fn open(store: &Path) -> Result<Database> {
    Ok(Database::open(store)?)
}

fn noops(database: &Database) -> Queue {
    database.queue("noop", QueueOpts::default())
}

fn start_queue(database: &Database) -> Queue {
    database.queue("start", QueueOpts::default())
}

fn fill(database: &Database, queue: &Queue, count: u64) -> Result {
    for numbers in batches(count) {
        let transaction = database.transaction()?;
        for number in numbers {
            queue.enqueue_tx(&transaction, &number, EnqueueOpts::default())?;
        }
        transaction.commit()?;
    }
    Ok(())
}

/// Executes what waits; returns how many were recorded as done.
fn drain(queue: &Queue) -> Result<u64> {
    let mut done = 0;
    loop {
        let jobs = queue.claim_batch(WORKER, BATCH as i64)?;
        if jobs.is_empty() {
            return Ok(done);
        }
        let mut ids = Vec::with_capacity(jobs.len());
        for job in jobs {
            job.payload_as::<u64>()?;
            ids.push(job.id);
        }
        done += u64::try_from(queue.ack_batch(&ids, WORKER)?)?;
    }
}

/// A thread that executes what comes, until the process ends.
fn work(database: &Database) {
    let queue = start_queue(database);
    std::thread::spawn(move || {
        let waker = queue.claim_waker();
        while let Some(job) = waker.next(WORKER)? {
            measure::arrived(job.payload_as()?);
            job.ack()?;
        }
        Result::Ok(())
    });
}
