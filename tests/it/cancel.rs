//! Cancelling a run: at once while it waits; while it runs its attempt is told, wherever it is, and may end in good order.

use std::sync::Arc;
use std::time::Duration;

use afterhours::{Client, Context, Error, Handle, Result, RunningWorker, Status, Worker, job};

use crate::support::stage::{Stage, stage};
use crate::support::time::store_at_rest;
use crate::support::{Folder, joined, status, within};

#[job(name = "cancel.work", retry_delay = 0, jitter = 0.0)]
async fn work(ctx: &Context, #[state] stage: &Stage, then: &str) -> Result<String> {
    let _guard = stage.guard();
    stage.say("start");
    if then == "go on" {
        stage.wait().await;
        return Ok("went on".to_owned());
    }
    ctx.cancelled().await;
    stage.say("told");
    match then {
        "fail" => Err("interrupted")?,
        "succeed" => Ok("finished anyway".to_owned()),
        _ => std::future::pending().await,
    }
}

#[job(name = "cancel.plain", retry_delay = 0, jitter = 0.0)]
fn plain(ctx: &Context, #[state] stage: &Stage) -> Result<()> {
    stage.say("start");
    while !ctx.is_cancelled() {
        std::thread::sleep(Duration::from_millis(1));
    }
    Err("interrupted")?
}

const LONG: Duration = Duration::from_secs(3600);

async fn start(client: &Client, stage: &Arc<Stage>, grace: Duration) -> Result<RunningWorker> {
    let worker = Worker::builder(client.clone())
        .jobs([work::JOB, plain::JOB])
        .shared(Arc::clone(stage))
        // The one place is taken by the run that is to be cancelled.
        .concurrency(1)
        .shutdown_grace(grace)
        .build()?;
    Ok(worker.start().await?)
}

fn is_cancelled(status: &Status) -> bool {
    matches!(status, Status::Cancelled { reason, .. } if reason == "by a caller")
}

async fn assert_cancelled<T: serde::de::DeserializeOwned + std::fmt::Debug>(run: &Handle<T>) {
    let ended = joined(run).await;
    assert!(matches!(ended, Err(Error::Cancelled { .. })), "{ended:?}");
}

#[tokio::test]
async fn a_run_that_waits_never_starts() -> Result {
    let client = Client::open_in_memory().await?;
    let (stage, mut audience) = stage();
    let ready = client.enqueue(work::prepare("fail")).await?;
    let scheduled = client.enqueue(work::prepare("fail").delay(LONG)).await?;
    for run in [&ready, &scheduled] {
        assert!(is_cancelled(&run.cancel().await?));
        assert_cancelled(run).await;
        // Twice is fine.
        assert!(is_cancelled(&run.cancel().await?));
    }
    let worker = start(&client, &stage, LONG).await?;
    let last = client.enqueue(work::prepare("go on")).await?;
    audience.hears("start").await;
    stage.go(1);
    assert_eq!(joined(&last).await?, "went on");
    audience.hears("dropped").await;
    audience.has_heard_nothing();
    assert!(matches!(last.cancel().await?, Status::Done { .. }));
    assert_eq!(joined(&last).await?, "went on");
    worker.stop().await
}

#[tokio::test]
async fn someone_who_joins_hears_of_it() -> Result {
    let (client, _clock, _folder) = store_at_rest().await?;
    let run = client.enqueue(work::prepare("fail")).await?;
    let joiner = tokio::spawn({
        let run = run.clone();
        async move { run.join().await }
    });
    tokio::task::yield_now().await;
    run.cancel().await?;
    let error = within("the joiner", joiner).await?.unwrap_err();
    assert!(error.to_string().ends_with("was cancelled: by a caller"));
    Ok(())
}

#[tokio::test]
async fn a_running_attempt_is_told_and_is_not_repeated() -> Result {
    // While its clock rests, a worker looks only when it is told to.
    let (client, _clock, _folder) = store_at_rest().await?;
    let (stage, mut audience) = stage();
    let worker = start(&client, &stage, LONG).await?;
    let run = client.enqueue(work::prepare("fail")).await?;
    audience.hears("start").await;
    assert!(matches!(run.cancel().await?, Status::Running { .. }));
    audience.hears("told").await;
    assert_cancelled(&run).await;
    audience.hears("dropped").await;
    audience.has_heard_nothing();
    worker.stop().await
}

#[tokio::test]
async fn an_attempt_that_succeeds_all_the_same_is_done() -> Result {
    let (client, _clock, _folder) = store_at_rest().await?;
    let (stage, mut audience) = stage();
    let worker = start(&client, &stage, LONG).await?;
    let run = client.enqueue(work::prepare("succeed")).await?;
    audience.hears("start").await;
    run.cancel().await?;
    assert_eq!(joined(&run).await?, "finished anyway");
    worker.stop().await
}

#[tokio::test]
async fn after_the_grace_period_it_is_dropped() -> Result {
    let (client, clock, _folder) = store_at_rest().await?;
    let (stage, mut audience) = stage();
    let worker = start(&client, &stage, Duration::from_secs(10)).await?;
    let run = client.enqueue(work::prepare("hang")).await?;
    audience.hears("start").await;
    run.cancel().await?;
    audience.hears("told").await;
    clock.advance(Duration::from_secs(9));
    tokio::task::yield_now().await;
    audience.has_heard_nothing();
    clock.advance(Duration::from_secs(1));
    audience.hears("dropped").await;
    assert_cancelled(&run).await;
    worker.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_fn_is_told_and_ends_by_itself() -> Result {
    let client = Client::open_in_memory().await?;
    let (stage, mut audience) = stage();
    let worker = start(&client, &stage, LONG).await?;
    let run = client.enqueue(plain::prepare()).await?;
    audience.hears("start").await;
    run.cancel().await?;
    assert_cancelled(&run).await;
    audience.has_heard_nothing();
    worker.stop().await
}

#[tokio::test]
async fn another_client_s_word_reaches_the_attempt() -> Result {
    let folder = Folder::new()?;
    let (stage, mut audience) = stage();
    let working = Client::open(folder.store()).await?;
    let worker = start(&working, &stage, LONG).await?;
    let client = Client::open(folder.store()).await?;
    let run = client.enqueue(work::prepare("fail")).await?;
    audience.hears("start").await;
    // By id, as another process would.
    work::handle(run.id()).on(&client).cancel().await?;
    audience.hears("told").await;
    status(&run, is_cancelled).await?;
    worker.stop().await
}

#[tokio::test]
async fn its_twin_may_come_at_once() -> Result {
    let client = Client::open_in_memory().await?;
    let first = client.enqueue(work::prepare("fail").unique("one")).await?;
    first.cancel().await?;
    let twin = client.enqueue(work::prepare("fail").unique("one")).await?;
    assert!(!twin.is_duplicate());
    Ok(())
}

#[tokio::test]
async fn one_that_is_not_kept_and_one_that_never_was() -> Result {
    let client = Client::open_in_memory().await?;
    let run = client
        .enqueue(work::prepare("fail").keep(Duration::ZERO))
        .await?;
    // Its row is not the one that guards the last id.
    client.enqueue(work::prepare("fail")).await?;
    assert!(is_cancelled(&run.cancel().await?));
    assert!(run.cancel().await.unwrap_err().is_gone());
    let never = work::handle("4711".parse()?).on(&client);
    assert!(never.cancel().await.unwrap_err().is_gone());
    let other = plain::handle(run.id()).on(&client);
    assert!(other.cancel().await.unwrap_err().is_gone());
    Ok(())
}
