use afterhours::job;

#[job(retry_delay = "1x")]
async fn unit() {}

#[job(every = 60, retry_delay = 5)]
async fn without_retries() {}

#[job(retry = 0, retry_delay = 5)]
async fn with_no_retries() {}

#[job(retry_delay = 0, backoff = "exponential")]
async fn nothing_to_grow_from() {}

fn main() {}
