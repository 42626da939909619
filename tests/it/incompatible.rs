//! Runs that this build cannot execute: kept and visible, and nobody waits behind them.

use afterhours::{Client, Error, Result, Status, Worker, job};

use crate::support::{Folder, joined, looked, start};

#[job(name = "incompatible.measure")]
async fn measure(text: &str) -> Result<usize> {
    Ok(text.len())
}

/// The same job in a build with other arguments.
mod next_release {
    use super::{Result, job};

    #[job(name = "incompatible.measure")]
    pub(super) async fn measure(text: &str, twice: bool) -> Result<usize> {
        Ok(text.len() * if twice { 2 } else { 1 })
    }
}

#[job(name = "incompatible.stranger")]
async fn stranger() -> Result<u8> {
    Ok(1)
}

#[tokio::test]
async fn damaged_arguments_park_the_run_and_the_queue_goes_on() -> Result {
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let runs = [
        client.enqueue(measure::prepare("flipped")).await?,
        client.enqueue(measure::prepare("cut")).await?,
        client.enqueue(measure::prepare("emptied")).await?,
        client.enqueue(measure::prepare("longer")).await?,
    ];
    let outsider = folder.outsider()?;
    for (run, damage) in runs.iter().zip([
        "substr(payload, 1, length(payload) - 1) || x'ff'",
        "substr(payload, 1, length(payload) - 1)",
        "x''",
        "payload || x'00'",
    ]) {
        let damage =
            format!("UPDATE afterhours_runs SET payload = CAST({damage} AS BLOB) WHERE id = ?1");
        assert_eq!(outsider.execute(&damage, [run.id().to_string()])?, 1);
    }
    let whole = client.enqueue(measure::prepare("whole")).await?;
    let worker = Worker::builder(client.clone())
        .jobs([measure::JOB])
        .concurrency(1)
        .build()?
        .start()
        .await?;
    assert_eq!(joined(&whole).await?, 5);
    for run in &runs {
        let error = joined(run).await.expect_err("its arguments are damaged");
        assert!(matches!(error, Error::Incompatible { .. }), "{error}");
        let status = run.status().await?;
        let Status::Incompatible { reason } = &status else {
            panic!("{status:?}");
        };
        assert!(!reason.is_empty() && !status.is_finished());
    }
    let kept: u32 =
        outsider.query_row("SELECT count(*) FROM afterhours_runs", [], |row| row.get(0))?;
    assert_eq!(kept, 5);
    worker.stop().await
}

#[tokio::test]
async fn a_build_with_other_arguments_leaves_the_run_to_the_one_that_knows_them() -> Result {
    let client = Client::open_in_memory().await?;
    let new = client
        .enqueue(next_release::measure::prepare("abc", true))
        .await?;
    let old = client.enqueue(measure::prepare("abc")).await?;
    let worker = start(&client, [measure::JOB]).await?;
    assert_eq!(joined(&old).await?, 3);
    looked(&client).await?;
    assert_eq!(new.status().await?, Status::Ready);
    worker.stop().await?;
    let worker = start(&client, [next_release::measure::JOB]).await?;
    assert_eq!(joined(&new).await?, 6);
    worker.stop().await
}

#[tokio::test]
async fn a_job_that_nobody_knows_waits_and_holds_nobody_up() -> Result {
    let client = Client::open_in_memory().await?;
    let unknown = client
        .enqueue_all((0..300).map(|_| stranger::prepare().priority(99)))
        .await?;
    let known = client.enqueue(measure::prepare("known")).await?;
    let worker = start(&client, [measure::JOB]).await?;
    assert_eq!(joined(&known).await?, 5);
    for run in &unknown {
        assert_eq!(run.status().await?, Status::Ready);
    }
    worker.stop().await
}
