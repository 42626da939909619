//! A process for the tests to start, signal and kill. Its first argument says what it does.

mod callers;
mod jobs;
mod kinds;
mod ledger;
mod outsider;
mod script;
mod ticks;

use std::io::Write;
use std::time::Duration;

use afterhours::{Client, Error, Job, JobError, Result, Worker, WorkerBuilder};
use ledger::Ledger;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result {
    log()?;
    afterhours_faults::install()?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["work", database, ledger, concurrency, grace] => {
            let jobs = jobs::ALL;
            work(
                &jobs,
                database,
                ledger,
                concurrency.parse()?,
                grace.parse()?,
            )
            .await
        }
        ["work-kinds", database, ledger, concurrency, grace] => {
            let jobs = callers::KINDS;
            work(
                &jobs,
                database,
                ledger,
                concurrency.parse()?,
                grace.parse()?,
            )
            .await
        }
        ["tick", database, ledger] => tick(database, ledger).await,
        ["fire", database] => fire(database).await,
        ["produce", database, count] => callers::produce(database, count.parse()?, "normal").await,
        ["produce", database, count, durability] => {
            callers::produce(database, count.parse()?, durability).await
        }
        ["produce-kinds", database, seed] => callers::produce_kinds(database, seed.parse()?).await,
        ["sell", database] => callers::sell(database).await,
        ["race", database, count] => callers::race(database, count.parse()?).await,
        ["crowd", database, ledger, tasks, each] => {
            callers::crowd(database, ledger, tasks.parse()?, each.parse()?).await
        }
        ["script", database, ledger, durability] => script::run(database, ledger, durability).await,
        ["serve", database] => script::serve(database).await,
        ["open-many", database, count] => script::open_many(database, count.parse()?).await,
        ["hold", database] => outsider::hold(database),
        ["look", database] => outsider::look(database),
        ["copy", database, copy] => outsider::copy(database, copy),
        ["install"] => install().await,
        ["open-as-nobody", database] => open_as_nobody(database).await,
        ["build"] => build().await,
        _ => Err(JobError::from("unknown arguments")),
    }
}

/// Works until a signal.
async fn work(
    jobs: &[Job],
    database: &str,
    ledger: &str,
    concurrency: usize,
    grace: u64,
) -> Result {
    let worker = Worker::builder(Client::open(database).await?)
        .jobs(jobs.iter().copied())
        .state(Ledger(ledger.into()))
        .concurrency(concurrency)
        .shutdown_grace(Duration::from_millis(grace));
    until_signal(worker).await
}

/// Fires schedules and executes what they enqueue. `AFTERHOURS_WORKER` says its place.
async fn tick(database: &str, ledger: &str) -> Result {
    let worker = Worker::builder(Client::open(database).await?)
        .jobs([ticks::often::JOB, ticks::each_second::JOB])
        .state(Ledger(ledger.into()));
    until_signal(worker).await
}

/// Fires a schedule of the first worker, and executes nothing.
async fn fire(database: &str) -> Result {
    let worker = Worker::builder(Client::open(database).await?)
        .jobs([ticks::of_the_first::JOB])
        .no_queues();
    until_signal(worker).await
}

async fn until_signal(worker: WorkerBuilder) -> Result {
    let worker = worker.build()?.start().await?;
    let end = worker.until_signal();
    tokio::pin!(end);
    // The signal handlers stand once the future has been polled.
    tokio::select! {
        biased;
        ended = &mut end => return ended,
        () = std::future::ready(()) => say("ready")?,
    }
    end.await?;
    say("stopped")
}

/// The life of the installed client.
async fn install() -> Result {
    let before = jobs::work::perform_async(1).await;
    say(before.is_err_and(|error| matches!(error, Error::NoClient)))?;
    let client = Client::open_in_memory().await?;
    client.install()?;
    say(client
        .install()
        .err()
        .map_or_else(|| "installed twice".to_owned(), |error| error.to_string()))?;
    let _running = Worker::builder(client)
        .jobs(jobs::ALL)
        .state(Ledger("/dev/null".into()))
        .build()?
        .start()
        .await?;
    let run = jobs::work::perform_async(1).await?;
    let same = jobs::work::handle(run.id());
    say(same.join().await?)
}

/// Gives up its rights, then opens.
async fn open_as_nobody(database: &str) -> Result {
    nix::unistd::setgid(nix::unistd::Gid::from_raw(65534))?;
    nix::unistd::setuid(nix::unistd::Uid::from_raw(65534))?;
    say(opened(Client::open(database).await))
}

fn opened(client: Result<Client, Error>) -> String {
    client.map_or_else(|error| error.to_string(), |_| "opened".to_owned())
}

/// Builds a worker and says what came of it.
async fn build() -> Result {
    let client = Client::open_in_memory().await?;
    let built = Worker::builder(client)
        .jobs(jobs::ALL)
        .state(Ledger("/dev/null".into()))
        .build();
    say(built.map_or_else(|error| error.to_string(), |_| "built".to_owned()))
}

/// Warnings and errors go where the test says.
fn log() -> Result {
    if let Some(path) = std::env::var_os("AFTERHOURS_TEST_LOG") {
        let file = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)?;
        tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
            .with_ansi(false)
            .with_writer(file)
            .init();
    }
    Ok(())
}

/// The next line from the test; none when it has gone away.
fn hear() -> Result<Option<String>> {
    let mut line = String::new();
    let count = std::io::stdin().read_line(&mut line)?;
    Ok((count > 0).then(|| line.trim_end().to_owned()))
}

fn say(what: impl std::fmt::Display) -> Result {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{what}")?;
    Ok(out.flush()?)
}
