//! A process without a single job.

use std::io::Write;

use afterhours::{Client, Result, Worker};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result {
    let client = Client::open_in_memory().await?;
    let built = Worker::builder(client).build();
    let answer = built.map_or_else(|error| error.to_string(), |_| "built".to_owned());
    Ok(writeln!(std::io::stdout(), "{answer}")?)
}
