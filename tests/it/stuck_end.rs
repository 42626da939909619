//! An end that the store does not take keeps no other run waiting, and is written as soon as it can be.

use std::sync::Arc;

use afterhours::{Client, Result, Status, Worker, job};

use crate::support::stage::{Stage, stage};
use crate::support::{Folder, joined, status};

#[job(name = "stuck_end.work", retry = 0)]
async fn work(#[state] stage: &Stage, number: u32) -> Result<u32> {
    stage.say(format!("work {number}"));
    Ok(number)
}

#[tokio::test]
async fn an_end_that_cannot_be_written_waits_alone() -> Result {
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let bad = client.enqueue(work::prepare(0).priority(20)).await?;
    let outsider = folder.outsider()?;
    outsider.execute_batch(&format!(
        "CREATE TRIGGER no_end BEFORE UPDATE ON afterhours_runs WHEN old.id = {} AND new.state = 3
         BEGIN SELECT RAISE(ABORT, 'no'); END",
        bad.id()
    ))?;
    let (stage, mut audience) = stage();
    let worker = Worker::builder(client.clone())
        .jobs([work::JOB])
        .shared(Arc::clone(&stage))
        .concurrency(2)
        .build()?
        .start()
        .await?;
    audience.hears("work 0").await;
    // Each is claimed after the one before has ended, with the bad end in the way.
    for number in 1..=5 {
        let run = client.enqueue(work::prepare(number)).await?;
        assert_eq!(joined(&run).await?, number);
        audience.hears(&format!("work {number}")).await;
    }
    assert!(matches!(bad.status().await?, Status::Running { .. }));
    outsider.execute_batch("DROP TRIGGER no_end")?;
    status(&bad, Status::is_finished).await?;
    assert_eq!(joined(&bad).await?, 0);
    audience.has_heard_nothing();
    worker.stop().await
}
