//! While a job is being typed, only what is wrong shows: the code that enqueues it still finds the helpers.
use afterhours::{Client, Result, job};

#[job(every =)]
async fn no_value(user_id: u64, text: &str) -> Result<u64> {
    Ok(user_id + text.len() as u64)
}

#[job(queue = "mail", time)]
async fn half_a_key(#[state] _mailer: &String, user_id: u64) -> Result<u64> {
    Ok(user_id)
}

#[job(retry = 3)]
async fn no_expression(user_id: u64) -> Result<u64> {
    let doubled = ;
    Ok(user_id)
}

#[job(timeout = 0)]
async fn wrong_twice(_names: Vec<&str>) {}

async fn enqueue(client: &Client) -> Result<u64> {
    let run = no_value::perform_async(1, "a").await?;
    let sum: u64 = run.join().await?;
    half_a_key::perform_in(std::time::Duration::from_secs(1), sum).await?;
    no_expression::perform_at(std::time::SystemTime::now(), 1).await?;
    client.enqueue(wrong_twice::prepare(vec!["a"]).priority(3)).await?;
    let found = no_value::handle(half_a_key::perform_async(1).await?.id());
    println!("{} {:?}", no_value::NAME, [no_value::JOB, half_a_key::JOB]);
    no_value(1, "a").await?;
    Ok(found.join().await?)
}

fn main() {}
