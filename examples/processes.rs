//! One process enqueues, two others execute: they share a file, and wake each other.
//!
//! ```text
//! cargo run --release --example processes
//! ```
//!
//! It starts itself three times. In earnest these are programs of their own, such as a web server and a worker.
#![allow(clippy::print_stdout, reason = "it talks to a person at a terminal")]

use std::process::{Child, Command};
use std::time::Duration;
use std::{env, fs, process};

use afterhours::{Client, Result, Worker, WorkerCounters, job};

const DATABASE: &str = "target/processes/jobs.db";
const RUNS: u64 = 1_000;

/// Says which process has executed it.
#[job(queue = "work")]
async fn who_are_you(number: u64) -> Result<u32> {
    let _ = number;
    Ok(process::id())
}

#[tokio::main]
async fn main() -> Result {
    match env::args().nth(1).as_deref() {
        // Until SIGTERM: nothing more is claimed then, and what is at work ends.
        Some("worker") => {
            let client = Client::open(DATABASE).await?;
            Worker::builder(client)
                .queues(["work"])
                .concurrency(4)
                .build()?
                .run()
                .await
        }
        Some("producer") => produce().await,
        _ => supervise(),
    }
}

async fn produce() -> Result {
    let client = Client::open(DATABASE).await?;
    let runs = client
        .enqueue_all((0..RUNS).map(who_are_you::prepare))
        .await?;
    let mut by = std::collections::BTreeMap::<u32, u32>::new();
    for run in runs {
        *by.entry(run.join().await?).or_default() += 1;
    }
    for (process, runs) in &by {
        println!("process {process} has executed {runs} runs");
    }
    // Nobody is asked: each worker writes down what it counts, four times a second.
    let counted = loop {
        let workers = WorkerCounters::read(DATABASE)?;
        if workers.iter().map(|worker| worker.succeeded).sum::<u64>() == RUNS {
            break workers;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    for worker in counted {
        println!("process {} has counted {}", worker.pid, worker.succeeded);
    }
    assert!(!by.contains_key(&process::id()), "this one only enqueues");
    Ok(())
}

/// What systemd or a container platform does.
fn supervise() -> Result {
    let _ = fs::remove_dir_all("target/processes");
    fs::create_dir_all("target/processes")?;
    let start =
        |role| -> Result<Child> { Ok(Command::new(env::current_exe()?).arg(role).spawn()?) };
    let mut workers = [start("worker")?, start("worker")?];
    let produced = start("producer")?.wait()?;
    for worker in &mut workers {
        let stopped = Command::new("kill")
            .args(["-TERM", &worker.id().to_string()])
            .status()?;
        assert!(stopped.success());
        println!("worker {}: {}", worker.id(), worker.wait()?);
    }
    assert!(produced.success());
    Ok(())
}
