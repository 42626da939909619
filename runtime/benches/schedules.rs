//! How punctual schedules are, and what ten thousand of them cost.
//!
//! `cargo bench -p afterhours --bench schedules` prints how long after its due moment the attempt of a tick starts, on
//! an idle machine and beside a worker that drains no-op runs without a pause, and then, for 10,000 schedules, how long
//! a worker takes to start, how fast it fires when all are due at once, beside the same updates and inserts in one
//! transaction of raw rusqlite, and the processor time that it takes while none is due. A due moment is known to the
//! millisecond. A number as an argument sets the rounds (default 3), a word picks the parts that contain it:
//! `-- 5 idle`.

// A benchmark is a program: what it prints is its result.
#![allow(clippy::print_stdout)]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use afterhours::schedule::{Cron, Every, Rule, chrono::Utc, chrono_tz::Tz};
use afterhours::{Client, Context, Result, RunningWorker, Worker, job};
use nix::sys::resource::{UsageWho, getrusage};
use rusqlite::{Connection, TransactionBehavior, params};
use tokio::task::JoinSet;

/// Schedules of one second each whose ticks are timed.
const TIMED: usize = 20;
/// In each round so many seconds of them, so 100 ticks.
const SECONDS: usize = 5;
const MANY: usize = 10_000;
const IDLE_FOR: Duration = Duration::from_secs(10);
/// So many no-op runs wait while the worker is under load.
const BACKLOG: usize = 2_000;

const ACCURACY: &str = "idle accuracy";
const LOADED: &str = "loaded accuracy";
const START: &str = "10,000 start";
const TICKS: &str = "10,000 ticks";
const COST: &str = "10,000 idle cost";

/// What the ticks' attempts tell.
#[derive(Default)]
struct Book {
    late: Mutex<Vec<f64>>,
    drained: AtomicUsize,
}

impl Book {
    fn late(&self) -> std::sync::MutexGuard<'_, Vec<f64>> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[job]
async fn timed(#[state] book: &Book, ctx: &Context) {
    let late = SystemTime::now().duration_since(ctx.due_at());
    // The moment is rounded to a millisecond, so it can seem to lie ahead.
    book.late()
        .push(late.map_or(0.0, |late| late.as_secs_f64() * 1000.0));
}

#[job]
async fn load(#[state] book: &Book) {
    book.drained.fetch_add(1, Ordering::Relaxed);
}

/// One of the many. Its runs are not executed, so that only the ticks are measured.
#[job(queue = "never")]
async fn one_of_many() {}

fn main() -> Result {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    let rounds = arguments
        .iter()
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(3);
    let word = arguments
        .iter()
        .find(|argument| argument.parse::<usize>().is_err());
    let wanted = |name: &str| word.is_none_or(|word| name.contains(word.as_str()));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    println!(
        "{} cores, SQLite {}, WAL, synchronous=NORMAL, {rounds} rounds",
        std::thread::available_parallelism().map_or(1, usize::from),
        rusqlite::version()
    );

    let mut figures = Figures::default();
    for _ in 0..rounds {
        if wanted(ACCURACY) {
            let late = runtime.block_on(accuracy(false))?;
            figures.add_late(
                [
                    "start after the due moment, idle: p50, ms",
                    "  idle: p99",
                    "  idle: max",
                ],
                late,
            );
        }
        if wanted(LOADED) {
            let late = runtime.block_on(accuracy(true))?;
            figures.add_late(
                [
                    "start after the due moment, draining: p50, ms",
                    "  draining: p99",
                    "  draining: max",
                ],
                late,
            );
        }
        if wanted(START) {
            let took = runtime.block_on(start())?;
            figures.add(
                "10,000 schedules: start to first tick, ms",
                took.as_secs_f64() * 1000.0,
            );
        }
        if wanted(TICKS) {
            let raw = raw_ticks()?;
            let ticks = runtime.block_on(all_at_once())?;
            figures.add("raw: 10,000 updates and inserts, a second", raw);
            figures.add("10,000 ticks due at once, a second", ticks);
            figures.add("  of raw", ticks / raw);
        }
        if wanted(COST) {
            let spent = runtime.block_on(idle_cost())?;
            figures.add(
                "10,000 far-off schedules: processor time of 10 s, ms",
                spent.as_secs_f64() * 1000.0,
            );
        }
    }
    figures.print();
    Ok(())
}

/// How long after their due moments the attempts of ticks start, in milliseconds.
async fn accuracy(is_loaded: bool) -> Result<Vec<f64>> {
    let (_folder, client) = open().await?;
    let book = Arc::new(Book::default());
    let second = Rule::from(Every::parse("1s")?);
    for number in 0..TIMED {
        // The startup jitter spreads them over the second. No backlog of the same worker stands before them.
        client
            .schedule(
                format!("{number}"),
                second.clone(),
                timed::prepare().priority(20),
            )
            .await?;
    }
    let worker = Worker::builder(client.clone())
        .jobs([timed::JOB, load::JOB])
        .shared(Arc::clone(&book))
        .build()?
        .start()
        .await?;
    let is_over = Arc::new(AtomicBool::new(false));
    let loading = is_loaded.then(|| {
        tokio::spawn(keep_busy(
            client.clone(),
            Arc::clone(&book),
            Arc::clone(&is_over),
        ))
    });
    // The first tick of each is at its start.
    wait_until(|| Ok(book.late().len() >= TIMED)).await?;
    book.late().clear();
    wait_until(|| Ok(book.late().len() >= TIMED * SECONDS)).await?;
    is_over.store(true, Ordering::Relaxed);
    if let Some(loading) = loading {
        loading.await??;
    }
    finish(worker, client).await?;
    Ok(std::mem::take(&mut *book.late()))
}

/// The worker always finds no-op runs.
async fn keep_busy(client: Client, book: Arc<Book>, is_over: Arc<AtomicBool>) -> Result {
    let mut enqueued = 0;
    while !is_over.load(Ordering::Relaxed) {
        if enqueued < book.drained.load(Ordering::Relaxed) + BACKLOG {
            client
                .enqueue_all((0..500).map(|_| load::prepare()))
                .await?;
            enqueued += 500;
        } else {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    Ok(())
}

/// From the start of a worker on a store with 10,000 schedules to the first tick.
async fn start() -> Result<Duration> {
    let (folder, client) = with_many(&far_off()?).await?;
    client
        .schedule("first", Every::parse("1d")?, one_of_many::prepare())
        .await?;
    let runs = Runs::of(&folder)?;
    let since = Instant::now();
    let worker = start_worker(&client).await?;
    wait_until(|| Ok(runs.count()? >= 1)).await?;
    let took = since.elapsed();
    finish(worker, client).await?;
    Ok(took)
}

/// How many ticks a second are fired when 10,000 are due at one moment.
async fn all_at_once() -> Result<f64> {
    let due = Utc::now() + Duration::from_secs(4);
    let rule = Cron::parse(&due.format("%S %M %H * * *").to_string(), Tz::UTC)?;
    let (folder, client) = with_many(&rule.into()).await?;
    let runs = Runs::of(&folder)?;
    let worker = start_worker(&client).await?;
    wait_until(|| Ok(runs.count()? >= 1)).await?;
    let due = due.timestamp() as f64;
    wait_until(|| Ok(runs.count()? >= MANY)).await?;
    let took = Utc::now().timestamp_micros() as f64 / 1e6 - due;
    finish(worker, client).await?;
    Ok(MANY as f64 / took)
}

/// What a worker takes of the processor while its 10,000 schedules are far off.
async fn idle_cost() -> Result<Duration> {
    let (folder, client) = with_many(&far_off()?).await?;
    client
        .schedule("first", Every::parse("1d")?, one_of_many::prepare())
        .await?;
    let runs = Runs::of(&folder)?;
    let worker = start_worker(&client).await?;
    wait_until(|| Ok(runs.count()? >= 1)).await?;
    let before = processor_time()?;
    tokio::time::sleep(IDLE_FOR).await;
    let spent = processor_time()?.saturating_sub(before);
    finish(worker, client).await?;
    Ok(spent)
}

fn processor_time() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let [user, system] = [usage.user_time(), usage.system_time()];
    let micros = (user.tv_sec() + system.tv_sec()) * 1_000_000 + user.tv_usec() + system.tv_usec();
    Ok(Duration::from_micros(micros.unsigned_abs()))
}

/// Half a year from now, so that it ticks neither today nor tomorrow.
fn far_off() -> Result<Rule> {
    let due = Utc::now() + Duration::from_secs(180 * 86_400);
    let text = due.format("%M %H %d %m *").to_string();
    Ok(Cron::parse(&text, Tz::UTC)?.into())
}

async fn with_many(rule: &Rule) -> Result<(tempfile::TempDir, Client)> {
    let (folder, client) = open().await?;
    let mut adding = JoinSet::new();
    for number in 0..MANY {
        let added = client.schedule(format!("{number}"), rule.clone(), one_of_many::prepare());
        adding.spawn(added.into_future());
    }
    while let Some(added) = adding.join_next().await {
        added??;
    }
    Ok((folder, client))
}

async fn start_worker(client: &Client) -> Result<RunningWorker> {
    let worker = Worker::builder(client.clone())
        .jobs([one_of_many::JOB])
        .no_queues()
        .startup_jitter(Duration::ZERO)
        .build()?;
    Ok(worker.start().await?)
}

async fn open() -> Result<(tempfile::TempDir, Client)> {
    let folder = tempfile::tempdir()?;
    let client = Client::open(folder.path().join("jobs.db")).await?;
    Ok((folder, client))
}

async fn finish(worker: RunningWorker, client: Client) -> Result {
    worker.stop().await?;
    Ok(client.close().await?)
}

async fn wait_until(mut is_so: impl FnMut() -> Result<bool>) -> Result {
    while !is_so()? {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

/// Sees how many runs there are, at the price of one row: none is deleted here.
struct Runs(Connection);

impl Runs {
    fn of(folder: &tempfile::TempDir) -> Result<Self> {
        Ok(Self(Connection::open(folder.path().join("jobs.db"))?))
    }

    fn count(&self) -> Result<usize> {
        let last = "SELECT coalesce(max(id), 0) FROM afterhours_runs";
        let mut select = self.0.prepare_cached(last)?;
        let last: i64 = select.query_row([], |row| row.get(0))?;
        Ok(last.try_into()?)
    }
}

/// The limit: the least a tick could write, all in one transaction.
fn raw_ticks() -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let mut conn = Connection::open(folder.path().join("raw.db"))?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", "NORMAL")?;
    conn.execute_batch(
        "CREATE TABLE schedules (name TEXT PRIMARY KEY, last_tick INTEGER, payload BLOB NOT NULL) WITHOUT ROWID;
         CREATE TABLE runs (id INTEGER PRIMARY KEY, state INTEGER NOT NULL, priority INTEGER NOT NULL, payload BLOB NOT NULL);
         CREATE INDEX ready ON runs (priority) WHERE state = 0;",
    )?;
    let payload = [0_u8; 20];
    let tx = conn.transaction()?;
    for number in 0..MANY {
        tx.prepare_cached("INSERT INTO schedules VALUES (?1, NULL, ?2)")?
            .execute(params![number.to_string(), payload])?;
    }
    tx.commit()?;
    let since = Instant::now();
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for number in 0..MANY {
        tx.prepare_cached("UPDATE schedules SET last_tick = 1 WHERE name = ?1")?
            .execute([number.to_string()])?;
        tx.prepare_cached("INSERT INTO runs (state, priority, payload) VALUES (0, 10, ?1)")?
            .execute([payload])?;
    }
    tx.commit()?;
    Ok(MANY as f64 / since.elapsed().as_secs_f64())
}

/// The figures of all rounds.
#[derive(Default)]
struct Figures(Vec<(&'static str, Vec<f64>)>);

impl Figures {
    fn add(&mut self, name: &'static str, value: f64) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value),
            None => self.0.push((name, vec![value])),
        }
    }

    fn add_late(&mut self, names: [&'static str; 3], mut late: Vec<f64>) {
        late.sort_by(f64::total_cmp);
        let at = |percent: usize| late[(late.len() - 1) * percent / 100];
        for (name, percent) in names.into_iter().zip([50, 99, 100]) {
            self.add(name, at(percent));
        }
    }

    fn print(&mut self) {
        println!("{:<54} {:>10} {:>23}", "", "median", "lowest .. highest");
        for (name, values) in &mut self.0 {
            values.sort_by(f64::total_cmp);
            let range = format!("{:.2} .. {:.2}", values[0], values[values.len() - 1]);
            println!("{name:<54} {:>10.2} {range:>23}", values[values.len() / 2]);
        }
    }
}
