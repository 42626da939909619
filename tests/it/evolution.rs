//! Two builds of a job and one store: renamed jobs, renamed and new arguments, types that describe themselves.
//! Both builds are linked here; a worker has one of them.

use afterhours::{Client, Error, Job, OldArgs, Result, RunningWorker, Status, Worker, job};
use serde::{Deserialize, Serialize};

use crate::support::{joined, looked, start};

/// As the jobs were when the runs were enqueued.
mod before {
    use super::{Result, job};

    #[job(name = "evolution.old_name")]
    pub(super) async fn renamed(n: u64) -> Result<u64> {
        Ok(n)
    }

    #[job(name = "evolution.greet")]
    pub(super) async fn greet(name: &str) -> Result<String> {
        Ok(format!("old {name}"))
    }

    #[job(name = "evolution.scale")]
    pub(super) async fn scale(value: u64) -> Result<u64> {
        Ok(value)
    }
}

/// As they are now.
mod now {
    use super::{OldArgs, Result, job};

    #[job(name = "evolution.new_name", alias = "evolution.old_name")]
    pub(super) async fn renamed(n: u64) -> Result<u64> {
        Ok(n * 10)
    }

    #[job(name = "evolution.greet", version = 2, upgrade = add_times)]
    pub(super) async fn greet(name: &str, times: usize) -> Result<String> {
        Ok(vec![name; times].join(" "))
    }

    fn add_times(old: OldArgs<'_>) -> Result<(String, usize)> {
        let (name,) = old.decode::<(String,)>()?;
        if name.is_empty() {
            return Err("nobody to greet".into());
        }
        Ok((name, old.version() as usize + 1))
    }

    #[job(name = "evolution.scale", accepts = "b5bce16f")]
    pub(super) async fn scale(factor: u64) -> Result<u64> {
        Ok(factor * 100)
    }
}

async fn worker(client: &Client, job: Job) -> Result<RunningWorker> {
    Ok(Worker::builder(client.clone())
        .jobs([job])
        .build()?
        .start()
        .await?)
}

#[tokio::test]
async fn a_renamed_job_executes_what_was_stored_under_its_old_name() -> Result {
    let client = Client::open_in_memory().await?;
    let old = client.enqueue(before::renamed::prepare(4)).await?;
    let worker = worker(&client, now::renamed::JOB).await?;
    let run = now::renamed::handle(old.id()).on(&client);
    assert_eq!(joined(&run).await?, 40);
    worker.stop().await
}

#[tokio::test]
async fn an_older_version_s_arguments_are_upgraded() -> Result {
    let client = Client::open_in_memory().await?;
    let old = client.enqueue(before::greet::prepare("Ada")).await?;
    let empty = client.enqueue(before::greet::prepare("")).await?;
    let new = client.enqueue(now::greet::prepare("Bob", 3)).await?;
    let worker = worker(&client, now::greet::JOB).await?;
    assert_eq!(
        joined(&now::greet::handle(old.id()).on(&client)).await?,
        "Ada Ada"
    );
    assert_eq!(joined(&new).await?, "Bob Bob Bob");
    // What cannot be upgraded is parked with the reason.
    let error = joined(&now::greet::handle(empty.id()).on(&client))
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the upgrade from version 1 failed: nobody to greet"),
        "{error}"
    );
    worker.stop().await
}

#[tokio::test]
async fn an_older_build_leaves_a_newer_version_alone() -> Result {
    let client = Client::open_in_memory().await?;
    let new = client.enqueue(now::greet::prepare("Bob", 3)).await?;
    let old = client.enqueue(before::greet::prepare("Ada")).await?;
    let worker = worker(&client, before::greet::JOB).await?;
    assert_eq!(joined(&old).await?, "old Ada");
    assert_eq!(new.status().await?, Status::Ready);
    let seen = before::greet::handle(new.id()).on(&client).status().await?;
    assert!(matches!(seen, Status::Incompatible { reason } if reason.contains("version 2")));
    worker.stop().await
}

#[tokio::test]
async fn a_renamed_argument_is_accepted_by_its_signature() -> Result {
    let client = Client::open_in_memory().await?;
    let old = client.enqueue(before::scale::prepare(3)).await?;
    let new = client.enqueue(now::scale::prepare(4)).await?;
    let worker = worker(&client, now::scale::JOB).await?;
    assert_eq!(joined(&new).await?, 400);
    assert_eq!(joined(&old).await?, 300);
    worker.stop().await
}

/// Nothing is decoded by guess, and the message has the line that accepts what only changed its name.
#[tokio::test]
async fn a_changed_argument_is_shown_with_the_way_out() -> Result {
    #[job(name = "evolution.scale")]
    async fn scale(factor: u64) -> Result<u64> {
        Ok(factor)
    }
    let client = Client::open_in_memory().await?;
    let old = client.enqueue(before::scale::prepare(3)).await?;
    let worker = worker(&client, scale::JOB).await?;
    let seen = scale::handle(old.id()).on(&client);
    let Status::Incompatible { reason } = seen.status().await? else {
        panic!("the run should not fit");
    };
    assert!(reason.contains("say `accepts = \"b5bce16f\"`"), "{reason}");
    assert!(matches!(
        joined(&seen).await,
        Err(Error::Incompatible { .. })
    ));
    // For the build that has enqueued it, it waits for its worker.
    assert_eq!(old.status().await?, Status::Ready);
    worker.stop().await
}

/// serde tells its variants apart only while it reads them, which postcard cannot.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Number {
    Whole(u64),
    Text(String),
}

#[job(name = "evolution.json", codec = "json")]
async fn json(number: &Number, note: Option<&str>) -> Result<(Number, Option<String>)> {
    let doubled = match number {
        Number::Whole(n) => Number::Whole(n * 2),
        Number::Text(text) => Number::Text(text.repeat(2)),
    };
    Ok((doubled, note.map(str::to_owned)))
}

#[job(name = "evolution.postcard")]
async fn postcard(_number: Number) {}

#[tokio::test]
async fn json_carries_what_postcard_cannot() -> Result {
    let client = Client::open_in_memory().await?;
    let error = client
        .enqueue(postcard::prepare(Number::Whole(1)))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Encode { .. }), "{error}");
    assert!(error.to_string().contains("codec = \"json\""), "{error}");

    let worker = worker(&client, json::JOB).await?;
    let run = client
        .enqueue(json::prepare(&Number::Whole(21), Some("a")))
        .await?;
    assert_eq!(
        joined(&run).await?,
        (Number::Whole(42), Some("a".to_owned()))
    );
    let run = client
        .enqueue(json::prepare(&Number::Text("ab".to_owned()), None))
        .await?;
    assert_eq!(joined(&run).await?, (Number::Text("abab".to_owned()), None));
    worker.stop().await
}

/// `Status::Incompatible` says that the run is kept until a build that knows it comes along.
#[tokio::test]
async fn a_parked_run_is_executed_by_a_build_that_knows_it() -> Result {
    let client = Client::open_in_memory().await?;
    let old = client.enqueue(before::greet::prepare("")).await?;
    let worker = worker(&client, now::greet::JOB).await?;
    let error = joined(&old).await.unwrap_err();
    assert!(matches!(error, Error::Incompatible { .. }), "{error}");
    worker.stop().await?;

    let worker = start(&client, [before::greet::JOB]).await?;
    looked(&client).await?;
    // The run went before the one that `looked` has waited for, but its end may be written after that one's.
    let status = old.status().await?;
    assert!(!matches!(status, Status::Incompatible { .. }), "{status:?}");
    worker.stop().await
}

/// A job whose arguments have not changed, so either build executes it, but whose result has: two fields of it have
/// changed places.
mod results {
    use super::{Deserialize, Result, Serialize, job};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename = "Split")]
    pub(super) struct Before {
        pub(super) paid: u32,
        pub(super) owed: u32,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename = "Split")]
    pub(super) struct Now {
        pub(super) owed: u32,
        pub(super) paid: u32,
    }

    pub(super) mod before {
        use super::{Before, Result, job};

        #[job(name = "evolution.split")]
        pub(in super::super) async fn split() -> Result<Before> {
            Ok(Before { paid: 1, owed: 2 })
        }
    }

    pub(super) mod now {
        use super::{Now, Result, job};

        #[job(name = "evolution.split")]
        pub(in super::super) async fn split() -> Result<Now> {
            Ok(Now { owed: 2, paid: 1 })
        }
    }
}

#[tokio::test]
async fn the_result_of_another_build_is_not_decoded_by_guess() -> Result {
    let client = Client::open_in_memory().await?;
    let run = client.enqueue(results::before::split::prepare()).await?;
    let worker = worker(&client, results::now::split::JOB).await?;
    let error = joined(&run).await.unwrap_err();
    let text = error.to_string();
    assert!(
        matches!(error, Error::Decode { .. }) && text.contains("fields or variants differ"),
        "{text}"
    );
    // Whoever knows it has it.
    let mine = results::now::split::handle(run.id()).on(&client);
    assert_eq!(joined(&mine).await?, results::Now { owed: 2, paid: 1 });
    worker.stop().await
}
