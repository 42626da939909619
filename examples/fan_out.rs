//! One job enqueues many and waits for their results: sums up the squares of some numbers, in chunks.
//!
//! ```text
//! cargo run --release --example fan_out
//! ```
#![allow(clippy::print_stdout, reason = "it talks to a person at a terminal")]

use afterhours::{Client, Context, Result, Worker, job};

/// A part of the work. Its result is stored, and comes back with its type.
#[job]
async fn sum_of_squares(from: u64, to: u64) -> Result<u64> {
    Ok((from..to).map(|number| number * number).sum())
}

/// The parent. While it joins a child, its place among the worker's concurrent attempts is lent to others, so parents never
/// keep their own children out.
#[job]
async fn sum_up(ctx: &Context, to: u64, chunk: u64) -> Result<u64> {
    let starts = (0..to).step_by(usize::try_from(chunk)?);
    let parts = starts.map(|from| sum_of_squares::prepare(from, (from + chunk).min(to)));
    let parts = ctx.client().enqueue_all(parts).await?; // one transaction for all
    let (mut sum, total) = (0, parts.len() as u64);
    for (done, part) in parts.into_iter().enumerate() {
        sum += part.join().await?; // a part that failed for good fails the parent, with its error
        ctx.progress(done as u64 + 1, total);
    }
    Ok(sum)
}

#[tokio::main]
async fn main() -> Result {
    let client = Client::open_in_memory().await?;
    // Even with a single place.
    let worker = Worker::builder(client.clone())
        .concurrency(1)
        .build()?
        .start()
        .await?;
    let run = client.enqueue(sum_up::prepare(1_000_000, 10_000)).await?;
    let sum = run.join().await?;
    println!("the squares of the numbers below a million add up to {sum}");
    assert_eq!(sum, 333_332_833_333_500_000);
    worker.stop().await
}
