//! The side of the application that works. It names nothing of the job crate but the crate, which is enough to link
//! the jobs in.

use std::io::Write;

use afterhours::{Client, Result, Worker};
use afterhours_deploy as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result {
    let database = std::env::args().nth(1).ok_or("which database?")?;
    let client = Client::open(database).await?;
    let worker = Worker::builder(client).build()?.start().await?;
    let end = worker.until_signal();
    tokio::pin!(end);
    // The signal handlers stand once the future has been polled.
    tokio::select! {
        biased;
        ended = &mut end => return ended,
        () = std::future::ready(()) => writeln!(std::io::stdout(), "ready")?,
    }
    end.await
}
