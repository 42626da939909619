//! How far a run has come, told from inside and seen from outside.

use std::sync::Arc;

use afterhours::{Client, Context, Progress, Result, RunFilter, RunState, Worker, job};
use tokio::sync::Notify;

use crate::support::{Folder, within};

#[derive(Default)]
struct Stage {
    told: Notify,
    go: Notify,
}

#[job(name = "progress.import")]
async fn import(ctx: &Context, #[state] stage: &Stage, steps: u64) {
    for done in 1..=steps {
        ctx.progress(done, steps);
    }
    stage.told.notify_one();
    stage.go.notified().await;
    ctx.progress(u64::MAX, u64::MAX);
    stage.told.notify_one();
    stage.go.notified().await;
}

/// Looks until it is so.
async fn seen<T>(run: &afterhours::Handle<T>, done: u64) -> Result<Progress> {
    loop {
        if let Some(progress) = run
            .progress()
            .await?
            .filter(|progress| progress.done >= done)
        {
            return Ok(progress);
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn it_is_seen_from_other_processes_while_the_attempt_lasts() -> Result {
    const STEPS: u64 = 100_000;
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let console = Client::open(folder.store()).await?;
    let stage = Arc::new(Stage::default());
    let run = client.enqueue(import::prepare(STEPS)).await?;
    let outside = import::handle(run.id()).on(&console);
    assert_eq!(outside.progress().await?, None);
    let worker = Worker::builder(client.clone())
        .jobs([import::JOB])
        .shared(Arc::clone(&stage))
        .build()?
        .start()
        .await?;
    within("the first words", stage.told.notified()).await;
    let progress = within("the progress", seen(&outside, STEPS)).await?;
    assert_eq!((progress.done, progress.total), (STEPS, STEPS));
    let page = console
        .runs(RunFilter::new().state(RunState::Running))
        .await?;
    assert_eq!(page.runs[0].progress, Some(progress));
    stage.go.notify_one();
    within("the last words", stage.told.notified()).await;
    let most = i64::MAX.unsigned_abs();
    let progress = within("the new progress", seen(&outside, most)).await?;
    assert_eq!(progress.total, most);
    stage.go.notify_one();
    within("the end", run.join()).await?;
    assert_eq!(outside.progress().await?, None);
    worker.stop().await
}
