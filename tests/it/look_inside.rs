//! Looking at a store and deciding about its runs, from a process that executes nothing.

use std::time::Duration;

use afterhours::{Client, Error, JobError, Result, RunFilter, RunState, Status, Worker, job};

use crate::support::{Folder, within};

#[job(name = "look.mail", queue = "look-mail", retry = 0)]
async fn mail(user: u64, template: &str) -> Result {
    match template {
        "broken" => Err(JobError::from(format!("no such user: {user}"))),
        _ => Ok(()),
    }
}

#[job(name = "look.other", queue = "look-other")]
async fn other() {}

async fn opened(folder: &Folder) -> Result<Client> {
    Ok(Client::open(folder.store()).await?)
}

#[tokio::test]
async fn another_process_sees_what_has_failed_and_lets_it_run_again() -> Result {
    let folder = Folder::new()?;
    let (client, console) = (opened(&folder).await?, opened(&folder).await?);
    let failed = client
        .enqueue(mail::prepare(7, "broken").tags(["trial"]))
        .await?;
    let later = client
        .enqueue(mail::prepare(8, "later").delay(Duration::from_secs(3600)))
        .await?;
    let worker = Worker::builder(client.clone())
        .jobs([mail::JOB, other::JOB])
        .build()?
        .start()
        .await?;
    within("the failure", failed.join())
        .await
        .expect_err("it is broken");

    let page = console
        .runs(
            RunFilter::new()
                .state(RunState::Failed)
                .tag("trial")
                .error("NO SUCH"),
        )
        .await?;
    assert_eq!(page.next, None);
    let run = &page.runs[0];
    assert_eq!((run.id, run.attempts), (failed.id(), 1));
    assert_eq!(
        run.arguments.as_deref(),
        Some(r#"user: 7, template: "broken""#)
    );
    assert_eq!(run.error.as_deref(), Some("no such user: 7"));
    assert_eq!(console.history(run.id).await?.len(), 1);
    let one = console.run(run.id).await?.ok_or("it is there")?;
    assert_eq!(one, *run);

    // The worker is in another client, and hears of it as if it were in another process.
    assert_eq!(console.retry(failed.id()).await?, Status::Ready);
    within("the second failure", failed.join())
        .await
        .expect_err("it is still broken");
    assert_eq!(console.history(failed.id()).await?.len(), 2);
    console.retry(later.id()).await?;
    within("what was to come later", later.join()).await?;

    let stats = console.stats().await?;
    assert_eq!(
        (stats.done, stats.failed, stats.ready, stats.workers),
        (1, 1, 0, 1)
    );
    worker.stop().await
}

#[tokio::test]
async fn a_paused_queue_waits_for_all_workers_and_over_restarts() -> Result {
    let folder = Folder::new()?;
    let (client, console) = (opened(&folder).await?, opened(&folder).await?);
    console.pause_queue("look-mail").await?;
    let worker = |client: &Client| {
        Worker::builder(client.clone())
            .jobs([mail::JOB, other::JOB])
            .build()
    };
    let running = worker(&client)?.start().await?;
    let held = client.enqueue(mail::prepare(1, "held")).await?;
    within(
        "the other queue",
        client.enqueue(other::prepare()).await?.join(),
    )
    .await?;
    assert_eq!(held.status().await?, Status::Ready);
    running.stop().await?;
    let running = worker(&client)?.start().await?;
    within(
        "the other queue again",
        client.enqueue(other::prepare()).await?.join(),
    )
    .await?;
    assert_eq!(held.status().await?, Status::Ready);
    let stats = console.stats().await?;
    let queue = stats
        .queues
        .iter()
        .find(|queue| queue.name == "look-mail")
        .ok_or("it is there")?;
    assert!(queue.is_paused && queue.ready == 1);
    console.resume_queue("look-mail").await?;
    within("what was held", held.join()).await?;
    running.stop().await
}

#[tokio::test]
async fn what_nobody_will_run_is_cancelled_or_discarded() -> Result {
    let folder = Folder::new()?;
    let client = opened(&folder).await?;
    let cancelled = client.enqueue(mail::prepare(1, "a")).await?;
    let discarded = client.enqueue(mail::prepare(2, "b")).await?;
    assert!(matches!(
        client.cancel(cancelled.id()).await?,
        Status::Cancelled { .. }
    ));
    assert!(
        matches!(client.discard(discarded.id()).await?, Status::Failed { error, .. } if error == "discarded by a caller")
    );
    let error = discarded.join().await.expect_err("it was discarded");
    assert!(error.failure().is_some(), "{error}");
    for missing in [
        client.retry("77".parse()?).await,
        client.cancel("77".parse()?).await,
        client.discard("77".parse()?).await,
    ] {
        assert!(matches!(missing, Err(Error::Gone { .. })), "{missing:?}");
    }
    let long = "q".repeat(2000);
    assert!(matches!(
        client.pause_queue(&long).await,
        Err(Error::Setting { .. })
    ));
    assert!("1_2_x_4".parse::<afterhours::Cursor>().is_err());
    Ok(())
}

#[tokio::test]
async fn pages_go_on_where_the_last_one_ended_while_runs_come_and_go() -> Result {
    let folder = Folder::new()?;
    let client = opened(&folder).await?;
    let runs = client
        .enqueue_all((0..25).map(|user| mail::prepare(user, "page")))
        .await?;
    let mut met = Vec::new();
    let mut filter = RunFilter::new().queue("look-mail").limit(10);
    loop {
        let page = client.runs(filter.clone()).await?;
        met.extend(page.runs.iter().map(|run| run.id));
        // What is new is above the first page, and moves none of the others.
        client.enqueue(mail::prepare(99, "new")).await?;
        match page.next {
            Some(next) => filter = filter.after(next.to_string().parse()?),
            None => break,
        }
    }
    let expected: Vec<_> = runs.iter().rev().map(afterhours::Handle::id).collect();
    assert_eq!(met, expected);
    Ok(())
}
