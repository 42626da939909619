//! Jobs in an `impl` block: `self` is stored like an argument.

use afterhours::{Client, Result, Worker, jobs};
use serde::{Deserialize, Serialize};

use crate::support::joined;

#[derive(Serialize, Deserialize)]
struct Order {
    id: u64,
}

#[jobs]
impl Order {
    /// Confirms one order.
    #[job(name = "methods.confirm")]
    async fn confirm(&self, note: &str) -> Result<String> {
        Ok(format!("{}: {note}", self.id))
    }

    #[job(name = "methods.total")]
    fn total(prices: &[u64]) -> Result<u64> {
        Ok(prices.iter().sum())
    }
}

#[tokio::test]
async fn methods_and_associated_functions_are_jobs() -> Result {
    let client = Client::open_in_memory().await?;
    let worker = Worker::builder(client.clone())
        .jobs([Order::CONFIRM_JOB, Order::TOTAL_JOB])
        .build()?
        .start()
        .await?;
    let order = Order { id: 7 };
    let confirmed = client.enqueue(order.confirm_job("thanks")).await?;
    let total = client.enqueue(Order::total_job(&[1, 2, 3])).await?;
    assert_eq!(joined(&confirmed).await?, "7: thanks");
    // A run is found again by its id, with its own type.
    let again = Order::confirm_handle(confirmed.id()).on(&client);
    assert_eq!(joined(&again).await?, "7: thanks");
    let other = Order::total_handle(confirmed.id()).on(&client);
    assert!(matches!(
        joined(&other).await,
        Err(afterhours::Error::WrongJob { .. })
    ));
    assert_eq!(joined(&total).await?, 6);
    // They are still functions.
    assert_eq!(order.confirm("now").await?, "7: now");
    assert_eq!(Order::total(&[4])?, 4);
    worker.stop().await
}
