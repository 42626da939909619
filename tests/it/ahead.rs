//! Runs that a worker claims ahead while attempts end quickly: nobody waits for them when attempts take long, nor when
//! the worker stops.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use afterhours::{Client, Handle, Result, Worker, job};
use tokio::sync::Notify;

use crate::support::stage::{Stage, stage};
use crate::support::{Folder, within};

const PLACES: usize = 4;
/// Enough for a pace at which runs are claimed ahead.
const QUICK: usize = 3000;
const BEHIND: usize = 300;

/// Counts the quick ones down.
struct Quick {
    left: AtomicUsize,
    done: Notify,
}

impl Quick {
    fn of(runs: usize) -> Arc<Self> {
        Arc::new(Self {
            left: AtomicUsize::new(runs),
            done: Notify::new(),
        })
    }
}

#[job(name = "ahead.quick")]
async fn quick(#[state] quick: &Quick) {
    if quick.left.fetch_sub(1, Ordering::SeqCst) == 1 {
        quick.done.notify_one();
    }
}

#[job(name = "ahead.slow")]
async fn slow(#[state] stage: &Stage) {
    stage.say("slow");
    stage.wait().await;
}

/// Many quick ones, as many slow ones as the worker has places, and quick ones behind.
async fn enqueue(client: &Client) -> Result<Vec<Handle<()>>> {
    let mut runs = Vec::new();
    runs.extend(
        client
            .enqueue_all((0..QUICK).map(|_| quick::prepare()))
            .await?,
    );
    runs.extend(
        client
            .enqueue_all((0..PLACES).map(|_| slow::prepare()))
            .await?,
    );
    runs.extend(
        client
            .enqueue_all((0..BEHIND).map(|_| quick::prepare()))
            .await?,
    );
    Ok(runs)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_full_worker_has_claimed_ahead_is_given_to_others() -> Result {
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let counted = Quick::of(QUICK + BEHIND);
    let (stage, mut audience) = stage();
    enqueue(&client).await?;
    let first = Worker::builder(client.clone())
        .jobs([quick::JOB, slow::JOB])
        .shared::<Quick>(Arc::clone(&counted))
        .shared::<Stage>(Arc::clone(&stage))
        .concurrency(PLACES)
        .build()?
        .start()
        .await?;
    for _ in 0..PLACES {
        audience.hears("slow").await;
    }
    let other = Client::open(folder.store()).await?;
    let second = Worker::builder(other)
        .jobs([quick::JOB])
        .shared::<Quick>(Arc::clone(&counted))
        .build()?
        .start()
        .await?;
    within("those behind", counted.done.notified()).await;
    stage.go(PLACES);
    first.stop().await?;
    second.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_stops_gives_back_what_it_has_claimed_ahead() -> Result {
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let counted = Quick::of(QUICK / 2);
    client
        .enqueue_all((0..QUICK).map(|_| quick::prepare()))
        .await?;
    let worker = Worker::builder(client.clone())
        .jobs([quick::JOB])
        .shared::<Quick>(Arc::clone(&counted))
        .concurrency(PLACES)
        .build()?
        .start()
        .await?;
    within("half of them", counted.done.notified()).await;
    worker.stop().await?;
    let count = |what: &str| -> Result<i64> {
        let sql = format!("SELECT count(*) FROM {what}");
        Ok(folder.outsider()?.query_row(&sql, [], |row| row.get(0))?)
    };
    let ready = count("afterhours_ready")?;
    let done = count("afterhours_runs WHERE state = 3")?;
    assert_eq!(
        ready + done,
        i64::try_from(QUICK)?,
        "nothing is left at work"
    );
    assert!(ready > 0, "it was told to stop half-way");
    assert_eq!(count("afterhours_running")?, 0);
    Ok(())
}
