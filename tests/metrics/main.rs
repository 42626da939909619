//! What a recorder hears: every series that the guide names, with what happened.

use std::time::Duration;

use afterhours::testing::Sandbox;
use afterhours::{Client, JobError, Result, Worker, job};
use metrics_exporter_prometheus::PrometheusBuilder;

#[job(
    name = "metrics.moody",
    queue = "moody",
    retry = 1,
    retry_delay = 0,
    backoff = "fixed"
)]
async fn moody(ctx: &afterhours::Context, mood: &str) -> Result {
    match (mood, ctx.attempt()) {
        ("fails once", 1) => Err("not yet".into()),
        ("fails", _) => Err(JobError::discard("never")),
        ("panics", _) => panic!("in a bad mood"),
        ("snoozes", _) => Err(JobError::snooze(Duration::from_secs(3600))),
        ("hangs", _) => std::future::pending().await,
        _ => Ok(()),
    }
}

#[job(
    name = "metrics.hourly",
    queue = "hourly",
    every = "1h",
    timeout = "10h"
)]
async fn hourly(#[state] gate: &tokio::sync::Semaphore) -> Result {
    gate.acquire().await?.forget();
    Ok(())
}

/// The value of a series on a Prometheus page.
fn value(page: &str, series: &str) -> Option<f64> {
    let line = page.lines().find(|line| line.starts_with(series))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// In one test, because a process has one recorder.
#[tokio::test(start_paused = true)]
async fn everything_that_happens_is_counted() -> Result {
    let page = PrometheusBuilder::new().install_recorder()?;
    let sandbox = Sandbox::builder().jobs([moody::JOB]).open().await?;
    for mood in ["fine", "fails once", "fails", "panics", "snoozes", "hangs"] {
        let run = moody::prepare(mood).timeout(Duration::from_secs(5));
        sandbox.client().enqueue(run).await?;
    }
    let many = ["fine"; 10].map(moody::prepare);
    sandbox.client().enqueue_all(many).await?;
    moody::perform_in(Duration::from_secs(7200), "fine").await?;
    sandbox.drain().await?;
    sandbox.client().stats().await?;
    let rendered = page.render();
    let of = |name: &str| {
        value(
            &rendered,
            &format!("afterhours_{name}{{job=\"metrics.moody\",queue=\"moody\"}}"),
        )
    };
    for (name, expected) in [
        ("enqueued_total", 17.0),
        // Of the last ones, two are tried twice, and each of these fails the second time too.
        ("started_total", 10.0 + 1.0 + 2.0 + 1.0 + 2.0 + 1.0 + 2.0),
        ("succeeded_total", 12.0),
        ("failed_total", 2.0),
        ("panicked_total", 2.0),
        ("timed_out_total", 2.0),
        ("retried_total", 3.0),
        ("snoozed_total", 1.0),
        ("active", 0.0),
        ("enqueue_seconds_count", 8.0),
        ("wait_seconds_count", 19.0),
        ("run_seconds_count", 19.0),
    ] {
        assert_eq!(of(name), Some(expected), "{name} in\n{rendered}");
    }
    assert_eq!(value(&rendered, "afterhours_scheduled"), Some(2.0));
    assert_eq!(
        value(&rendered, "afterhours_ready{queue=\"moody\"}"),
        Some(0.0)
    );
    assert_eq!(
        value(&rendered, "afterhours_oldest_ready_seconds"),
        Some(0.0)
    );
    assert_eq!(value(&rendered, "afterhours_wal_bytes"), Some(0.0));
    drop(sandbox);

    // A tick that finds the last run active, in a real worker.
    let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let clock = afterhours::testing::ManualClock::starting_at(std::time::UNIX_EPOCH);
    let folder = tempfile::tempdir()?;
    let client = Client::builder(folder.path().join("jobs.db"))
        .clock(clock.clone())
        .open()
        .await?;
    let worker = Worker::builder(client.clone())
        .jobs([hourly::JOB])
        .shared(gate.clone())
        .startup_jitter(Duration::ZERO)
        .build()?
        .start()
        .await?;
    let skipped = r#"afterhours_skipped_total{job="metrics.hourly",queue="hourly"}"#;
    let active = r#"afterhours_active{job="metrics.hourly",queue="hourly"}"#;
    while value(&page.render(), active) != Some(1.0) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    while value(&page.render(), skipped) != Some(1.0) {
        clock.advance(Duration::from_secs(600));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    gate.add_permits(9);
    worker.stop().await
}
