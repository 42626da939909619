//! What an application does around enqueues and attempts, what travels with a run, and who hears of failures.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use afterhours::{
    AttemptFuture, AttemptOutcome, Client, Context, Enqueue, Hook, JobError, Result, Worker, job,
};

use crate::support::{Folder, joined, within};

type Log = Arc<Mutex<Vec<String>>>;

fn write(log: &Log, line: String) {
    log.lock().expect("no line panics").push(line);
}

fn lines(log: &Log) -> Vec<String> {
    log.lock().expect("no line panics").clone()
}

/// Hands the request on from parent to child, and writes down what it sees.
struct Requests {
    name: &'static str,
    log: Log,
}

impl Hook for Requests {
    fn enqueue(&self, run: &mut Enqueue<'_>) {
        let parent = Context::current();
        let request = parent
            .as_ref()
            .and_then(|context| context.metadata("request"));
        if let Some(request) = request {
            run.set("request", request);
        }
        let request = run.get("request").unwrap_or("none");
        let line = format!(
            "{} enqueue {} in {}: {request}",
            self.name,
            run.job(),
            run.queue()
        );
        write(&self.log, line);
    }

    fn attempt<'a>(
        &'a self,
        context: &'a Context,
        attempt: AttemptFuture<'a>,
    ) -> AttemptFuture<'a> {
        Box::pin(async move {
            write(
                &self.log,
                format!("{} before {}", self.name, context.name()),
            );
            let ended = attempt.await;
            let error = ended.error().map(ToString::to_string);
            let line = format!(
                "{} after {}: {} {error:?}",
                self.name,
                context.name(),
                ended.is_ok()
            );
            write(&self.log, line);
            ended
        })
    }
}

#[job(name = "hooks.parent", queue = "hooks")]
async fn parent(ctx: &Context) -> Result<Option<String>> {
    let child = ctx.client().enqueue(child::prepare()).await?;
    Ok(child.join().await?)
}

#[job(name = "hooks.child")]
async fn child(ctx: &Context) -> Result<Option<String>> {
    Ok(ctx.metadata("request").map(str::to_owned))
}

#[tokio::test]
async fn metadata_travels_from_the_caller_to_the_children_of_its_run() -> Result {
    let folder = Folder::new()?;
    let log = Log::default();
    let hook = |name| Requests {
        name,
        log: Arc::clone(&log),
    };
    let client = Client::builder(folder.store())
        .hook(hook("outer"))
        .hook(hook("inner"))
        .open()
        .await?;
    let worker = Worker::builder(client.clone())
        .jobs([parent::JOB, child::JOB])
        .concurrency(2)
        .build()?
        .start()
        .await?;
    let run = client
        .enqueue(
            parent::prepare()
                .metadata("request", "r-17")
                .tags(["tagged"]),
        )
        .await?;
    assert_eq!(joined(&run).await?.as_deref(), Some("r-17"));
    let seen = client.run(run.id()).await?.ok_or("it is kept")?;
    assert_eq!(seen.metadata["request"], "r-17");
    assert_eq!(seen.tags, ["tagged"]);
    worker.stop().await?;
    let seen = lines(&log);
    assert_eq!(
        seen,
        [
            "outer enqueue hooks.parent in hooks: r-17",
            "inner enqueue hooks.parent in hooks: r-17",
            "outer before hooks.parent",
            "inner before hooks.parent",
            "outer enqueue hooks.child in default: r-17",
            "inner enqueue hooks.child in default: r-17",
            "outer before hooks.child",
            "inner before hooks.child",
            "inner after hooks.child: true None",
            "outer after hooks.child: true None",
            "inner after hooks.parent: true None",
            "outer after hooks.parent: true None",
        ]
    );
    Ok(())
}

#[derive(Debug, thiserror::Error)]
#[error("the mail was not sent")]
struct Unsent(#[from] std::num::ParseIntError);

#[job(name = "hooks.fails", retry = 1, retry_delay = 0)]
async fn fails(how: &str) -> Result {
    match how {
        "error" => Err(Unsent::from("x".parse::<u8>().expect_err("no number")).into()),
        "discard" => Err(JobError::discard("never again")),
        "panic" => panic!("{how} it is"),
        "snooze" => Err(JobError::snooze(Duration::from_secs(3600))),
        "cancel" => Err(JobError::cancel("not needed")),
        _ => Ok(()),
    }
}

#[job(name = "hooks.plain", retry = 0)]
fn plain() {
    panic!("on a thread");
}

#[job(name = "hooks.slow", retry = 0, timeout = "1ms")]
async fn slow() {
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_reporter_hears_of_every_attempt_that_failed() -> Result {
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let log = Log::default();
    let told = Arc::clone(&log);
    let worker = Worker::builder(client.clone())
        .jobs([fails::JOB, plain::JOB, slow::JOB])
        .on_error(move |report| {
            let outcome = match report.outcome {
                AttemptOutcome::Error => "error",
                AttemptOutcome::Panic => "panic",
                AttemptOutcome::Timeout => "timeout",
                _ => "?",
            };
            let line = format!(
                "{outcome} {} {} {:?} {} {}",
                report.context.name(),
                report.context.attempt(),
                report.errors,
                report
                    .panicked_at
                    .is_some_and(|place| place.contains("hooks.rs:")),
                report.will_retry
            );
            write(&told, line);
            assert!(
                report.outcome != AttemptOutcome::Timeout,
                "a reporter that panics harms nobody"
            );
        })
        .build()?
        .start()
        .await?;
    for how in ["error", "discard", "panic", "cancel", "fine"] {
        let run = client.enqueue(fails::prepare(how)).await?;
        let _ = within(how, run.join()).await;
    }
    let snoozed = client.enqueue(fails::prepare("snooze")).await?;
    let _ = within("plain", client.enqueue(plain::prepare()).await?.join()).await;
    let slow = client.enqueue(slow::prepare()).await?;
    within("slow", slow.join())
        .await
        .expect_err("it is too slow");
    assert!(!snoozed.status().await?.is_finished());
    worker.stop().await?;
    let causes = r#"["the mail was not sent", "invalid digit found in string"]"#;
    assert_eq!(
        lines(&log),
        [
            &*format!("error hooks.fails 1 {causes} false true"),
            &*format!("error hooks.fails 2 {causes} false false"),
            r#"error hooks.fails 1 ["never again"] false false"#,
            r#"panic hooks.fails 1 ["panicked: panic it is"] true true"#,
            r#"panic hooks.fails 2 ["panicked: panic it is"] true false"#,
            r#"panic hooks.plain 1 ["panicked: on a thread"] true false"#,
            r#"timeout hooks.slow 1 ["took longer than its timeout of 1ms"] false false"#,
        ]
    );
    Ok(())
}

/// Panics on the way in or out.
struct Clumsy(&'static str);

impl Hook for Clumsy {
    fn attempt<'a>(&'a self, _: &'a Context, attempt: AttemptFuture<'a>) -> AttemptFuture<'a> {
        assert!(self.0 != "before", "clumsy before");
        Box::pin(async move {
            let ended = attempt.await;
            assert!(self.0 != "after", "clumsy after");
            ended
        })
    }
}

#[tokio::test]
async fn a_hook_that_panics_ends_the_attempt_and_not_the_worker() -> Result {
    for when in ["before", "after"] {
        let folder = Folder::new()?;
        let client = Client::builder(folder.store())
            .hook(Clumsy(when))
            .open()
            .await?;
        let worker = Worker::builder(client.clone())
            .jobs([child::JOB])
            .build()?
            .start()
            .await?;
        for _ in 0..2 {
            let run = client.enqueue(child::prepare().retry(0)).await?;
            let error = within(when, run.join()).await.expect_err("the hook panics");
            let failure = error.failure().ok_or("it has failed")?;
            assert_eq!(failure.error, format!("panicked: clumsy {when}"));
        }
        worker.stop().await?;
    }
    Ok(())
}
