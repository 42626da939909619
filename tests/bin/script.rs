//! What a process does while something goes wrong with it or its disk.

use std::sync::{Arc, Barrier};

use afterhours::rusqlite::Connection;
use afterhours::{Client, Durability, Error, Result, Worker};
use afterhours_faults::{Op, Which, counts};

use super::{hear, jobs, ledger::Ledger, say};

/// A life from the first open to the last close: enqueues, executes, moves the WAL into the file. Says `accepted` and
/// the id of each run that was, and at the end how often it asked the disk for what.
pub(crate) async fn run(database: &str, ledger: &str, durability: &str) -> Result {
    let durability = match durability {
        "full" => Durability::Full,
        _ => Durability::Normal,
    };
    let client = Client::builder(database)
        .durability(durability)
        .open()
        .await?;
    let mut runs = vec![enqueue(&client).await?];
    for run in client
        .enqueue_all((0..3).map(|_| jobs::work::prepare(0)))
        .await?
    {
        say(format!("accepted {}", run.id()))?;
        runs.push(run);
    }
    checkpoint(database)?;
    let worker = Worker::builder(client.clone())
        .jobs(jobs::ALL)
        .state(Ledger(ledger.into()))
        .concurrency(2)
        .build()?
        .start()
        .await?;
    for _ in 0..3 {
        runs.push(enqueue(&client).await?);
    }
    for run in runs {
        run.join().await?;
    }
    worker.stop().await?;
    client.close().await?;
    let ops = [Op::Open, Op::Write, Op::Sync, Op::Truncate, Op::Lock];
    let asked = ops.map(|op| counts(op, Which::Any).to_string());
    say(format!("asked {}", asked.join(" ")))
}

async fn enqueue(client: &Client) -> Result<afterhours::Handle<u32>> {
    let run = client.enqueue(jobs::work::prepare(0)).await?;
    say(format!("accepted {}", run.id()))?;
    Ok(run)
}

fn checkpoint(database: &str) -> Result {
    let conn = Connection::open(database)?;
    conn.busy_timeout(std::time::Duration::from_secs(10))?;
    Ok(conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
}

/// Enqueues a run for each line it hears, and says its id, or what kind of error it was and its text.
pub(crate) async fn serve(database: &str) -> Result {
    let client = Client::builder(database)
        .durability(Durability::Full)
        .busy_timeout(std::time::Duration::from_millis(300))
        .open()
        .await?;
    say("ready")?;
    while let Some(millis) = hear()? {
        let run = jobs::work::prepare(millis.parse()?);
        match client.enqueue(run).await {
            Ok(run) => say(run.id())?,
            Err(error) => say(format!("{}: {error}", kind(&error)))?,
        }
    }
    client.close().await?;
    Ok(())
}

fn kind(error: &Error) -> &'static str {
    match error {
        Error::Busy { .. } => "busy",
        Error::DiskFull => "full",
        Error::Unknown(_) => "unknown",
        _ => "other",
    }
}

/// Opens the store this often at the same time, when it hears a word; says `opened` for each, or the error.
pub(crate) async fn open_many(database: &str, count: usize) -> Result {
    say("ready")?;
    hear()?;
    let together = Arc::new(Barrier::new(count));
    let openers: Vec<_> = (0..count)
        .map(|_| {
            let (database, together) = (database.to_owned(), Arc::clone(&together));
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build()?;
                together.wait();
                // Kept until all are open.
                let opened = runtime.block_on(Client::open(database));
                together.wait();
                Ok::<_, std::io::Error>(
                    opened.map_or_else(|error| error.to_string(), |_| "opened".to_owned()),
                )
            })
        })
        .collect();
    for opener in openers {
        say(opener.join().map_err(|_| "a thread panicked")??)?;
    }
    Ok(())
}
