//! Which run goes first, and which are left alone.

use std::sync::Arc;

use afterhours::{Client, Result, Status, Worker, WorkerBuilder, job};

use crate::support::stage::{Audience, Stage, stage};
use crate::support::{joined, looked, nothing};

#[job(name = "order.tell")]
async fn tell(#[state] stage: &Stage, word: &str) {
    stage.say(word);
}

#[job(name = "order.other")]
async fn other() {}

async fn check(
    client: &Client,
    settings: impl FnOnce(WorkerBuilder) -> WorkerBuilder,
    expected: &[&str],
) -> Result<Audience> {
    let (stage, mut audience) = stage();
    let builder = Worker::builder(client.clone())
        .jobs([tell::JOB, nothing::JOB])
        .shared::<Stage>(Arc::clone(&stage))
        .concurrency(1);
    let worker = settings(builder).build()?.start().await?;
    for word in expected {
        audience.hears(word).await;
    }
    looked(client).await?;
    audience.has_heard_nothing();
    worker.stop().await?;
    Ok(audience)
}

#[tokio::test]
async fn the_oldest_run_goes_first() -> Result {
    let client = Client::open_in_memory().await?;
    for word in ["a", "b", "c", "d"] {
        client.enqueue(tell::prepare(word)).await?;
    }
    check(&client, |builder| builder, &["a", "b", "c", "d"]).await?;
    Ok(())
}

#[tokio::test]
async fn a_higher_priority_goes_before_age() -> Result {
    let client = Client::open_in_memory().await?;
    for (word, priority) in [("low", -5), ("high", 20), ("plain", 10), ("high too", 20)] {
        let prepared = tell::prepare(word).priority(priority);
        client.enqueue(prepared).await?;
    }
    client.enqueue(tell::prepare("default")).await?;
    let expected = ["high", "high too", "plain", "default", "low"];
    check(&client, |builder| builder, &expected).await?;
    Ok(())
}

#[tokio::test]
async fn queues_go_in_the_worker_s_order_before_priority() -> Result {
    let client = Client::open_in_memory().await?;
    for (word, queue, priority) in [
        ("default", "default", 99),
        ("mail", "mail", 1),
        ("urgent", "urgent", 0),
        ("mail first", "mail", 2),
    ] {
        let prepared = tell::prepare(word).queue(queue).priority(priority);
        client.enqueue(prepared).await?;
    }
    let queues = ["urgent", "mail", "default"];
    let expected = ["urgent", "mail first", "mail", "default"];
    check(&client, |builder| builder.queues(queues), &expected).await?;
    Ok(())
}

#[tokio::test]
async fn without_named_queues_priority_counts_over_all_of_them() -> Result {
    let client = Client::open_in_memory().await?;
    for (word, queue, priority) in [("one", "a", 1), ("three", "b", 3), ("two", "c", 2)] {
        let prepared = tell::prepare(word).queue(queue).priority(priority);
        client.enqueue(prepared).await?;
    }
    check(&client, |builder| builder, &["three", "two", "one"]).await?;
    Ok(())
}

#[tokio::test]
async fn a_worker_leaves_other_queues_alone() -> Result {
    let client = Client::open_in_memory().await?;
    let foreign = client
        .enqueue(tell::prepare("foreign").queue("gpu"))
        .await?;
    client.enqueue(tell::prepare("own")).await?;
    check(&client, |builder| builder.queues(["default"]), &["own"]).await?;
    assert_eq!(foreign.status().await?, Status::Ready);
    check(
        &client,
        |builder| builder.queues(["gpu", "default"]),
        &["foreign"],
    )
    .await?;
    joined(&foreign).await?;
    Ok(())
}

#[tokio::test]
async fn a_worker_leaves_jobs_alone_that_it_was_not_given() -> Result {
    let client = Client::open_in_memory().await?;
    let unknown = client.enqueue(other::prepare().priority(99)).await?;
    client.enqueue(tell::prepare("known")).await?;
    check(&client, |builder| builder, &["known"]).await?;
    assert_eq!(unknown.status().await?, Status::Ready);
    let worker = crate::support::start(&client, [other::JOB]).await?;
    joined(&unknown).await?;
    worker.stop().await
}

#[tokio::test]
async fn a_worker_without_queues_takes_no_runs() -> Result {
    let client = Client::open_in_memory().await?;
    let run = client.enqueue(other::prepare()).await?;
    let idle = Worker::builder(client.clone())
        .jobs([other::JOB])
        .no_queues()
        .build()?
        .start()
        .await?;
    let busy = crate::support::start(&client, []).await?;
    looked(&client).await?;
    assert_eq!(run.status().await?, Status::Ready);
    busy.stop().await?;
    idle.stop().await
}
