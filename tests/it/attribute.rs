//! What an attribute says holds for each run, unless the call site says otherwise.

use std::time::Duration;

use afterhours::{Client, Result, Worker, job};

use crate::support::stage::{Stage, stage};
use crate::support::time::{secs, store_at_rest};
use crate::support::{joined, nothing};

#[job(name = "attribute.kept", keep = "10s")]
async fn kept() {}

#[job(name = "attribute.usual", queue = "attribute")]
async fn usual(#[state] stage: &Stage) {
    stage.say("usual");
}

#[job(name = "attribute.urgent", queue = "attribute", priority = 20)]
async fn urgent(#[state] stage: &Stage) {
    stage.say("urgent");
}

#[job(name = "attribute.elsewhere", queue = "elsewhere", priority = 99)]
async fn elsewhere(#[state] stage: &Stage) {
    stage.say("elsewhere");
}

#[tokio::test]
async fn a_finished_run_is_kept_as_long_as_it_says() -> Result {
    let (client, clock, _folder) = store_at_rest().await?;
    let worker = Worker::builder(client.clone())
        .jobs([kept::JOB, nothing::JOB])
        .build()?
        .start()
        .await?;
    let by_attribute = client.enqueue(kept::prepare()).await?;
    let longer = kept::prepare().keep(Duration::from_secs(60));
    let by_call_site = client.enqueue(longer).await?;
    joined(&by_attribute).await?;
    joined(&by_call_site).await?;
    clock.advance(secs(9));
    assert!(by_attribute.status().await?.is_finished());
    clock.advance(secs(1));
    assert!(by_attribute.status().await.unwrap_err().is_gone());
    assert!(by_call_site.status().await?.is_finished());
    worker.stop().await
}

#[tokio::test]
async fn its_queue_and_priority_are_those_it_says() -> Result {
    let client = Client::open_in_memory().await?;
    let (stage, mut audience) = stage();
    client.enqueue(elsewhere::prepare()).await?;
    client.enqueue(usual::prepare()).await?;
    client.enqueue(urgent::prepare()).await?;
    client.enqueue(urgent::prepare().priority(5)).await?;
    client
        .enqueue(elsewhere::prepare().queue("attribute"))
        .await?;
    let worker = Worker::builder(client.clone())
        .jobs([usual::JOB, urgent::JOB, elsewhere::JOB])
        .queues(["attribute"])
        .shared(stage)
        .concurrency(1)
        .build()?
        .start()
        .await?;
    for expected in ["elsewhere", "urgent", "usual", "urgent"] {
        audience.hears(expected).await;
    }
    worker.stop().await?;
    audience.has_heard_nothing();
    Ok(())
}
