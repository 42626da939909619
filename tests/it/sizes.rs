//! What is too large is refused before anything is stored, with words that say what to do.

use std::sync::Arc;

use afterhours::rusqlite::{Connection, TransactionBehavior};
use afterhours::schedule::Every;
use afterhours::{Client, Error, Result, Status, job};

use crate::support::stage::{Stage, stage};
use crate::support::time::secs;
use crate::support::{Folder, joined, start};
use afterhours::Worker;

const MIB: usize = 1024 * 1024;

#[job(name = "sizes.measure")]
async fn measure(text: &str) -> Result<usize> {
    Ok(text.len())
}

#[job(name = "sizes.swell", retry = 5, retry_delay = 0)]
async fn swell(#[state] stage: &Stage, bytes: usize) -> Result<String> {
    stage.say("swells");
    Ok("x".repeat(bytes))
}

/// Enqueues inside an attempt, whose client is the one that counts: without `await`, and in a transaction.
#[job(name = "sizes.within", retry = 0)]
fn within(path: &str, bytes: usize) -> Result<[String; 2]> {
    let text = "x".repeat(bytes);
    let refused = measure::prepare(&text).enqueue_blocking();
    let blocking = refused.expect_err("it is too large").to_string();
    let mut shop = Connection::open(path)?;
    let tx = shop.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let refused = measure::prepare(&text).enqueue_with(&tx);
    let beside = refused.expect_err("it is too large").to_string();
    tx.commit()?;
    Ok([blocking, beside])
}

/// The text whose arguments have so many bytes; its length takes three.
fn text_of(bytes: usize) -> String {
    assert!((16_387..2_097_155).contains(&bytes));
    "x".repeat(bytes - 3)
}

fn stored(folder: &Folder) -> Result<[u32; 2]> {
    let outsider = folder.outsider()?;
    let count = |table| {
        let count = format!("SELECT count(*) FROM {table}");
        outsider.query_row(&count, [], |row| row.get(0))
    };
    Ok([count("afterhours_runs")?, count("afterhours_schedules")?])
}

fn assert_names_all(error: &Error, size: usize, limit: usize) {
    let text = error.to_string();
    let begin =
        format!("job `sizes.measure`: arguments of {size} bytes: at most {limit} are stored; ");
    assert!(text.starts_with(&begin), "{text}");
    assert!(text.contains("pass a reference"), "{text}");
    assert!(text.contains("raise `max_payload`"), "{text}");
}

#[tokio::test]
async fn arguments_of_one_mebibyte_are_stored_and_one_byte_more_is_not() -> Result {
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let (fits, too_large) = (text_of(MIB), text_of(MIB + 1));
    let every = Every::parse("1h")?;
    let errors = [
        client.enqueue(measure::prepare(&too_large)).await.err(),
        client
            .enqueue_all([measure::prepare("small"), measure::prepare(&too_large)])
            .await
            .err(),
        client
            .schedule("hourly", every, measure::prepare(&too_large))
            .await
            .err(),
    ];
    for error in errors {
        let error = error.ok_or("it is too large")?;
        let told = matches!(error, Error::TooLarge { size, limit: MIB, .. } if size == MIB + 1);
        assert!(told && !error.is_retryable(), "{error:?}");
        assert_names_all(&error, MIB + 1, MIB);
    }
    assert_eq!(stored(&folder)?, [0, 0]);
    let run = client.enqueue(measure::prepare(&fits)).await?;
    client
        .schedule("hourly", every, measure::prepare(&fits))
        .await?;
    assert_eq!(stored(&folder)?, [1, 1]);
    let worker = start(&client, [measure::JOB]).await?;
    assert_eq!(joined(&run).await?, MIB - 3);
    worker.stop().await
}

#[tokio::test]
async fn neither_without_await_nor_in_a_transaction_is_it_stored() -> Result {
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let worker = start(&client, [within::JOB]).await?;
    let path = folder.store().display().to_string();
    let run = client.enqueue(within::prepare(&path, MIB)).await?;
    for text in joined(&run).await? {
        assert!(text.contains("arguments of 1048579 bytes"), "{text}");
    }
    assert_eq!(stored(&folder)?, [1, 0]);
    worker.stop().await
}

#[tokio::test]
async fn the_limit_can_be_lowered_and_raised() -> Result {
    let folder = Folder::new()?;
    let small = Client::builder(folder.store())
        .max_payload(20_000)
        .open()
        .await?;
    let large = Client::builder(folder.store())
        .max_payload(2 * MIB)
        .open()
        .await?;
    let text = text_of(20_001);
    let error = small.enqueue(measure::prepare(&text)).await.err();
    assert_names_all(&error.ok_or("it is too large")?, 20_001, 20_000);
    let run = large
        .enqueue(measure::prepare(text_of(2 * MIB).as_str()))
        .await?;
    let worker = start(&large, [measure::JOB]).await?;
    assert_eq!(joined(&run).await?, 2 * MIB - 3);
    worker.stop().await
}

#[tokio::test]
async fn a_limit_that_makes_no_sense_is_refused() -> Result {
    let folder = Folder::new()?;
    for absurd in [0, 300 * MIB, usize::MAX] {
        let opened = Client::builder(folder.store())
            .max_payload(absurd)
            .open()
            .await;
        let error = opened.expect_err("it makes no sense");
        assert!(matches!(error, Error::Setting { .. }), "{error}");
        assert!(error.to_string().starts_with("max_payload: "), "{error}");
    }
    assert!(!folder.store().exists());
    Ok(())
}

#[tokio::test]
async fn a_result_that_is_too_large_fails_the_run_for_good() -> Result {
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let (stage, mut audience) = stage();
    let worker = Worker::builder(client.clone())
        .jobs([swell::JOB])
        .shared(Arc::clone(&stage))
        .build()?
        .start()
        .await?;
    let fits = client.enqueue(swell::prepare(MIB - 3)).await?;
    assert_eq!(joined(&fits).await?.len(), MIB - 3);
    audience.hears("swells").await;
    let run = client.enqueue(swell::prepare(MIB - 2)).await?;
    let error = joined(&run).await.expect_err("its result is too large");
    let failure = error.failure().ok_or("it has failed")?;
    assert_eq!(failure.attempts.len(), 1);
    let begin =
        "the result cannot be stored: it has 1048577 bytes and at most 1048576 are stored; ";
    assert!(failure.error.starts_with(begin), "{}", failure.error);
    assert!(failure.error.contains("`max_payload`"), "{}", failure.error);
    // It was executed, once.
    assert_eq!(audience.rest(), ["swells"]);
    assert!(matches!(run.status().await?, Status::Failed { .. }));
    worker.stop().await
}

#[tokio::test]
async fn words_of_a_call_site_have_limits_too() -> Result {
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let long = "x".repeat(1025);
    let many = || (0..900).map(|number| format!("tag {number}"));
    for (prepared, what) in [
        (
            measure::prepare("").unique(&long),
            "a unique key of 1025 bytes",
        ),
        (
            measure::prepare("").queue(&long),
            "a queue name of 1025 bytes",
        ),
        (
            measure::prepare("").tags([long.repeat(9)]),
            "tags and options of ",
        ),
        (measure::prepare("").tags(many()), "tags and options of "),
    ] {
        let error = client.enqueue(prepared).await.expect_err("it is too large");
        assert!(matches!(error, Error::TooLarge { .. }), "{error}");
        assert!(error.to_string().contains(what), "{error}");
        assert!(error.to_string().len() < 200, "{error}");
    }
    let hourly = client.schedule(&long, Every::new(secs(3600))?, measure::prepare(""));
    let error = hourly.await.expect_err("its name is too long");
    assert!(error.to_string().contains("too long"), "{error}");
    assert_eq!(stored(&folder)?, [0, 0]);
    // As long as it may be.
    let longest = "x".repeat(1024);
    let prepared = measure::prepare("").unique(&longest).queue(&longest);
    client.enqueue(prepared.tags(["x".repeat(8000)])).await?;
    // Arguments as a key are bounded as arguments.
    let by_arguments = measure::prepare(text_of(MIB).as_str()).unique_for(secs(1));
    client.enqueue(by_arguments).await?;
    assert_eq!(stored(&folder)?, [2, 0]);
    Ok(())
}
