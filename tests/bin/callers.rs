//! Processes that enqueue: what they say was accepted, was acknowledged before they said it.

use std::time::Duration;

use afterhours::rusqlite::{Connection, TransactionBehavior};
use afterhours::{Client, Durability, Error, Job, Result, RunId, Worker};

use super::{hear, jobs, kinds, ledger::Ledger, say};

/// The jobs of every kind.
pub(crate) const KINDS: [Job; 5] = [
    kinds::short::JOB,
    kinds::plain::JOB,
    kinds::twin::JOB,
    kinds::limited::JOB,
    kinds::carry::JOB,
];

/// Enqueues and says the id of each run that was accepted.
pub(crate) async fn produce(database: &str, count: u64, durability: &str) -> Result {
    let client = Client::builder(database).durability(match durability {
        "full" => Durability::Full,
        _ => Durability::Normal,
    });
    client.open().await?.install()?;
    for _ in 0..count {
        let run = jobs::work::perform_async(5).await?;
        say(run.id())?;
    }
    Ok(())
}

/// Enqueues runs of every kind until it hears a word; says `accepted`, the kind and the id of each, or `refused` and why.
pub(crate) async fn produce_kinds(database: &str, seed: u64) -> Result {
    let client = Client::open(database).await?;
    client.install()?;
    let mut chance = fastrand::Rng::with_seed(seed);
    let stop = std::thread::spawn(|| hear().map(drop).map_err(|error| error.to_string()));
    say("ready")?;
    while !stop.is_finished() {
        match any_kind(&mut chance).await {
            Ok((kind, id)) => say(format!("accepted {kind} {id}"))?,
            Err(error) => say(format!("refused {error}"))?,
        }
        tokio::time::sleep(Duration::from_millis(chance.u64(5..35))).await;
    }
    client.close().await?;
    Ok(())
}

/// They are short, so that hardly any is at work in three deaths in a row.
async fn any_kind(chance: &mut fastrand::Rng) -> Result<(&'static str, RunId), Error> {
    let millis = chance.u64(1..80);
    Ok(match chance.u8(0..5) {
        0 => ("short", kinds::short::perform_async(millis).await?.id()),
        1 => ("plain", kinds::plain::perform_async(millis).await?.id()),
        2 => {
            let delay = Duration::from_millis(chance.u64(0..2000));
            let run = kinds::short::perform_in(delay, millis).await?;
            ("delayed", run.id())
        }
        3 => {
            let number = chance.u64(0..4);
            ("twin", kinds::twin::perform_async(number).await?.id())
        }
        _ => {
            let run = kinds::limited::perform_async(millis / 4).await?;
            ("limited", run.id())
        }
    })
}

/// In a transaction of its own at each word it hears; the next word says whether it is committed.
pub(crate) async fn sell(database: &str) -> Result {
    Client::open(database).await?.install()?;
    let mut shop = Connection::open(database)?;
    shop.busy_timeout(Duration::from_secs(60))?;
    say("ready")?;
    while let Some(wake) = hear()? {
        let tx = shop.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let pending = jobs::work::prepare(0).enqueue_with(&tx)?;
        say(pending.id())?;
        if hear()?.as_deref() == Some("commit") {
            tx.commit()?;
        } else {
            tx.rollback()?;
        }
        if wake == "wake" {
            let _ = pending.wake();
        }
        say("over")?;
    }
    Ok(())
}

/// Enqueues so many twins at the same time when it hears a word; says `new` or `twin`, and the id, of each.
pub(crate) async fn race(database: &str, count: usize) -> Result {
    let client = Client::open(database).await?;
    say("ready")?;
    hear()?;
    let racers: Vec<_> = (0..count)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                let run = jobs::work::prepare(0).unique("the only one");
                client.enqueue(run).await
            })
        })
        .collect();
    for racer in racers {
        let run = racer.await??;
        let what = if run.is_duplicate() { "twin" } else { "new" };
        say(format!("{what} {}", run.id()))?;
    }
    Ok(())
}

/// Executes, and has tasks that enqueue so many large runs each when it hears a word. Says `accepted` and the id of each,
/// or `refused` and why; `written` after the last; and ends at the next word.
pub(crate) async fn crowd(database: &str, ledger: &str, tasks: usize, each: usize) -> Result {
    let client = Client::open(database).await?;
    let worker = Worker::builder(client.clone())
        .jobs(KINDS)
        .state(Ledger(ledger.into()))
        .concurrency(tasks)
        .build()?
        .start()
        .await?;
    say("ready")?;
    hear()?;
    let writers: Vec<_> = (0..tasks)
        .map(|_| tokio::spawn(write(client.clone(), each)))
        .collect();
    for writer in writers {
        for said in writer.await? {
            say(said)?;
        }
    }
    say("written")?;
    hear()?;
    worker.stop().await?;
    client.close().await?;
    Ok(())
}

async fn write(client: Client, count: usize) -> Vec<String> {
    let text = "text ".repeat(8 * 1024 / 5);
    let mut said = Vec::with_capacity(count);
    for _ in 0..count {
        said.push(match client.enqueue(kinds::carry::prepare(&text)).await {
            Ok(run) => format!("accepted {}", run.id()),
            Err(error) => format!("refused {error}"),
        });
    }
    said
}
