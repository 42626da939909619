//! What goes in through `perform_*` comes out of the worker, typed.

use std::collections::BTreeMap;

use afterhours::{Client, Context, Error, JobError, Result, Worker, job};
use serde::{Deserialize, Serialize};

use crate::support::{joined, start};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Order {
    number: u64,
    lines: Vec<(String, f64)>,
    note: Option<String>,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Kind {
    Plain,
    Gift { from: String },
}

fn order() -> Order {
    Order {
        number: 7,
        lines: vec![("pen".to_owned(), 1.5), ("ink".to_owned(), 0.25)],
        note: None,
        kind: Kind::Gift {
            from: "Ada".to_owned(),
        },
    }
}

#[job]
async fn add(a: u64, b: u64) -> Result<u64> {
    Ok(a + b)
}

#[job]
#[expect(clippy::too_many_arguments, reason = "one parameter for each form")]
async fn every_form(
    number: u64,
    owned: String,
    text: &str,
    list: &[u32],
    lent: &Order,
    present: Option<&str>,
    absent: Option<&str>,
    given: Order,
    pair: (i8, char),
    map: BTreeMap<String, Vec<u8>>,
) -> Result<String> {
    Ok(format!(
        "{number} {owned} {text} {list:?} {} {present:?} {absent:?} {} {pair:?} {map:?}",
        lent == &given,
        given.number,
    ))
}

#[job]
async fn no_arguments() -> Result<String> {
    Ok("called".to_owned())
}

#[job]
async fn returns_nothing(_text: &str) {}

#[job]
async fn returns_a_struct(number: u64) -> Result<Order, std::num::TryFromIntError> {
    u8::try_from(number)?;
    Ok(Order { number, ..order() })
}

#[job]
fn on_a_thread(text: &str) -> Result<(String, bool)> {
    // A thread that runs tasks would refuse to block here.
    let pause = tokio::time::sleep(std::time::Duration::from_millis(1));
    tokio::runtime::Handle::current().block_on(pause);
    Ok((text.to_uppercase(), true))
}

#[job]
async fn parent(number: u64) -> Result<u64> {
    let child = add::perform_async(number, 1).await?;
    let later = add::prepare(number, 2).enqueue().await?;
    Ok(child.join().await? + later.join().await?)
}

#[job]
fn plain_parent(number: u64) -> Result<String> {
    Ok(add::prepare(number, 1).enqueue_blocking()?.id().to_string())
}

#[job]
async fn client_of(ctx: &Context) -> Result<u64> {
    Ok(joined(&ctx.client().enqueue(add::prepare(20, 22)).await?).await?)
}

#[tokio::test]
async fn a_run_gives_its_result() -> Result {
    let client = Client::open_in_memory().await?;
    let worker = start(&client, [add::JOB]).await?;
    let run = client.enqueue(add::prepare(1, 2)).await?;
    assert_eq!(joined(&run).await?, 3);
    assert!(run.status().await?.is_finished());
    worker.stop().await
}

#[tokio::test]
async fn every_form_of_argument_arrives_as_it_was_given() -> Result {
    let client = Client::open_in_memory().await?;
    let worker = start(&client, [every_form::JOB]).await?;
    let local = String::from("lent");
    let map = BTreeMap::from([("k".to_owned(), vec![1, 2])]);
    let run = client
        .enqueue(every_form::prepare(
            u64::MAX,
            "from a &str",
            &local,
            &[1, 2, 3],
            &order(),
            Some(&local),
            None,
            order(),
            (-1, 'ß'),
            map,
        ))
        .await?;
    assert_eq!(
        joined(&run).await?,
        "18446744073709551615 from a &str lent [1, 2, 3] true Some(\"lent\") None 7 (-1, 'ß') {\"k\": [1, 2]}"
    );
    worker.stop().await
}

#[tokio::test]
async fn results_are_typed_and_may_be_nothing() -> Result {
    let client = Client::open_in_memory().await?;
    let jobs = [
        no_arguments::JOB,
        returns_nothing::JOB,
        returns_a_struct::JOB,
    ];
    let worker = start(&client, jobs).await?;
    let text: String = joined(&client.enqueue(no_arguments::prepare()).await?).await?;
    assert_eq!(text, "called");
    let nothing = client.enqueue(returns_nothing::prepare("x")).await?;
    let () = joined(&nothing).await?;
    let got: Order = joined(&client.enqueue(returns_a_struct::prepare(9)).await?).await?;
    assert_eq!(
        got,
        Order {
            number: 9,
            ..order()
        }
    );
    worker.stop().await
}

#[tokio::test]
async fn a_plain_fn_runs_where_blocking_is_allowed() -> Result {
    let client = Client::open_in_memory().await?;
    let worker = start(&client, [on_a_thread::JOB]).await?;
    let run = client.enqueue(on_a_thread::prepare("loud")).await?;
    assert_eq!(joined(&run).await?, ("LOUD".to_owned(), true));
    worker.stop().await
}

#[tokio::test]
async fn the_function_is_still_a_function() -> Result {
    assert_eq!(add(20, 22).await?, 42);
    let thread = tokio::task::spawn_blocking(|| on_a_thread("x"));
    assert_eq!(thread.await??.0, "X");
    assert_eq!(returns_a_struct(7).await?, order());
    assert!(returns_a_struct(256).await.is_err());
    Ok(())
}

#[tokio::test]
async fn without_an_installed_client_the_error_says_what_to_call() -> Result {
    let local = String::from("lent");
    // The future borrows nothing, so it may go to another task.
    let enqueued = tokio::spawn(returns_nothing::perform_async(&local));
    drop(local);
    let later = returns_nothing::perform_in(std::time::Duration::ZERO, "x").await;
    let at = returns_nothing::perform_at(std::time::SystemTime::now(), "x").await;
    let blocking = returns_nothing::prepare("x").enqueue_blocking();
    for answer in [enqueued.await?, later, at, blocking] {
        let error = answer.expect_err("nobody installs a client in this process");
        assert!(matches!(error, Error::NoClient), "{error}");
        assert!(error.to_string().contains("install()"), "{error}");
    }
    let unbound = add::handle("1".parse()?);
    assert!(matches!(unbound.join().await, Err(Error::NoClient)));
    Ok(())
}

#[tokio::test]
async fn inside_an_attempt_perform_uses_the_worker_s_client() -> Result {
    let (one, other) = (
        Client::open_in_memory().await?,
        Client::open_in_memory().await?,
    );
    let jobs = [add::JOB, parent::JOB, plain_parent::JOB, client_of::JOB];
    let worker = start(&one, jobs).await?;
    let idle = start(&other, jobs).await?;
    let run = one.enqueue(parent::prepare(10)).await?;
    assert_eq!(joined(&run).await?, 23);
    let run = one.enqueue(plain_parent::prepare(5)).await?;
    let child = add::handle(joined(&run).await?.parse()?);
    assert_eq!(joined(&child.clone().on(&one)).await?, 6);
    let gone = child.on(&other).status().await;
    assert!(matches!(gone, Err(Error::Gone { .. })), "{gone:?}");
    let run = one.enqueue(client_of::prepare()).await?;
    assert_eq!(joined(&run).await?, 42);
    idle.stop().await?;
    worker.stop().await
}

#[tokio::test]
async fn enqueue_all_stores_all_runs_in_order() -> Result {
    let client = Client::open_in_memory().await?;
    let runs = client
        .enqueue_all((0..500).map(|number| add::prepare(number, number)))
        .await?;
    let worker = start(&client, [add::JOB]).await?;
    for (number, run) in (0..).zip(&runs) {
        assert_eq!(joined(run).await?, 2 * number);
    }
    assert!(runs.windows(2).all(|pair| pair[0].id() < pair[1].id()));
    worker.stop().await
}

#[tokio::test]
async fn an_argument_that_cannot_be_stored_fails_at_the_enqueue() -> Result {
    #[derive(Debug, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u64),
    }
    #[job(name = "perform.untagged")]
    async fn take(either: Either) -> Result<String> {
        Ok(format!("{either:?}"))
    }
    let client = Client::open_in_memory().await?;
    let refused = client.enqueue(take::prepare(Either::Number(1))).await;
    let error = refused.expect_err("postcard cannot decode an untagged enum");
    assert!(matches!(error, Error::Encode { .. }), "{error}");
    assert!(error.to_string().contains("`either`"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_job_runs_on_every_kind_of_worker_call() -> Result {
    let client = Client::open_in_memory().await?;
    let run = client.enqueue(add::prepare(1, 1)).await?;
    let worker = Worker::builder(client).jobs([add::JOB]).build()?;
    let mut sum = None;
    worker
        .run_until(async { sum = Some(joined(&run).await) })
        .await?;
    assert_eq!(sum.ok_or_else(|| JobError::from("not run"))??, 2);
    Ok(())
}

#[job(name = "perform.blocking_parent")]
fn blocking_parent() -> Result<u64> {
    // The client of the attempt around it, not an installed one.
    let run = blocking_child::prepare(20).enqueue_blocking()?;
    Ok(run.id().to_string().parse()?)
}

#[job(name = "perform.blocking_child")]
async fn blocking_child(n: u64) -> Result<u64> {
    Ok(n + 1)
}

#[tokio::test]
async fn a_plain_fn_enqueues_without_await() -> Result {
    let client = Client::open_in_memory().await?;
    let worker = Worker::builder(client.clone())
        .jobs([blocking_parent::JOB, blocking_child::JOB])
        .build()?
        .start()
        .await?;
    let child = client
        .enqueue(blocking_parent::prepare())
        .await?
        .join()
        .await?;
    let child = blocking_child::handle(child.to_string().parse()?).on(&client);
    assert_eq!(child.join().await?, 21);
    worker.stop().await
}

/// It blocks the thread of the runtime, which is unwise, but it neither panics nor waits for ever.
#[tokio::test]
async fn enqueueing_without_await_inside_a_task_does_not_lock_up() -> Result {
    #[job(name = "perform.blocking_inside")]
    async fn parent() -> Result {
        blocking_child::prepare(1).enqueue_blocking()?;
        Ok(())
    }
    let client = Client::open_in_memory().await?;
    let worker = Worker::builder(client.clone())
        .jobs([parent::JOB])
        .build()?
        .start()
        .await?;
    client.enqueue(parent::prepare()).await?.join().await?;
    worker.stop().await
}
