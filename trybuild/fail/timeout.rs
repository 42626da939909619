use afterhours::job;

#[job(timeout = 0)]
async fn zero() {}

#[job(timeout = "0s")]
async fn zero_in_words() {}

#[job(timeout = "5 minutes")]
async fn words() {}

#[job(timeout = 1.5)]
async fn fraction() {}

#[job(timeout = "")]
async fn empty() {}

#[job(timeout)]
async fn key_alone() {}

fn main() {}
