//! How fast runs go in and out, beside raw rusqlite on the same disk in the same run.
//!
//! `cargo bench -p afterhours --bench throughput` prints each figure as the median of its rounds, with the lowest and
//! the highest, and as a ratio to the raw figure of the same kind of work. The rounds take turns, so that a machine
//! that slows down for a while slows down both sides. A number as an argument sets the rounds (default 5), a word
//! picks the lines that contain it: `-- 9 drain`.

// A benchmark is a program: what it prints is its result.
#![allow(clippy::print_stdout)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use afterhours::{Client, Result, Worker, job};
use rusqlite::{Connection, TransactionBehavior, params};
use tokio::sync::Notify;

/// Runs in each round of a line.
const ONE_BY_ONE: usize = 10_000;
const FROM_64: usize = 100_000;
const BATCHED: usize = 200_000;
const BATCH: usize = 1_000;
const DRAINED: usize = 100_000;
const TASKS: usize = 64;

const ONE: &str = "one task, one enqueue at a time";
const MANY: &str = "64 tasks, each awaiting its enqueue";
const BATCHES: &str = "enqueue_all, 1,000 at a time";
const DRAIN: &str = "drain no-op jobs, concurrency 64";

/// Counts the no-op runs down to the last.
struct Countdown {
    left: AtomicUsize,
    done: Notify,
}

#[job]
async fn noop(#[state] countdown: &Countdown, _number: u64) {
    if countdown.left.fetch_sub(1, Ordering::Relaxed) == 1 {
        countdown.done.notify_one();
    }
}

fn main() -> Result {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let rounds = arguments
        .iter()
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(5);
    let word = arguments
        .iter()
        .find(|argument| argument.parse::<usize>().is_err());
    let wanted = |name: &str| word.is_none_or(|word| name.contains(word.as_str()));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    println!(
        "{} cores, SQLite {}, WAL, synchronous=NORMAL, {rounds} rounds",
        cores(),
        rusqlite::version()
    );

    let mut lines = Lines::default();
    for _ in 0..rounds {
        if wanted(ONE) || wanted(MANY) {
            let raw = lines.add(
                "raw: insert, one row a transaction",
                raw(|conn| raw_inserts(conn, ONE_BY_ONE, 1))?,
            );
            if wanted(ONE) {
                lines.compare(ONE, runtime.block_on(one_by_one())?, raw, 0.6);
            }
            if wanted(MANY) {
                lines.compare(MANY, runtime.block_on(from_64())?, raw, 4.5);
            }
        }
        if wanted(BATCHES) {
            let raw = lines.add(
                "raw: insert, 1,000 rows a transaction",
                raw(|conn| raw_inserts(conn, BATCHED, BATCH))?,
            );
            lines.compare(BATCHES, runtime.block_on(batched())?, raw, 0.6);
        }
        if wanted(DRAIN) {
            let raw = lines.add(
                "raw: claim 1,000 and mark done",
                raw(|conn| raw_drain(conn, DRAINED))?,
            );
            lines.compare(DRAIN, runtime.block_on(drain())?, raw, 0.5);
        }
    }
    lines.print();
    Ok(())
}

async fn one_by_one() -> Result<f64> {
    let (_folder, client) = open().await?;
    let since = Instant::now();
    for number in 0..ONE_BY_ONE {
        client.enqueue(noop::prepare(number as u64)).await?;
    }
    finish(client, ONE_BY_ONE, since.elapsed()).await
}

async fn from_64() -> Result<f64> {
    let (_folder, client) = open().await?;
    let since = Instant::now();
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let client = client.clone();
            tokio::spawn(async move {
                for number in 0..FROM_64 / TASKS {
                    client
                        .enqueue(noop::prepare((task * FROM_64 + number) as u64))
                        .await?;
                }
                Ok::<_, afterhours::Error>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    finish(client, FROM_64 / TASKS * TASKS, since.elapsed()).await
}

async fn batched() -> Result<f64> {
    let (_folder, client) = open().await?;
    let since = Instant::now();
    fill(&client, BATCHED).await?;
    finish(client, BATCHED, since.elapsed()).await
}

async fn drain() -> Result<f64> {
    let (_folder, client) = open().await?;
    fill(&client, DRAINED).await?;
    let countdown = Arc::new(Countdown {
        left: AtomicUsize::new(DRAINED),
        done: Notify::new(),
    });
    let worker = Worker::builder(client.clone())
        .shared(Arc::clone(&countdown))
        .concurrency(TASKS)
        .build()?;
    let since = Instant::now();
    let running = worker.start().await?;
    countdown.done.notified().await;
    // The last ones are written down while the worker stops.
    running.stop().await?;
    finish(client, DRAINED, since.elapsed()).await
}

async fn fill(client: &Client, runs: usize) -> Result {
    for batch in 0..runs / BATCH {
        client
            .enqueue_all((0..BATCH).map(|number| noop::prepare((batch * BATCH + number) as u64)))
            .await?;
    }
    Ok(())
}

async fn open() -> Result<(tempfile::TempDir, Client)> {
    let folder = tempfile::tempdir()?;
    let client = Client::open(folder.path().join("jobs.db")).await?;
    Ok((folder, client))
}

async fn finish(client: Client, runs: usize, took: Duration) -> Result<f64> {
    client.close().await?;
    Ok(runs as f64 / took.as_secs_f64())
}

/// The limit: one connection, one thread, prepared statements, the least a queue could store, one partial index.
fn raw(work: impl FnOnce(&mut Connection) -> rusqlite::Result<f64>) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let mut conn = raw_open(&folder.path().join("raw.db"))?;
    Ok(work(&mut conn)?)
}

fn raw_open(path: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open(path)?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", "NORMAL")?;
    conn.execute_batch(
        "CREATE TABLE runs (id INTEGER PRIMARY KEY, state INTEGER NOT NULL, priority INTEGER NOT NULL, payload BLOB NOT NULL);
         CREATE INDEX ready ON runs (priority) WHERE state = 0;",
    )?;
    Ok(conn)
}

fn raw_inserts(conn: &mut Connection, rows: usize, batch: usize) -> rusqlite::Result<f64> {
    let payload = [0_u8; 20];
    let since = Instant::now();
    for _ in 0..rows / batch {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut insert =
            tx.prepare_cached("INSERT INTO runs (state, priority, payload) VALUES (0, 10, ?1)")?;
        for _ in 0..batch {
            insert.execute(params![payload])?;
        }
        drop(insert);
        tx.commit()?;
    }
    Ok(rows as f64 / since.elapsed().as_secs_f64())
}

fn raw_drain(conn: &mut Connection, rows: usize) -> rusqlite::Result<f64> {
    raw_inserts(conn, rows, BATCH)?;
    let since = Instant::now();
    for _ in 0..rows / BATCH {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let ids: Vec<i64> = {
            let mut claim = tx.prepare_cached(
                "UPDATE runs SET state = 2 WHERE id IN (SELECT id FROM runs WHERE state = 0 ORDER BY priority LIMIT ?1) RETURNING id",
            )?;
            claim
                .query_map([BATCH as i64], |row| row.get(0))?
                .collect::<Result<_, _>>()?
        };
        let mut done = tx.prepare_cached("UPDATE runs SET state = 3 WHERE id = ?1")?;
        for id in ids {
            done.execute([id])?;
        }
        drop(done);
        tx.commit()?;
    }
    Ok(rows as f64 / since.elapsed().as_secs_f64())
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The figures of all rounds.
#[derive(Default)]
struct Lines(Vec<Line>);

struct Line {
    name: &'static str,
    rates: Vec<f64>,
    ratios: Vec<f64>,
    goal: Option<f64>,
}

impl Lines {
    fn add(&mut self, name: &'static str, rate: f64) -> f64 {
        self.line(name, None).rates.push(rate);
        rate
    }

    fn compare(&mut self, name: &'static str, rate: f64, raw: f64, goal: f64) {
        let line = self.line(name, Some(goal));
        line.rates.push(rate);
        line.ratios.push(rate / raw);
    }

    fn line(&mut self, name: &'static str, goal: Option<f64>) -> &mut Line {
        let at = self
            .0
            .iter()
            .position(|line| line.name == name)
            .unwrap_or_else(|| {
                self.0.push(Line {
                    name,
                    rates: Vec::new(),
                    ratios: Vec::new(),
                    goal,
                });
                self.0.len() - 1
            });
        &mut self.0[at]
    }

    fn print(&mut self) {
        println!(
            "{:<40} {:>12} {:>23} {:>8} {:>6}",
            "runs a second", "median", "lowest .. highest", "of raw", "goal"
        );
        for line in &mut self.0 {
            let (median, lowest, highest) = spread(&mut line.rates);
            print!(
                "{:<40} {median:>12.0} {:>23}",
                line.name,
                format!("{lowest:.0} .. {highest:.0}")
            );
            match line.goal {
                Some(goal) => println!(" {:>8.2} {goal:>6}", spread(&mut line.ratios).0),
                None => println!(),
            }
        }
    }
}

fn spread(values: &mut [f64]) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    (
        values[values.len() / 2],
        values[0],
        values[values.len() - 1],
    )
}
