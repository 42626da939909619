//! A queue that is full: who enqueues waits a little, and is then told.

use std::sync::Arc;
use std::time::Duration;

use afterhours::rusqlite::{Connection, TransactionBehavior};
use afterhours::{Client, Error, Result, Worker, job};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::support::{Folder, LIMIT, within};

#[job(name = "limit.mail", queue = "limited")]
async fn mail(#[state] go: &Semaphore, _number: u64) {
    if let Ok(permit) = go.acquire().await {
        permit.forget();
    }
}

#[job(name = "limit.other")]
async fn other() {}

#[job(name = "limit.inside")]
fn inside(path: &str) -> Result<[bool; 2]> {
    let blocking = mail::prepare(10).enqueue_blocking();
    let mut conn = Connection::open(path)?;
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let beside = mail::prepare(10).enqueue_with(&tx);
    Ok([is_full(&blocking), is_full(&beside)])
}

async fn client(folder: &Folder, wait: Duration) -> Result<Client> {
    let builder = Client::builder(folder.store());
    Ok(builder
        .queue_limit("limited", 4..=10)
        .queue_wait(wait)
        .open()
        .await?)
}

fn is_full<T>(enqueued: &Result<T, Error>) -> bool {
    matches!(enqueued, Err(error @ Error::QueueFull { limit: 10, .. }) if error.is_retryable())
}

#[tokio::test]
async fn a_full_queue_refuses_and_others_go_on() -> Result {
    let folder = Folder::new()?;
    let client = client(&folder, Duration::ZERO).await?;
    for number in 0..10 {
        client.enqueue(mail::prepare(number)).await?;
    }
    assert!(is_full(&client.enqueue(mail::prepare(10)).await));
    assert!(is_full(&client.enqueue_all([mail::prepare(10)]).await));
    // In an attempt, `enqueue_blocking` and `enqueue_with` use the worker's client.
    let worker = Worker::builder(client.clone())
        .jobs([inside::JOB])
        .build()?
        .start()
        .await?;
    let path = folder.store().display().to_string();
    let run = client.enqueue(inside::prepare(&path)).await?;
    assert_eq!(within("the attempt", run.join()).await?, [true, true]);
    worker.stop().await?;
    // What waits for its time, another queue, and a client without limits.
    client
        .enqueue(mail::prepare(10).delay(Duration::from_secs(60)))
        .await?;
    client.enqueue(other::prepare()).await?;
    let free = Client::open(folder.store()).await?;
    free.enqueue(mail::prepare(11)).await?;
    assert_eq!(client.stats().await?.ready, 12);
    Ok(())
}

#[tokio::test]
async fn who_waits_comes_in_once_few_are_left() -> Result {
    let folder = Folder::new()?;
    let client = client(&folder, LIMIT).await?;
    let go = Arc::new(Semaphore::new(0));
    client.enqueue_all((0..25).map(mail::prepare)).await?;
    let mut waiting = JoinSet::new();
    for number in 0..200 {
        let client = client.clone();
        waiting.spawn(async move {
            client
                .enqueue(mail::prepare(number))
                .await
                .map(|run| run.id())
        });
    }
    let worker = Worker::builder(client.clone())
        .jobs([mail::JOB])
        .shared(Arc::clone(&go))
        .concurrency(1)
        .build()?
        .start()
        .await?;
    let mut accepted = 0;
    while accepted < 200 {
        go.add_permits(1);
        tokio::select! {
            enqueued = within("room", waiting.join_next()) => {
                enqueued.ok_or("all have come in")???;
                accepted += 1;
            }
            () = tokio::time::sleep(Duration::from_millis(1)) => {}
        }
        // The first batch came in as a whole; what waits comes in once it is down to the low mark.
        let ready = client.stats().await?.ready;
        assert!(
            accepted == 0 || ready <= 10,
            "{ready} are ready after {accepted}"
        );
    }
    go.add_permits(1_000);
    worker.stop().await
}

#[tokio::test]
async fn a_limit_that_makes_no_sense_is_an_error() -> Result {
    let folder = Folder::new()?;
    for (low, most) in [(0, 0), (10, 10), (11, 10)] {
        let opened = Client::builder(folder.store())
            .queue_limit("mail", low..=most)
            .open()
            .await;
        let error = opened.err().ok_or("it is refused")?;
        assert!(
            matches!(
                error,
                Error::Setting {
                    setting: "queue_limit",
                    ..
                }
            ),
            "{error}"
        );
    }
    Ok(())
}
