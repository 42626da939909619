//! A deploy that changes a job's arguments while runs of the old build are waiting.
//!
//! ```text
//! cargo run --release --example rolling_upgrade
//! ```
//!
//! The two builds are two modules here, and each worker is told which one it is of.
#![allow(clippy::print_stdout, reason = "it talks to a person at a terminal")]

use afterhours::{Client, Result, RunState, Worker};

/// What ran yesterday.
mod yesterday {
    use afterhours::{Result, job};

    #[job(name = "invoice.send")]
    pub(crate) async fn send_invoice(customer: u32, cents: u32) -> Result<String> {
        Ok(format!("{cents} cents for customer {customer}"))
    }
}

/// What is deployed today: customers have larger numbers, and there are currencies.
mod today {
    use afterhours::{JobError, OldArgs, Result, job};

    #[job(name = "invoice.send", version = 2, upgrade = from_version_1)]
    pub(crate) async fn send_invoice(customer: u64, cents: u64, currency: &str) -> Result<String> {
        Ok(format!("{cents} {currency} for customer {customer}"))
    }

    fn from_version_1(old: OldArgs<'_>) -> Result<(u64, u64, String), JobError> {
        let (customer, cents): (u32, u32) = old.decode()?;
        Ok((customer.into(), cents.into(), "EUR".to_owned()))
    }
}

#[tokio::main]
async fn main() -> Result {
    let client = Client::open_in_memory().await?;
    let waiting = client
        .enqueue(yesterday::send_invoice::prepare(42, 995))
        .await?;

    // Half-way through the deploy an old worker is still there, and a new web server enqueues already.
    let new = client
        .enqueue(today::send_invoice::prepare(43, 1250, "CHF"))
        .await?;
    let old_worker = Worker::builder(client.clone())
        .jobs([yesterday::send_invoice::JOB])
        .build()?
        .start()
        .await?;
    println!("the old build: {}", waiting.join().await?);
    // It leaves alone what it does not know. Nothing is half-decoded, and nothing is lost.
    let seen = client.run(new.id()).await?.ok_or("it waits")?;
    assert_eq!(seen.state, RunState::Ready);
    old_worker.stop().await?;
    // An old web server enqueues a last one.
    let waiting = client
        .enqueue(yesterday::send_invoice::prepare(44, 100))
        .await?;

    let new_worker = Worker::builder(client.clone())
        .jobs([today::send_invoice::JOB])
        .build()?
        .start()
        .await?;
    println!("the new build: {}", new.join().await?);
    let upgraded = waiting.join().await?;
    println!("what the old one has left: {upgraded}");
    assert_eq!(upgraded, "100 EUR for customer 44");
    new_worker.stop().await
}
