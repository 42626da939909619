//! The test kit: each test has a store of its own, and time passes when the test says so.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use afterhours::testing::{Outcome, Sandbox};
use afterhours::{
    Error, JobError, Result, RunState, Status, assert_enqueued, job, refute_enqueued,
};

#[job(
    name = "sandbox.mail",
    queue = "mail",
    retry = 2,
    retry_delay = 60,
    backoff = "fixed"
)]
async fn send_email(user_id: u64, template: &str) -> Result<String> {
    Ok(format!("{template} for {user_id}"))
}

#[job(name = "sandbox.fan_out")]
async fn fan_out(children: u64) -> Result<u64> {
    let mut runs = Vec::new();
    for child in 0..children {
        runs.push(double::perform_async(child).await?);
    }
    let mut sum = 0;
    for run in runs {
        sum += run.join().await?;
    }
    Ok(sum)
}

#[job(name = "sandbox.double")]
fn double(n: u64) -> Result<u64> {
    Ok(n * 2)
}

#[job(name = "sandbox.hang", timeout = "1h", retry = 0)]
async fn hang() {
    std::future::pending::<()>().await;
}

#[job(name = "sandbox.snooze")]
async fn snooze_once(ctx: &afterhours::Context, calls: u32) -> Result {
    let calls_before = ctx.state::<AtomicU32>().ok_or("no counter")?;
    if calls_before.fetch_add(1, Ordering::SeqCst) < calls {
        return Err(JobError::snooze(Duration::from_secs(30)));
    }
    Ok(())
}

#[job(name = "sandbox.hourly", every = "1h")]
async fn hourly() {}

#[job(
    name = "sandbox.nightly",
    cron = "0 3 * * *",
    timezone = "Europe/Paris"
)]
async fn nightly() {}

struct Word(&'static str);

#[job(name = "sandbox.stated")]
async fn stated(#[state] word: &Word) -> Result<String> {
    Ok(word.0.to_owned())
}

const MINUTE: Duration = Duration::from_secs(60);

/// The code under test.
async fn sign_up(user_id: u64) -> Result {
    send_email::perform_in(5 * MINUTE, user_id, "welcome").await?;
    Ok(())
}

#[tokio::test]
async fn mails_after_five_minutes_retried_twice_then_gives_up() -> Result {
    let sandbox = Sandbox::open().await?;
    sign_up(42).await?;
    assert_enqueued!(send_email(42, "welcome"), in = 5m);
    sandbox.fail_next(send_email::JOB, 3, "connection refused");
    let attempts = sandbox.advance(7 * MINUTE).await?;
    assert_eq!(attempts.len(), 3);
    assert!(matches!(
        attempts[1].outcome,
        Outcome::Retried { after: MINUTE, .. }
    ));
    assert!(matches!(attempts[2].outcome, Outcome::Failed { .. }));
    refute_enqueued!(send_email);
    Ok(())
}

#[tokio::test]
async fn drain_executes_what_is_due_in_the_order_of_a_worker() -> Result {
    let sandbox = Sandbox::open().await?;
    let first = send_email::perform_async(1, "a").await?;
    let urgent = send_email::prepare(2, "b").priority(50).enqueue().await?;
    send_email::perform_in(MINUTE, 3, "c").await?;
    let attempts = sandbox.drain().await?;
    let ids: Vec<_> = attempts.iter().map(|attempt| attempt.id).collect();
    assert_eq!(ids, [urgent.id(), first.id()]);
    assert_eq!(attempts[0].attempt, 1);
    assert_eq!(attempts[0].job, "sandbox.mail");
    assert_eq!(attempts[0].queue, "mail");
    assert_eq!(attempts[0].outcome, Outcome::Done);
    assert_eq!(first.join().await?, "a for 1");
    assert_eq!(sandbox.drain().await?, []);
    assert_eq!(sandbox.enqueued()?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_parent_joins_its_children() -> Result {
    let sandbox = Sandbox::open().await?;
    let run = fan_out::perform_async(3).await?;
    let attempts = sandbox.drain().await?;
    let jobs: Vec<&str> = attempts.iter().map(|attempt| &*attempt.job).collect();
    assert_eq!(
        jobs,
        [
            "sandbox.double",
            "sandbox.double",
            "sandbox.double",
            "sandbox.fan_out"
        ]
    );
    assert_eq!(run.join().await?, 6);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_hangs_times_out_at_once() -> Result {
    let sandbox = Sandbox::open().await?;
    hang::perform_async().await?;
    let before = sandbox.now();
    let attempts = sandbox.drain().await?;
    assert!(
        matches!(&attempts[0].outcome, Outcome::Failed { error } if error.contains("timeout of 3600s"))
    );
    assert_eq!(sandbox.now().duration_since(before)?, 60 * MINUTE);
    Ok(())
}

#[tokio::test]
async fn snoozes_count_as_time_passes() -> Result {
    let sandbox = Sandbox::builder()
        .jobs([snooze_once::JOB])
        .state(AtomicU32::new(0))
        .open()
        .await?;
    let run = snooze_once::perform_async(2).await?;
    let attempts = sandbox.advance(MINUTE).await?;
    let after = Duration::from_secs(30);
    let outcomes: Vec<_> = attempts
        .into_iter()
        .map(|attempt| attempt.outcome)
        .collect();
    assert_eq!(
        outcomes,
        [
            Outcome::Snoozed { after },
            Outcome::Snoozed { after },
            Outcome::Done
        ]
    );
    assert!(matches!(run.status().await?, Status::Done { at } if at == sandbox.now()));
    Ok(())
}

#[tokio::test]
async fn schedules_tick_only_where_they_are_asked_for() -> Result {
    let day = 24 * 60 * MINUTE;
    let sandbox = Sandbox::open().await?;
    assert_eq!(sandbox.advance(day).await?, []);
    drop(sandbox);
    let sandbox = Sandbox::builder()
        .jobs([hourly::JOB, nightly::JOB])
        // 23:30 in Paris.
        .starting_at(UNIX_EPOCH + Duration::from_secs(1_767_220_200))
        .schedules()
        .open()
        .await?;
    let attempts = sandbox.advance(day).await?;
    let of = |name: &str| {
        attempts
            .iter()
            .filter(|attempt| attempt.job == name)
            .count()
    };
    assert_eq!(of("sandbox.hourly"), 25, "the first at once");
    assert_eq!(of("sandbox.nightly"), 1);
    Ok(())
}

#[tokio::test]
async fn a_schedule_that_the_code_under_test_adds_ticks() -> Result {
    let sandbox = Sandbox::open().await?;
    let every = afterhours::schedule::Every::parse("10m")?;
    sandbox
        .client()
        .schedule("digest", every, send_email::prepare(1, "digest"))
        .await?;
    assert_eq!(sandbox.advance(25 * MINUTE).await?.len(), 3);
    Ok(())
}

#[tokio::test]
async fn a_missing_state_is_an_error_of_the_job_that_needs_it() -> Result {
    let sandbox = Sandbox::open().await?;
    send_email::perform_async(1, "a").await?;
    assert_eq!(sandbox.drain().await?.len(), 1);
    stated::perform_async().await?;
    let error = sandbox.drain().await.expect_err("a state is missing");
    assert!(
        matches!(
            error,
            Error::MissingState {
                job: "sandbox.stated",
                ..
            }
        ),
        "{error}"
    );
    let sandbox = Sandbox::builder().state(Word("text")).open().await?;
    let run = stated::perform_async().await?;
    sandbox.drain().await?;
    assert_eq!(run.join().await?, "text");
    Ok(())
}

#[tokio::test]
async fn inline_jobs_have_run_when_perform_returns() -> Result {
    let sandbox = Sandbox::builder().inline().open().await?;
    let run = send_email::perform_async(7, "now").await?;
    assert!(run.status().await?.is_finished());
    let parent = fan_out::perform_async(2).await?;
    assert_eq!(parent.join().await?, 2);
    let later = send_email::perform_in(MINUTE, 7, "later").await?;
    assert!(!later.status().await?.is_finished());
    let both = [1, 2].map(|user| send_email::prepare(user, "both"));
    for run in sandbox.client().enqueue_all(both).await? {
        assert!(run.status().await?.is_finished());
    }
    Ok(())
}

#[test]
fn a_plain_test_drains_too() -> Result {
    let sandbox = Sandbox::builder().open_blocking()?;
    let run = send_email::prepare(1, "plain").enqueue_blocking()?;
    assert_enqueued!(send_email(1, "plain"));
    assert_eq!(sandbox.drain_blocking()?.len(), 1);
    send_email::prepare(2, "later")
        .delay(MINUTE)
        .enqueue_blocking()?;
    assert_eq!(sandbox.advance_blocking(MINUTE)?.len(), 1);
    let runs = sandbox.client().clone();
    let seen = tokio::runtime::Runtime::new()?.block_on(async move { runs.run(run.id()).await })?;
    assert_eq!(seen.ok_or("it is kept")?.state, RunState::Done);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_and_blocking_threads_of_the_runtime_are_in_the_sandbox() -> Result {
    let sandbox = Sandbox::open().await?;
    let task = tokio::spawn(async {
        send_email::perform_async(1, "task")
            .await
            .map(|run| run.id())
    });
    task.await??;
    tokio::task::spawn_blocking(|| {
        send_email::prepare(2, "thread")
            .enqueue_blocking()
            .map(|run| run.id())
    })
    .await??;
    let users: Vec<_> = sandbox
        .enqueued()?
        .into_iter()
        .map(|run| run.arguments)
        .collect();
    let shown = |text: &str| Some(text.to_owned());
    assert_eq!(
        users,
        [
            shown(r#"user_id: 1, template: "task""#),
            shown(r#"user_id: 2, template: "thread""#)
        ]
    );
    Ok(())
}

#[test]
fn tests_that_run_at_the_same_time_do_not_see_each_other() {
    std::thread::scope(|scope| {
        for user in 0..16_u64 {
            scope.spawn(move || -> Result {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()?;
                runtime.block_on(async {
                    let sandbox = Sandbox::open().await?;
                    for _ in 0..20 {
                        send_email::perform_async(user, "mine").await?;
                        tokio::task::yield_now().await;
                        let runs = sandbox.enqueued()?;
                        assert_eq!(runs.len(), 1);
                        assert_enqueued!(send_email(user, "mine"));
                        refute_enqueued!(send_email(user + 1, "mine"));
                        assert_eq!(sandbox.drain().await?.len(), 1);
                    }
                    Ok(())
                })
            });
        }
    });
}

#[tokio::test]
async fn without_a_sandbox_there_is_no_client() -> Result {
    let sandbox = Sandbox::open().await?;
    drop(sandbox);
    let error = send_email::perform_async(1, "a")
        .await
        .expect_err("nobody installs one here");
    assert!(matches!(error, Error::NoClient), "{error}");
    Ok(())
}

/// What an assertion says when it fails.
fn said(assertion: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(assertion)).expect_err("it fails");
    panic.downcast_ref::<String>().cloned().unwrap_or_default()
}

#[tokio::test]
async fn a_failed_assertion_says_what_is_enqueued_instead() -> Result {
    let _sandbox = Sandbox::open().await?;
    assert_eq!(
        said(|| assert_enqueued!(send_email(42, "welcome"), in = 300s)),
        "sandbox.mail(user_id: 42, template: \"welcome\") in 300s is not enqueued, and nothing else is"
    );
    send_email::perform_in(4 * MINUTE, 42, "welcome").await?;
    double::perform_async(4).await?;
    assert_eq!(
        said(|| assert_enqueued!(send_email(42, "welcome"), in = "5m")),
        "sandbox.mail(user_id: 42, template: \"welcome\") in 300s is not enqueued; these are:\n  \
         sandbox.mail(user_id: 42, template: \"welcome\") in 240s in queue `mail`\n  sandbox.double(n: 4)"
    );
    assert_eq!(
        said(|| assert_enqueued!(double(4), queue = "mail"))
            .lines()
            .next(),
        Some("sandbox.double(n: 4) in queue `mail` is not enqueued; these are:")
    );
    assert!(
        said(|| refute_enqueued!(double))
            .starts_with("sandbox.double is enqueued: run 2, sandbox.double(n: 4)")
    );
    assert!(said(|| assert_enqueued!(double(4), after = 3)).contains("`after` is no condition"));
    assert!(said(|| assert_enqueued!(double(4), in = soon)).contains("in = soon"));
    Ok(())
}
