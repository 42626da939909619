//! What goes in through `perform_*` comes out of the worker, typed.

use afterhours::{Client, Result, Worker, job};

#[job]
async fn add(a: u64, b: u64) -> Result<u64> {
    Ok(a + b)
}

#[tokio::test]
async fn a_run_gives_its_result() -> Result {
    let client = Client::open_in_memory().await?;
    let worker = Worker::builder(client.clone())
        .jobs([add::JOB])
        .build()?
        .start()
        .await?;
    let run = client.enqueue(add::prepare(1, 2)).await?;
    assert_eq!(run.join().await?, 3);
    worker.stop().await
}
