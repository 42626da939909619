//! What the worker provides: values, shared traits, and the check that nothing is missing.

use std::sync::Arc;

use afterhours::{Client, Context, Error, Result, Status, Worker, job};

use crate::support::joined;

struct Greeting(&'static str);

trait Mail: Send + Sync {
    fn send(&self, to: &str) -> String;
}

struct Post;

impl Mail for Post {
    fn send(&self, to: &str) -> String {
        format!("posted to {to}")
    }
}

#[job(name = "state.greet")]
async fn greet(#[state] greeting: &Greeting, name: &str, ctx: &Context) -> Result<String> {
    assert!(ctx.state::<Greeting>().is_some() && ctx.state::<u8>().is_none());
    Ok(format!("{}, {name}", greeting.0))
}

#[job(name = "state.mail", queue = "mail")]
async fn mail(to: &str, #[state] mail: &dyn Mail) -> Result<String> {
    Ok(mail.send(to))
}

#[job(name = "state.plain")]
fn plain(#[state] greeting: &Greeting, #[state] mail: &dyn Mail) -> Result<String> {
    Ok(mail.send(greeting.0))
}

#[tokio::test]
async fn jobs_get_values_and_traits_that_the_worker_was_given() -> Result {
    let client = Client::open_in_memory().await?;
    let worker = Worker::builder(client.clone())
        .jobs([greet::JOB, mail::JOB, plain::JOB])
        .state(Greeting("Hello"))
        .shared::<dyn Mail>(Arc::new(Post))
        .build()?
        .start()
        .await?;
    let runs = [
        client.enqueue(greet::prepare("Ada")).await?,
        client.enqueue(mail::prepare("Ada")).await?,
        client.enqueue(plain::prepare()).await?,
    ];
    let mut said = Vec::new();
    for run in &runs {
        said.push(joined(run).await?);
    }
    assert_eq!(said, ["Hello, Ada", "posted to Ada", "posted to Hello"]);
    worker.stop().await
}

#[tokio::test]
async fn a_missing_state_is_found_before_the_start_and_named_with_its_job() -> Result {
    let client = Client::open_in_memory().await?;
    let built = Worker::builder(client)
        .jobs([greet::JOB, mail::JOB])
        .state(Greeting("Hello"))
        .build();
    let error = built.expect_err("nobody provided the mail");
    assert!(matches!(error, Error::MissingState { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("`state.mail`"), "{text}");
    assert!(text.contains("dyn ") && text.contains("Mail"), "{text}");
    Ok(())
}

#[tokio::test]
async fn a_state_need_not_be_there_for_jobs_of_other_queues() -> Result {
    let client = Client::open_in_memory().await?;
    let worker = Worker::builder(client)
        .jobs([greet::JOB, mail::JOB])
        .queues(["default"])
        .state(Greeting("Hello"))
        .build()?
        .start()
        .await?;
    worker.stop().await
}

#[tokio::test]
async fn a_run_sent_to_a_worker_without_its_state_waits_for_one_that_has_it() -> Result {
    let client = Client::open_in_memory().await?;
    let lacking = Worker::builder(client.clone())
        .jobs([greet::JOB, mail::JOB])
        .queues(["default"])
        .state(Greeting("Hello"))
        .build()?
        .start()
        .await?;
    let run = client
        .enqueue(mail::prepare("Ada").queue("default"))
        .await?;
    let after = client.enqueue(greet::prepare("Ada")).await?;
    joined(&after).await?;
    assert_eq!(run.status().await?, Status::Ready);
    let worker = Worker::builder(client.clone())
        .jobs([mail::JOB])
        .shared::<dyn Mail>(Arc::new(Post))
        .build()?
        .start()
        .await?;
    assert_eq!(joined(&run).await?, "posted to Ada");
    worker.stop().await?;
    lacking.stop().await
}
