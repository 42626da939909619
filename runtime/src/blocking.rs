//! Work that blocks, kept away from the threads that tasks run on.

use crate::error::Error;

/// Does something that blocks, away from the tasks.
pub(crate) async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> Result<R, Error> + Send + 'static,
) -> Result<R, Error> {
    // The work does not panic; its thread is only taken away when the runtime shuts down.
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(Error::Closed))
}
