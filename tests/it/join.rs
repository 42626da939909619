//! Waiting for a run: from anywhere, by anybody, also inside an attempt.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use afterhours::{Client, Context, Error, Handle, JobError, Result, RunId, Status, Worker, job};

use tokio::sync::Notify;

use crate::support::stage::{Audience, Stage, stage};
use crate::support::time::millis;
use crate::support::{Folder, joined, nothing, start, status, within};

#[job(name = "join.leaf", retry = 0)]
async fn leaf(number: u64) -> Result<u64> {
    tokio::task::yield_now().await;
    Ok(number)
}

#[job(name = "join.one_by_one", retry = 0)]
async fn one_by_one(number: u64) -> Result<u64> {
    let mut sum = 0;
    for number in 1..=number {
        sum += leaf::perform_async(number).await?.join().await?;
    }
    Ok(sum)
}

#[job(name = "join.side_by_side", retry = 0)]
async fn side_by_side() -> Result<u64> {
    let one = leaf::perform_async(1).await?;
    let two = leaf::perform_async(2).await?;
    let three = leaf::perform_async(3).await?;
    let four = leaf::perform_async(4).await?;
    let (one, two, three, four) =
        tokio::try_join!(one.join(), two.join(), three.join(), four.join())?;
    Ok(one + two + three + four)
}

/// Waits for a run that never ends, gives up, and goes on.
#[job(name = "join.impatient", retry = 0)]
async fn impatient(#[state] stage: &Stage) -> Result {
    let never = leaf::prepare(0).queue("nobody").enqueue().await?;
    let waited = tokio::time::timeout(millis(5), never.join()).await;
    assert!(waited.is_err(), "nobody runs it");
    // Lets the place come back, if somebody else took it meanwhile.
    let own = leaf::perform_async(1).await?;
    own.join().await?;
    stage.say("start");
    stage.wait().await;
    stage.say("end");
    Ok(())
}

/// Waits for its child twice, the second time when it is told to.
#[job(name = "join.again", retry = 0)]
async fn again(#[state] told: &Notify) -> Result<u64> {
    let child = leaf::perform_async(1).await?;
    let (one, two) = tokio::try_join!(child.join(), async {
        told.notified().await;
        child.join().await
    })?;
    Ok(one + two)
}

#[job(name = "join.tell")]
async fn tell(#[state] stage: &Stage, word: &str) -> Result<String> {
    stage.say(word);
    stage.wait().await;
    Ok(word.to_owned())
}

#[job(name = "join.fails", retry = 0)]
async fn fails(ctx: &Context) -> Result<u64> {
    Err(JobError::from(format!("run {} fails", ctx.id())))
}

#[tokio::test]
async fn parents_and_children_share_one_place_without_a_deadlock() -> Result {
    let client = Client::open_in_memory().await?;
    let worker = Worker::builder(client.clone())
        .jobs([leaf::JOB, one_by_one::JOB])
        .concurrency(1)
        .build()?
        .start()
        .await?;
    let parents = client.enqueue_all((1..=5).map(one_by_one::prepare)).await?;
    for (number, parent) in (1..).zip(&parents) {
        assert_eq!(joined(parent).await?, number * (number + 1) / 2);
    }
    worker.stop().await
}

#[tokio::test]
async fn a_parent_can_wait_for_many_children_at_a_time() -> Result {
    let client = Client::open_in_memory().await?;
    let worker = Worker::builder(client.clone())
        .jobs([leaf::JOB, side_by_side::JOB])
        .concurrency(1)
        .build()?
        .start()
        .await?;
    for _ in 0..20 {
        let parent = client.enqueue(side_by_side::prepare()).await?;
        assert_eq!(joined(&parent).await?, 10);
    }
    worker.stop().await
}

#[tokio::test]
async fn a_parent_that_waits_twice_takes_one_place_back() -> Result {
    let client = Client::open_in_memory().await?;
    let (stage, mut audience) = stage();
    let told = Arc::new(Notify::new());
    let worker = Worker::builder(client.clone())
        .jobs([leaf::JOB, again::JOB, tell::JOB])
        .shared(Arc::clone(&stage))
        .shared(Arc::clone(&told))
        .concurrency(1)
        .build()?
        .start()
        .await?;
    let other = client.enqueue(tell::prepare("between").priority(0)).await?;
    let parent = client.enqueue(again::prepare().priority(20)).await?;
    // The other run has the place that the parent has lent, and lets it wait.
    audience.hears("between").await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    told.notify_one();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    stage.go(1);
    joined(&other).await?;
    assert_eq!(joined(&parent).await?, 2);
    worker.stop().await
}

#[tokio::test]
async fn a_parent_that_gave_up_waiting_takes_its_place_again() -> Result {
    let client = Client::open_in_memory().await?;
    let (stage, mut audience) = stage();
    let worker = Worker::builder(client.clone())
        .jobs([leaf::JOB, impatient::JOB, nothing::JOB])
        .queues(["default"])
        .shared(Arc::clone(&stage))
        .concurrency(1)
        .build()?
        .start()
        .await?;
    let parent = client.enqueue(impatient::prepare()).await?;
    audience.hears("start").await;
    let other = client.enqueue(nothing::prepare()).await?;
    // A worker that had given the place away would start the other run now.
    assert_eq!(other.status().await?, Status::Ready);
    let early = tokio::time::timeout(millis(50), other.join()).await;
    assert!(early.is_err(), "two attempts ran on one place");
    stage.go(1);
    audience.hears("end").await;
    joined(&parent).await?;
    joined(&other).await?;
    worker.stop().await
}

#[tokio::test]
async fn everybody_who_waits_gets_the_result() -> Result {
    let client = Client::open_in_memory().await?;
    let (stage, mut audience) = stage();
    let worker = Worker::builder(client.clone())
        .jobs([tell::JOB])
        .shared(Arc::clone(&stage))
        .build()?
        .start()
        .await?;
    let run = client.enqueue(tell::prepare("hello")).await?;
    audience.hears("hello").await;
    let waiting: Vec<_> = (0..10)
        .map(|_| {
            let run = run.clone();
            tokio::spawn(async move { run.join().await })
        })
        .collect();
    tokio::task::yield_now().await;
    stage.go(1);
    for waiter in waiting {
        assert_eq!(within("a waiter", waiter).await??, "hello");
    }
    assert_eq!(joined(&run).await?, "hello");
    worker.stop().await
}

#[tokio::test]
async fn a_handle_is_rebuilt_from_its_id() -> Result {
    let client = Client::open_in_memory().await?;
    let run = client.enqueue(leaf::prepare(5)).await?;
    let id: RunId = run.id().to_string().parse()?;
    let again = leaf::handle(id).on(&client);
    assert_eq!(again.status().await?, Status::Ready);
    let worker = start(&client, [leaf::JOB]).await?;
    assert_eq!(joined(&again).await?, 5);
    worker.stop().await
}

#[tokio::test]
async fn a_handle_of_another_job_is_refused() -> Result {
    let client = Client::open_in_memory().await?;
    let run = client.enqueue(leaf::prepare(5)).await?;
    let wrong = tell::handle(run.id()).on(&client);
    for error in [wrong.status().await.err(), joined(&wrong).await.err()] {
        let error = error.expect("it is a run of another job");
        assert!(matches!(error, Error::WrongJob { .. }), "{error}");
        let text = error.to_string();
        assert!(
            text.contains("join.leaf") && text.contains("join.tell"),
            "{text}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_run_that_never_was_is_gone() -> Result {
    let client = Client::open_in_memory().await?;
    let nobody = leaf::handle("999".parse()?).on(&client);
    assert!(matches!(joined(&nobody).await, Err(Error::Gone { .. })));
    Ok(())
}

#[tokio::test]
async fn what_is_not_kept_goes_to_who_waits_and_is_gone_for_the_rest() -> Result {
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let (stage, mut audience) = stage();
    let worker = Worker::builder(client.clone())
        .jobs([tell::JOB, nothing::JOB])
        .shared(Arc::clone(&stage))
        .build()?
        .start()
        .await?;
    let run = handed_over(&client, &stage, &mut audience).await?;
    for late in [run.clone(), tell::handle(run.id()).on(&client)] {
        assert!(matches!(joined(&late).await, Err(Error::Gone { .. })));
    }
    let other = Client::open(folder.store()).await?;
    let elsewhere = tell::handle(run.id()).on(&other);
    assert!(matches!(elsewhere.status().await, Err(Error::Gone { .. })));
    worker.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_kept_reaches_everybody_who_waited_in_time() -> Result {
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let (stage, mut audience) = stage();
    let worker = Worker::builder(client.clone())
        .jobs([tell::JOB, nothing::JOB])
        .shared(Arc::clone(&stage))
        .build()?
        .start()
        .await?;
    for _ in 0..300 {
        handed_over(&client, &stage, &mut audience).await?;
    }
    worker.stop().await
}

/// A run that is not kept, after somebody who waited has got its result.
async fn handed_over(
    client: &Client,
    stage: &Stage,
    audience: &mut Audience,
) -> Result<Handle<String>> {
    let prepared = tell::prepare("once").keep(Duration::ZERO);
    let run = client.enqueue(prepared).await?;
    // Only the youngest row of a store stays although it is not to be kept.
    client.enqueue(nothing::prepare().queue("nobody")).await?;
    audience.hears("once").await;
    {
        let mut waiting = pin!(run.join());
        // From its first poll on it listens.
        tokio::select! {
            biased;
            _ = &mut waiting => panic!("the run has not ended"),
            () = std::future::ready(()) => {}
        }
        stage.go(1);
        assert_eq!(within("the waiter", waiting).await?, "once");
    }
    Ok(run)
}

#[tokio::test]
async fn a_second_client_on_the_file_sees_the_end() -> Result {
    let folder = Folder::new()?;
    let (one, other) = (
        Client::open(folder.store()).await?,
        Client::open(folder.store()).await?,
    );
    let (stage, mut audience) = stage();
    let worker = Worker::builder(one.clone())
        .jobs([tell::JOB, fails::JOB])
        .shared(Arc::clone(&stage))
        .build()?
        .start()
        .await?;
    // Enqueued by the one that has no worker, which is not told of what the other does.
    let run = other.enqueue(tell::prepare("far")).await?;
    audience.hears("far").await;
    status(&run, |status| {
        matches!(status, Status::Running { attempt: 1, .. })
    })
    .await?;
    let waiting = tokio::spawn(async move { run.join().await });
    stage.go(1);
    assert_eq!(within("the other client", waiting).await??, "far");

    let failed = other.enqueue(fails::prepare()).await?;
    let error = joined(&failed).await.expect_err("it fails");
    assert_eq!(
        error.failure().map(|failure| failure.attempts.len()),
        Some(1)
    );
    worker.stop().await
}
