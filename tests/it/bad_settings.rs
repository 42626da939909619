//! Settings that make no sense are errors of `build()` that say what to do.

use afterhours::{Client, Error, Result, Worker, WorkerBuilder, job};

use crate::support::nothing;
use crate::support::process::{Process, worker};

mod one {
    use super::job;

    #[job(name = "settings.twin")]
    pub(super) async fn twin() {}
}

mod other {
    use super::job;

    #[job(name = "settings.twin")]
    pub(super) async fn twin() {}
}

async fn refused(settings: impl FnOnce(WorkerBuilder) -> WorkerBuilder) -> Result<Error> {
    let builder = Worker::builder(Client::open_in_memory().await?).jobs([nothing::JOB]);
    Ok(settings(builder).build().expect_err("it makes no sense"))
}

#[tokio::test]
async fn two_jobs_of_one_name_are_named_with_both_places() -> Result {
    let error = refused(|builder| builder.jobs([one::twin::JOB, other::twin::JOB])).await?;
    assert!(matches!(error, Error::DuplicateJob { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("`settings.twin`"), "{text}");
    assert_eq!(text.matches("bad_settings.rs:").count(), 2, "{text}");
    Ok(())
}

#[tokio::test]
async fn two_linked_jobs_of_one_name_are_found_too() -> Result {
    let built = Worker::builder(Client::open_in_memory().await?).build();
    let error = built.expect_err("this program links twins");
    assert!(matches!(error, Error::DuplicateJob { .. }), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_job_that_is_listed_twice_is_one_job() -> Result {
    let client = Client::open_in_memory().await?;
    let worker = Worker::builder(client.clone())
        .jobs([nothing::JOB, nothing::JOB])
        .build()?
        .start()
        .await?;
    crate::support::looked(&client).await?;
    worker.stop().await
}

#[tokio::test]
async fn an_empty_list_of_jobs_is_refused() -> Result {
    let error = refused(|builder| builder.jobs([])).await?;
    assert!(matches!(error, Error::NoJobs), "{error}");
    Ok(())
}

#[test]
fn a_program_without_jobs_is_told_to_link_them() -> Result {
    let mut jobless = std::process::Command::new(env!("CARGO_BIN_EXE_jobless"));
    let answer = Process::start(&mut jobless)?.line();
    assert!(answer.contains("no job is linked"), "{answer}");
    assert!(answer.contains("use my_jobs as _;"), "{answer}");
    Ok(())
}

#[tokio::test]
async fn a_worker_without_places_is_refused() -> Result {
    for concurrency in [0, usize::MAX] {
        let error = refused(|builder| builder.concurrency(concurrency)).await?;
        assert!(matches!(error, Error::Setting { .. }), "{error}");
        assert!(error.to_string().starts_with("concurrency: "), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_worker_counts_from_one_to_the_total() -> Result {
    for (index, total) in [(0, 4), (5, 4), (0, 0), (1, 0)] {
        let error = refused(|builder| builder.index(index, total)).await?;
        assert!(matches!(error, Error::Setting { .. }), "{error}");
        let place = format!("worker {index} of {total}");
        assert!(error.to_string().contains(&place), "{error}");
    }
    let client = Client::open_in_memory().await?;
    let last = Worker::builder(client).jobs([nothing::JOB]).index(4, 4);
    assert!(last.build().is_ok());
    Ok(())
}

#[test]
fn a_worker_s_place_is_read_from_the_environment() -> Result {
    let built = |place: &str| {
        Process::start(worker().arg("build").env("AFTERHOURS_WORKER", place))
            .map(|process| process.line())
    };
    assert_eq!(built("2/4")?, "built");
    for bad in ["", "2", "2/", "/4", "a/b", "2/4/6", "-1/4"] {
        let answer = built(bad)?;
        assert!(answer.starts_with("AFTERHOURS_WORKER: "), "{answer}");
        assert!(answer.contains(&format!("`{bad}`")), "{answer}");
    }
    for bad in ["0/4", "5/4"] {
        let answer = built(bad)?;
        assert!(answer.contains("count from 1"), "{answer}");
    }
    Ok(())
}
