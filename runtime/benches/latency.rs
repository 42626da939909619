//! How soon a run starts on an idle worker, and how soon its end is heard: in the process that enqueues, and in others.
//!
//! `cargo bench -p afterhours --bench latency` enqueues one run at a time, with pauses in which the worker falls asleep,
//! and prints the time from the call to the start of the attempt, and to the return of `join`. The kinds take turns:
//! a worker in this process, a worker in another one, and one in another process that nobody wakes, because the folder
//! for wake-ups is opened to others so that this process does not trust it. A number as an argument sets how many runs
//! each kind enqueues (default 200).

// A benchmark is a program: what it prints is its result.
#![allow(clippy::print_stdout)]

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use afterhours::{Client, Result, RunningWorker, Worker, job};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

/// Tells the child process what it is.
const WORK: &str = "work-on";
const RUNS: usize = 200;
/// Not a multiple of the time after which a worker looks by itself.
const PAUSE: Duration = Duration::from_millis(33);

/// Returns for how long it has been on its way.
#[job]
async fn arrive(sent: Duration) -> Result<Duration> {
    Ok(now().saturating_sub(sent))
}

/// By a clock that all processes share.
fn now() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}

#[tokio::main]
async fn main() -> Result {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [WORK, store] = &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        return work(store).await;
    }
    let runs = arguments
        .iter()
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(RUNS);
    let mut kinds = [
        Kind::new("same process", Place::Here).await?,
        Kind::new("other process", Place::There).await?,
        Kind::new("other process, not woken", Place::Unheard).await?,
    ];
    for _ in 0..runs {
        for kind in &mut kinds {
            kind.measure().await?;
            tokio::time::sleep(PAUSE).await;
        }
    }
    let what = format!("microseconds, {runs} runs");
    println!("{what:<44} {:>8} {:>8} {:>8}", "p50", "p99", "max");
    for kind in kinds {
        print("enqueue to start", kind.name, kind.starts);
        print("enqueue to joined", kind.name, kind.joins);
    }
    Ok(())
}

/// The child process: works until its parent goes away.
async fn work(store: &str) -> Result {
    let worker = Worker::builder(Client::open(store).await?).build()?;
    let running = worker.start().await?;
    println!("ready");
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    running.stop().await
}

enum Place {
    Here,
    There,
    Unheard,
}

/// A store with its worker.
struct Kind {
    name: &'static str,
    client: Client,
    starts: Vec<Duration>,
    joins: Vec<Duration>,
    _worker: (Option<RunningWorker>, Option<Child>),
    _folder: tempfile::TempDir,
}

impl Kind {
    async fn new(name: &'static str, place: Place) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let store = folder.path().join("jobs.db");
        let client = Client::open(&store).await?;
        let worker = match place {
            Place::Here => {
                let worker = Worker::builder(client.clone()).build()?;
                (Some(worker.start().await?), None)
            }
            Place::There | Place::Unheard => (None, Some(child(&store).await?)),
        };
        let mut kind = Self {
            name,
            client,
            starts: Vec::new(),
            joins: Vec::new(),
            _worker: worker,
            _folder: folder,
        };
        // Whoever joins listens to other processes from the first time on.
        kind.measure().await?;
        (kind.starts, kind.joins) = Default::default();
        #[cfg(unix)]
        if matches!(place, Place::Unheard) {
            let mut wakes = store.into_os_string();
            wakes.push("-afterhours.wake");
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o770);
            std::fs::set_permissions(wakes, mode)?;
        }
        Ok(kind)
    }

    async fn measure(&mut self) -> Result {
        let sent = now();
        let run = self.client.enqueue(arrive::prepare(sent)).await?;
        let arrived = run.join().await?;
        self.starts.push(arrived);
        self.joins.push(now().saturating_sub(sent));
        Ok(())
    }
}

/// A worker in another process.
async fn child(store: &Path) -> Result<Child> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg(WORK)
        .arg(store)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let out = child.stdout.as_mut().ok_or("no output")?;
    out.read_exact(&mut [0; "ready".len()]).await?;
    Ok(child)
}

fn print(what: &str, kind: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |percent: usize| {
        let last = times.len().saturating_sub(1);
        let time = times.get((last * percent).div_ceil(100));
        time.map_or(0, Duration::as_micros)
    };
    let name = format!("{what}, {kind}");
    println!("{name:<44} {:>8} {:>8} {:>8}", at(50), at(99), at(100));
}
