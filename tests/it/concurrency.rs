//! The limit of a job: so many of its runs at once, over all workers of the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use afterhours::{Client, Handle, Job, Result, RunningWorker, Status, Worker, job};

use crate::support::stage::{Stage, stage};
use crate::support::time::store_at_rest;
use crate::support::{Folder, joined, within};

/// How many are executed now, and how many were at most.
#[derive(Default)]
struct Crowd {
    now: AtomicUsize,
    most: AtomicUsize,
}

#[job(name = "concurrency.crowded", concurrency = 2)]
async fn crowded(#[state] crowd: &Crowd) {
    let now = crowd.now.fetch_add(1, Ordering::SeqCst) + 1;
    crowd.most.fetch_max(now, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(3)).await;
    crowd.now.fetch_sub(1, Ordering::SeqCst);
}

#[job(
    name = "concurrency.alone",
    concurrency = 1,
    retry_delay = 0,
    jitter = 0.0
)]
async fn alone(ctx: &afterhours::Context, #[state] stage: &Stage, fails: bool) -> Result {
    stage.say(format!("alone {}", ctx.attempt()));
    stage.wait().await;
    if fails && ctx.attempt() == 1 {
        Err("not yet")?;
    }
    Ok(())
}

#[job(name = "concurrency.free")]
async fn free() {}

async fn start_with<T: Send + Sync + 'static>(
    client: &Client,
    state: &Arc<T>,
    jobs: impl IntoIterator<Item = Job>,
) -> Result<RunningWorker> {
    let worker = Worker::builder(client.clone())
        .jobs(jobs)
        .shared::<T>(Arc::clone(state))
        .concurrency(4)
        .build()?;
    Ok(worker.start().await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_than_the_limit_run_at_once_over_all_workers() -> Result {
    let folder = Folder::new()?;
    let crowd = Arc::<Crowd>::default();
    let mut clients = Vec::new();
    let mut workers = Vec::new();
    for _ in 0..3 {
        let client = Client::open(folder.store()).await?;
        workers.push(start_with(&client, &crowd, [crowded::JOB, free::JOB]).await?);
        clients.push(client);
    }
    let mut runs = Vec::new();
    for (at, client) in clients.iter().enumerate() {
        runs.extend(
            client
                .enqueue_all((0..20).map(|_| crowded::prepare()))
                .await?,
        );
        // Behind all the others, on each client's file at once.
        let free = client.enqueue(free::prepare().priority(-1)).await?;
        within(&format!("the free run {at}"), free.join()).await?;
    }
    assert!(!all_done(&runs).await?, "the free ones were not held up");
    for run in &runs {
        joined(run).await?;
    }
    assert_eq!(crowd.most.load(Ordering::SeqCst), 2);
    for worker in workers {
        worker.stop().await?;
    }
    Ok(())
}

async fn all_done(runs: &[Handle<()>]) -> Result<bool> {
    for run in runs {
        if !run.status().await?.is_finished() {
            return Ok(false);
        }
    }
    Ok(true)
}

#[tokio::test]
async fn the_next_one_starts_as_soon_as_a_place_is_free() -> Result {
    // While its clock rests, a worker looks only when it is told to.
    let (client, _clock, _folder) = store_at_rest().await?;
    let (stage, mut audience) = stage();
    let mut workers = Vec::new();
    for _ in 0..2 {
        workers.push(start_with(&client, &stage, [alone::JOB]).await?);
    }
    let first = client.enqueue(alone::prepare(true)).await?;
    audience.hears("alone 1").await;
    let second = client.enqueue(alone::prepare(false)).await?;
    // The one that waits for its retry has given up its place.
    stage.go(1);
    let mut heard = [audience.next().await, String::new()];
    assert_eq!(running([&first, &second]).await?, 1);
    stage.go(1);
    heard[1] = audience.next().await;
    heard.sort();
    assert_eq!(heard, ["alone 1", "alone 2"]);
    audience.has_heard_nothing();
    stage.go(1);
    joined(&first).await?;
    joined(&second).await?;
    for worker in workers {
        worker.stop().await?;
    }
    Ok(())
}

async fn running(runs: [&Handle<()>; 2]) -> Result<usize> {
    let mut running = 0;
    for run in runs {
        running += usize::from(matches!(run.status().await?, Status::Running { .. }));
    }
    Ok(running)
}

#[tokio::test]
async fn a_worker_whose_runs_are_all_held_up_sleeps_and_hears_of_a_free_place() -> Result {
    // While its clock rests, a worker looks only when it is told to.
    let (client, _clock, _folder) = store_at_rest().await?;
    let (stage, mut audience) = stage();
    let busy = start_with(&client, &stage, [alone::JOB]).await?;
    let first = client.enqueue(alone::prepare(false)).await?;
    audience.hears("alone 1").await;
    let idle = start_with(&client, &stage, [alone::JOB]).await?;
    let second = client.enqueue(alone::prepare(false)).await?;
    // The first worker claims no more; the place it gives back is the other's.
    let stopping = tokio::spawn(busy.stop());
    tokio::task::yield_now().await;
    let stopped = async {
        stage.go(1);
        joined(&first).await?;
        within("the worker's end", stopping).await?
    };
    stopped.await?;
    audience.hears("alone 1").await;
    stage.go(1);
    joined(&second).await?;
    idle.stop().await
}
