//! What workers have counted, seen from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use afterhours::{Client, Context, JobError, Result, Worker, WorkerCounters, job};
use tokio::sync::Notify;

use crate::support::jobs::work;
use crate::support::process::{Process, count, wait_for_ledger, wait_until};
use crate::support::{Folder, within};

const LONG: Duration = Duration::from_secs(3600);

#[derive(Default)]
struct Stage {
    began: Notify,
    go: Notify,
    has_snoozed: AtomicBool,
}

#[job(name = "counters.act", retry = 1, retry_delay = 0)]
async fn act(ctx: &Context, #[state] stage: &Stage, part: &str) -> Result {
    match part {
        "succeed" => Ok(()),
        "fail once" if ctx.attempt() > 1 => Ok(()),
        "fail once" => Err("not yet".into()),
        "panic" => panic!("as the part says"),
        "snooze" if !stage.has_snoozed.swap(true, Ordering::Relaxed) => {
            Err(JobError::snooze(Duration::ZERO))
        }
        "hang" => std::future::pending().await,
        "wait" => {
            stage.began.notify_one();
            stage.go.notified().await;
            Ok(())
        }
        "call off" => {
            stage.began.notify_one();
            stage.go.notified().await;
            Err(JobError::cancel("nobody needs it"))
        }
        _ => Ok(()),
    }
}

/// Looks until the only worker's counters are so.
async fn seen(folder: &Folder, is_so: impl Fn(&WorkerCounters) -> bool) -> Result<WorkerCounters> {
    loop {
        let all = WorkerCounters::read(folder.store())?;
        assert!(all.len() <= 1, "{all:?}");
        if let Some(found) = all.into_iter().find(&is_so) {
            return Ok(found);
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn every_end_is_counted() -> Result {
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let stage = Arc::new(Stage::default());
    let worker = Worker::builder(client.clone())
        .jobs([act::JOB])
        .shared(Arc::clone(&stage))
        .concurrency(8)
        .build()?
        .start()
        .await?;
    let idle = within("the worker", seen(&folder, |_| true)).await?;
    assert_eq!((idle.pid, idle.concurrency), (std::process::id(), 8));
    assert_eq!((idle.active, idle.started), (0, 0));
    let parts = ["succeed", "succeed", "fail once", "panic", "snooze"];
    client.enqueue_all(parts.map(act::prepare)).await?;
    let short = Duration::from_millis(1);
    client.enqueue(act::prepare("hang").timeout(short)).await?;
    client.enqueue(act::prepare("wait")).await?;
    within("the one that waits", stage.began.notified()).await;
    // What is written while an attempt ends may count it among both.
    let is_so = |seen: &WorkerCounters| (seen.timed_out, seen.succeeded, seen.active) == (2, 4, 1);
    let busy = within("the ends", seen(&folder, is_so)).await?;
    assert_eq!((busy.failed, busy.panicked, busy.snoozed), (1, 2, 1));
    // Of the one that failed, the panic and the one that took too long.
    assert_eq!(busy.retried, 3);
    // Those of the ends, and the one that waits.
    assert_eq!(busy.started, 4 + 1 + 2 + 1 + 2 + 1);
    assert_eq!((busy.skipped, busy.rescued), (0, 0));
    assert_eq!(busy.started_at, idle.started_at);
    assert!(busy.written_at >= idle.written_at);
    stage.go.notify_one();
    let is_so = |seen: &WorkerCounters| seen.succeeded == 5 && seen.active == 0;
    within("the last end", seen(&folder, is_so)).await?;
    // What counts as nothing is at work no more, either.
    client.enqueue(act::prepare("call off")).await?;
    within("another one", stage.began.notified()).await;
    within("it at work", seen(&folder, |seen| seen.active == 1)).await?;
    stage.go.notify_one();
    let called_off = within("its end", seen(&folder, |seen| seen.active == 0)).await?;
    assert_eq!((called_off.started, called_off.succeeded), (12, 5));
    worker.stop().await?;
    assert_eq!(WorkerCounters::read(folder.store())?, []);
    Ok(())
}

#[tokio::test]
async fn a_killed_worker_is_seen_no_more_and_who_takes_its_runs_has_counted_them() -> Result {
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let mut one = Process::worker(&folder, 2, LONG)?;
    client
        .enqueue_all((0..2).map(|_| work::prepare(600_000)))
        .await?;
    wait_for_ledger(&folder, "two starts", |lines| count(lines, "start") == 2);
    let pids = |folder: &Folder| -> Vec<u32> {
        let all = WorkerCounters::read(folder.store()).expect("they can be read");
        all.into_iter().map(|worker| worker.pid).collect()
    };
    let other = Process::worker(&folder, 4, LONG)?;
    wait_until("both are there", || pids(&folder) == [one.id(), other.id()]);
    one.kill()?;
    within("the other one", seen_alone(&folder, other.id())).await
}

async fn seen_alone(folder: &Folder, pid: u32) -> Result {
    loop {
        let all = WorkerCounters::read(folder.store())?;
        if let [alone] = &all[..]
            && (alone.pid, alone.rescued, alone.active) == (pid, 2, 2)
        {
            return Ok(());
        }
        tokio::task::yield_now().await;
    }
}
