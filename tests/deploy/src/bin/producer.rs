//! The side of the application that enqueues jobs and asks for them. Its first argument says what it does.

use afterhours::{Client, Result, Status};
use afterhours_deploy::{enqueue, fence, handle, say};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["enqueue", database] => {
            for (case, run) in enqueue(&open(database).await?).await? {
                say(format_args!("{case} {run}"))?;
            }
            Ok(())
        }
        ["fence", database] => say(fence(&open(database).await?).await?),
        ["status", database, case, run] => {
            let status = handle(&open(database).await?, case, run)?.status().await?;
            say(described(&status))
        }
        ["join", database, case, run] => {
            say(handle(&open(database).await?, case, run)?.join().await?)
        }
        _ => Err("unknown arguments".into()),
    }
}

async fn open(database: &str) -> Result<Client> {
    Ok(Client::open(database).await?)
}

fn described(status: &Status) -> String {
    match status {
        Status::Incompatible { reason } => format!("incompatible: {reason}"),
        other => format!("{other:?}"),
    }
}
