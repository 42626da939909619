use afterhours::job;

#[job(jitter = 1.5)]
async fn jitter() {}

#[job(backoff = "quadratic")]
async fn backoff() {}

#[job(retry = -1)]
async fn negative() {}

#[job(every = 60, retry_delay = 5)]
async fn delay_without_retries() {}

fn main() {}
