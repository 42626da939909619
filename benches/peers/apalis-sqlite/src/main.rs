//! apalis-sqlite, as its documentation shows it: tasks are pushed into a storage over a pool of connections, and a worker
//! with 64 slots is woken by SQLite's update hook where it can be, and looks by itself where it cannot.

use std::path::Path;
use std::time::{Duration, Instant};

use apalis::prelude::*;
use apalis_sqlite::callback::HookCallbackListener;
use apalis_sqlite::{Config, SqliteStorage};
use measure::tasks::{self, Queue};
use measure::{Library, Measured, OtherProcess, Result, Role, Run, Scenario, TASKS, batches};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

/// `SqliteStorage::setup` would set `synchronous=OFF` on one connection of the pool and leave SQLite's default, FULL, on
/// the others. So its migrations are run without it, and all connections get the same by way of the pool's options, with
/// what else `setup` would set.
const DURABILITY: &str = "WAL, synchronous=NORMAL (set by the benchmark)";
const POLLED: &str =
    "polled: the update hook does not reach other processes; set to look every 20 ms";

/// What is to be recorded is looked for by who claimed it, whether `ANALYZE` was run or not.
const SLOWER: &str = "the more jobs a worker has done that are still stored, the longer it takes to record one: with 8,000 instead of 2,000 the rate is about a third";

/// More do not help: one writes at a time.
const CONNECTIONS: u32 = 4;
/// Beside the update hook, as its README has it.
const FALLBACK: Duration = Duration::from_millis(500);
/// At shorter intervals, 10 ms for example, it now and then does not look again before the next heartbeat: when a look
/// took longer than the interval.
const POLL: Duration = Duration::from_millis(20);
/// Bounds what that costs. The default is 30 s.
const HEARTBEAT: Duration = Duration::from_secs(1);

async fn noop(_number: u64) {
    measure::executed();
}

async fn start(sent: u64) {
    measure::arrived(sent);
}

#[derive(Clone)]
struct Enqueue {
    noops: SqliteStorage<u64>,
    starts: SqliteStorage<u64>,
}

impl Enqueue {
    fn on(pool: &SqlitePool) -> Self {
        let storage = |queue| SqliteStorage::new(pool).with_config(config(queue));
        Self {
            noops: storage("noop"),
            starts: storage("start"),
        }
    }

    async fn open(store: &Path) -> Result<Self> {
        Ok(Self::on(&open(store).await?))
    }
}

impl Queue for Enqueue {
    async fn noop(&mut self, number: u64) -> Result {
        Ok(self.noops.push(number).await?)
    }

    async fn start(&mut self, sent: u64) -> Result {
        Ok(self.starts.push(sent).await?)
    }
}

#[tokio::main]
async fn main() -> Result {
    match Role::from_arguments()? {
        Role::Work(store) => {
            let pool = open(&store).await?;
            let config = config("start").heartbeat_interval(HEARTBEAT);
            let storage = SqliteStorage::new(&pool)
                .with_config(config)
                .poll_with_interval(POLL);
            let worker = WorkerBuilder::new("other")
                .backend(storage)
                .concurrency(TASKS)
                .parallelize(tokio::spawn)
                .build(start);
            tokio::spawn(worker.run());
            measure::work_until_parent_ends()
        }
        Role::Measure(run) => {
            let measured = measure(&run).await?;
            let library = Library {
                name: "apalis-sqlite",
                lock: include_str!("../Cargo.lock"),
                sqlite: libsqlite3_sys::SQLITE_VERSION.to_str()?.to_owned(),
                durability: DURABILITY,
            };
            measured.print(&library, &run)
        }
    }
}

async fn measure(run: &Run) -> Result<Measured> {
    let (count, store) = (run.count, run.store.as_path());
    match run.scenario {
        Scenario::One => tasks::one(count, Enqueue::open(store).await?).await,
        Scenario::Tasks64 => tasks::tasks64(count, Enqueue::open(store).await?).await,
        Scenario::Batch => {
            let queues = Enqueue::open(store).await?;
            let since = Instant::now();
            fill(queues.noops, count).await?;
            Ok(Measured::rate(count, since.elapsed()))
        }
        Scenario::Drain => drain(Enqueue::open(store).await?.noops, count).await,
        Scenario::Start => starts_here(run).await,
        Scenario::StartOther => {
            let queues = Enqueue::open(store).await?;
            let _worker = OtherProcess::start(store)?;
            Ok(tasks::starts(count, queues).await?.with_note(POLLED))
        }
    }
}

async fn starts_here(run: &Run) -> Result<Measured> {
    let (pool, listener) = open_hooked(&run.store).await?;
    let queues = Enqueue::on(&pool);
    let strategy = Strategy::new().stream(listener).interval(FALLBACK);
    let worker = WorkerBuilder::new("here")
        .backend(queues.starts.clone().poll_with_strategy(strategy))
        .concurrency(TASKS)
        .parallelize(tokio::spawn)
        .build(start);
    tokio::spawn(worker.run());
    tasks::starts(run.count, queues).await
}

/// With all connections open from the start, and none asked whether it still lives each time it is used.
async fn open(store: &Path) -> Result<SqlitePool> {
    let pool = SqlitePoolOptions::new()
        .min_connections(CONNECTIONS)
        .max_connections(CONNECTIONS)
        .test_before_acquire(false)
        .connect_with(options(store))
        .await?;
    SqliteStorage::migrations().run(&pool).await?;
    Ok(pool)
}

/// A pool that tells of inserts. It takes an URL and no options; none of its connections is open before it has them.
async fn open_hooked(store: &Path) -> Result<(SqlitePool, HookCallbackListener)> {
    let (pool, listener) = SqliteStorage::connect_with_callback("sqlite::memory:")?;
    pool.set_connect_options(options(store));
    SqliteStorage::migrations().run(&pool).await?;
    Ok((pool, listener))
}

fn options(store: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(store)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .pragma("temp_store", "MEMORY")
        .pragma("cache_size", "64000")
        .pragma("journal_size_limit", "67108864")
}

/// Tasks are not marked as running besides being marked as claimed, which saves a write.
fn config(name: &str) -> Config {
    Config::default()
        .queue(name)
        .batch_size(TASKS)
        .lock_tasks(false)
}

async fn fill(mut storage: SqliteStorage<u64>, count: u64) -> Result {
    for numbers in batches(count) {
        storage.push_bulk(numbers.collect()).await?;
    }
    Ok(())
}

async fn drain(storage: SqliteStorage<u64>, count: u64) -> Result<Measured> {
    let pool = storage.pool().clone();
    fill(storage.clone(), count).await?;
    measure::expect(count);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let since = Instant::now();
    let worker = WorkerBuilder::new("drain")
        .backend(storage)
        .concurrency(TASKS)
        .parallelize(tokio::spawn)
        .build(noop);
    let running = tokio::spawn(worker.run_until(async move {
        // Whether it was sent or dropped, the worker is to stop.
        let _ = stopped.await;
        std::io::Result::Ok(())
    }));
    measure::wait_until_executed()?;
    drop(stop);
    // The last ones are recorded while the worker stops.
    running.await??;
    let measured = Measured::rate(count, since.elapsed()).with_note(SLOWER);
    let (done,): (i64,) = sqlx::query_as("SELECT count(*) FROM Jobs WHERE status = 'Done'")
        .fetch_one(&pool)
        .await?;
    measure::check_done(u64::try_from(done)?, count)?;
    Ok(measured)
}
