//! Runtimes that lack something.

use afterhours::{Client, Error, Result, Worker};
use tokio::runtime::Builder;

use crate::support::nothing;

/// What a worker says on this runtime.
fn start_on(builder: &mut Builder) -> Result<Option<Error>> {
    builder.build()?.block_on(async {
        let client = Client::open_in_memory().await?;
        let worker = Worker::builder(client).jobs([nothing::JOB]).build()?;
        match worker.start().await {
            Ok(running) => running.stop().await.map(|()| None),
            Err(error) => Ok(Some(error)),
        }
    })
}

#[test]
fn a_runtime_without_timers_or_io_is_an_error_that_says_what_to_do() -> Result {
    let (mut no_timers, mut no_io) = (Builder::new_current_thread(), Builder::new_current_thread());
    no_timers.enable_io();
    no_io.enable_time();
    for (mut builder, missing) in [(no_timers, "no timers"), (no_io, "no I/O")] {
        let error = start_on(&mut builder)?.ok_or("it started")?;
        assert!(matches!(error, Error::Runtime { .. }), "{error:?}");
        let text = error.to_string();
        assert!(
            text.contains(missing) && text.contains("enable_all"),
            "{text}"
        );
    }
    assert!(start_on(Builder::new_current_thread().enable_all())?.is_none());
    Ok(())
}
