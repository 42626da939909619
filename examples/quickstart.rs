//! Counts the lines, words and bytes of all text files below a folder, in background jobs that survive `kill -9`.
//!
//! ```text
//! cargo run --release --example quickstart [-- FOLDER]
//! ```
//!
//! FOLDER is the current one if you name none. The summary agrees with `wc -l -w -c` on the same files; its crc32 is
//! that of all of them put together in the order of their paths.
//!
//! Press Ctrl-C or `kill -9` it half-way, and run it again: it goes on where it was, and each file counts once. To have
//! the time for that, set `QUICKSTART_PAUSE_MS=200`: each job then takes so much longer. A complete index is printed and
//! forgotten, so that the next run starts afresh.
#![allow(clippy::print_stdout, reason = "it talks to a person at a terminal")]

use std::{env, fs, thread, time::Duration};

use afterhours::rusqlite::{Connection, OptionalExtension};
use afterhours::{Client, Handle, JobError, Result, RunId, Worker, job};
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};
use walkdir::WalkDir;

const DATABASE: &str = "target/quickstart/quickstart.db";

#[derive(Default, Serialize, Deserialize)]
struct Counts {
    lines: usize,
    words: usize,
    bytes: usize,
    crc32: u32,
}

/// Counts one file; `None` if it is not text. A plain `fn` may block: it runs on a thread of its own.
#[job]
fn index_file(path: &str) -> Result<Option<Counts>> {
    let pause = env::var("QUICKSTART_PAUSE_MS")
        .ok()
        .and_then(|ms| ms.parse().ok());
    thread::sleep(Duration::from_millis(pause.unwrap_or(0)));
    let bytes = fs::read(path).map_err(JobError::discard)?; // trying again would not help
    let Ok(text) = str::from_utf8(&bytes) else {
        return Ok(None);
    };
    Ok(Some(Counts {
        lines: text.matches('\n').count(),
        words: text.split_whitespace().count(),
        bytes: text.len(),
        crc32: crc32fast::hash(&bytes),
    }))
}

// With the usual priority of 10 it would queue behind the files.
#[job(every = 1, priority = 20)]
async fn show(#[state] bar: &ProgressBar) {
    // At a terminal the bar shows itself.
    if bar.is_hidden() {
        let total = bar.length().unwrap_or_default();
        println!("{} of {total} files are done", bar.position());
    }
}

#[tokio::main]
async fn main() -> Result {
    // Asked for before any work, so that Ctrl-C is clean from the start.
    let interrupted = tokio::spawn(tokio::signal::ctrl_c());
    let files = find_files(&env::args().nth(1).unwrap_or_else(|| ".".into()))?;

    fs::create_dir_all("target/quickstart")?;
    let client = Client::open(DATABASE).await?;
    client.install()?; // the one that `perform_async` and `handle` use
    // The application's own table, in the same file: which run counts which file.
    let ledger = Connection::open(DATABASE)?;
    ledger.execute_batch(
        "PRAGMA synchronous = NORMAL;
         CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, run INTEGER NOT NULL)",
    )?;
    let runs = enqueue(&ledger, &files).await?;

    let bar = ProgressBar::new(files.len() as u64);
    let worker = Worker::builder(client)
        .concurrency(8)
        .state(bar.clone())
        .startup_jitter(Duration::ZERO)
        .build()?
        .start()
        .await?;
    tokio::select! {
        () = summarise(&files, &runs, &bar) => { ledger.execute("DELETE FROM files", ())?; }
        _ = interrupted => println!("stopping: run it again to go on"),
    }
    worker.stop().await
}

/// All files below a folder, but for what builds and version control put there, and for the database: to open and
/// close its files beside SQLite would drop SQLite's locks on them.
fn find_files(folder: &str) -> Result<Vec<String>> {
    let folder = fs::canonicalize(folder).map_err(|error| format!("{folder}: {error}"))?;
    println!("indexing {}, jobs are in {DATABASE}", folder.display());
    let mut files: Vec<_> = WalkDir::new(folder)
        .into_iter()
        .filter_entry(|entry| {
            let name = entry.file_name().to_string_lossy();
            name != "target" && name != ".git" && !name.starts_with("quickstart.db")
        })
        .filter_map(|entry| Some(entry.ok()?).filter(|entry| entry.file_type().is_file()))
        .filter_map(|file| Some(file.path().to_str()?.to_owned()))
        .collect();
    files.sort();
    Ok(files)
}

/// One run for each file: that of an earlier start, or a new one.
async fn enqueue(ledger: &Connection, files: &[String]) -> Result<Vec<Handle<Option<Counts>>>> {
    let mut runs = Vec::new();
    let mut done = 0;
    for path in files {
        let id: Option<RunId> = ledger
            .query_row("SELECT run FROM files WHERE path = ?1", [path], |row| {
                row.get(0)
            })
            .optional()?;
        if let Some(id) = id {
            let run = index_file::handle(id);
            // A finished run is kept for an hour; after that the file is counted anew.
            if let Ok(status) = run.status().await {
                done += usize::from(status.is_finished());
                runs.push(run);
                continue;
            }
        }
        let run = index_file::perform_async(path).await?;
        // Killed just before this line, it has one run too many: that one is executed, but counts for nothing.
        ledger.execute(
            "INSERT OR REPLACE INTO files VALUES (?1, ?2)",
            (path, run.id()),
        )?;
        runs.push(run);
    }
    if done > 0 {
        println!("resuming: {done} of {} files are done", files.len());
    }
    Ok(runs)
}

/// Waits for all runs and prints the sum of their results.
async fn summarise(files: &[String], runs: &[Handle<Option<Counts>>], bar: &ProgressBar) {
    let (mut texts, mut sum, mut crc32) = (0, Counts::default(), crc32fast::Hasher::new());
    for (path, run) in files.iter().zip(runs) {
        match run.join().await {
            Ok(Some(counts)) => {
                texts += 1;
                sum.lines += counts.lines;
                sum.words += counts.words;
                sum.bytes += counts.bytes;
                let size = counts.bytes as u64;
                crc32.combine(&crc32fast::Hasher::new_with_initial_len(counts.crc32, size));
            }
            Ok(None) => {}
            Err(error) => bar.suspend(|| println!("left out: {path}: {error}")),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let (lines, words, bytes) = (sum.lines, sum.words, sum.bytes);
    println!(
        "{texts} text files: {lines} lines, {words} words, {bytes} bytes, crc32 {:08x}",
        crc32.finalize()
    );
}
