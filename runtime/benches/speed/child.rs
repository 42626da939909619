//! The other processes: this program, started again with a role. Parent and child say a line to each other when it is
//! time to go on.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::str::FromStr;
use std::time::{Duration, Instant, SystemTime};

use afterhours::{Client, Result, Worker, job};
use metrics_exporter_prometheus::PrometheusBuilder;

use crate::report::Percentile;
use crate::stage::{Countdown, Enqueued, TASKS, enqueue_from, worker};

const CHILD: &str = "--child";
/// Executes no-op runs.
pub(crate) const WORK: &str = "work";
/// The same with a recorder of metrics.
pub(crate) const RECORDED: &str = "recorded";

/// Another process, which is ready and waits.
pub(crate) struct Child {
    process: std::process::Child,
    says: BufReader<ChildStdout>,
    hears: Option<ChildStdin>,
}

impl Child {
    pub(crate) fn spawn(role: &str, store: &Path, numbers: &[usize]) -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args([CHILD, role])
            .arg(store)
            .args(numbers.iter().map(usize::to_string))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut child = Self {
            says: BufReader::new(process.stdout.take().ok_or("no output")?),
            hears: process.stdin.take(),
            process,
        };
        child.line()?;
        Ok(child)
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Lets it begin.
    pub(crate) fn go(&mut self) -> Result {
        let hears = self.hears.as_mut().ok_or("it has ended")?;
        Ok(hears.write_all(b"go\n")?)
    }

    pub(crate) fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.says.read_line(&mut line)? == 0 {
            return Err("a child process has ended too early".into());
        }
        Ok(line.trim().to_owned())
    }

    /// The numbers in its next line.
    pub(crate) fn numbers(&mut self) -> Result<Vec<f64>> {
        let line = self.line()?;
        Ok(line
            .split(' ')
            .map(f64::from_str)
            .collect::<Result<_, _>>()?)
    }

    /// Lets it end, and waits for that; returns what it said last.
    pub(crate) fn end(mut self) -> Result<String> {
        self.hears = None;
        let mut last = String::new();
        for line in self.says.by_ref().lines() {
            last = line?;
        }
        self.process.wait()?;
        Ok(last)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It has ended already, unless something failed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Does what a parent has started this process for; false if nobody has.
pub(crate) fn role(arguments: &[String]) -> Result<bool> {
    let [CHILD, role, store, numbers @ ..] =
        &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..]
    else {
        return Ok(false);
    };
    let numbers = numbers
        .iter()
        .map(|number| number.parse())
        .collect::<Result<Vec<usize>, _>>()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        if *role == RECORDED {
            // The client asks it for each series once.
            PrometheusBuilder::new().install_recorder()?;
        }
        let client = Client::open(store).await?;
        match (*role, &numbers[..]) {
            (WORK | RECORDED, []) => work(&client).await,
            ("produce", [tasks, runs]) => produce(&client, *tasks, *runs).await,
            ("arrive", []) => answer(&client).await,
            _ => Err(format!("no role `{role}`").into()),
        }
    })?;
    Ok(true)
}

fn say(line: &str) {
    println!("{line}");
}

/// False when the parent says nothing more.
fn hear() -> Result<bool> {
    Ok(std::io::stdin().read_line(&mut String::new())? > 0)
}

/// Executes no-op runs; says at the end how many.
async fn work(client: &Client) -> Result {
    say("ready");
    if !hear()? {
        return Ok(());
    }
    let countdown = Countdown::of(usize::MAX);
    let running = worker(client, &countdown).build()?.start().await?;
    say("started");
    tokio::task::spawn_blocking(hear).await??;
    running.stop().await?;
    say(&(usize::MAX - countdown.left()).to_string());
    Ok(())
}

/// Enqueues from some tasks; says how long that took, and percentiles of single calls.
async fn produce(client: &Client, tasks: usize, runs: usize) -> Result {
    say("ready");
    hear()?;
    let since = Instant::now();
    let Enqueued { mut times, .. } = enqueue_from(client, tasks, runs).await?;
    let took = since.elapsed().as_secs_f64();
    times.sort_by(f64::total_cmp);
    let [p50, p99, max] =
        [Percentile::P50, Percentile::P99, Percentile::Max].map(|percentile| percentile.of(&times));
    say(&format!("{took} {p50} {p99} {max}"));
    Ok(())
}

/// Returns for how long it has been on its way.
#[job(name = "arrive")]
pub(crate) async fn arrive(sent: Duration) -> Result<Duration> {
    Ok(now().saturating_sub(sent))
}

/// By a clock that all processes share.
pub(crate) fn now() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}

/// A worker whose runs tell when they have started.
pub(crate) fn answering(client: &Client) -> Result<Worker> {
    let worker = Worker::builder(client.clone()).jobs([arrive::JOB]);
    Ok(worker.concurrency(TASKS).build()?)
}

async fn answer(client: &Client) -> Result {
    let running = answering(client)?.start().await?;
    say("ready");
    tokio::task::spawn_blocking(hear).await??;
    running.stop().await
}
