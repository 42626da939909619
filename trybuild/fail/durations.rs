use afterhours::job;

#[job(every = 0)]
async fn zero_interval() {}

#[job(timeout = 0)]
async fn zero_timeout() {}

#[job(timeout = "5 minutes")]
async fn words() {}

#[job(retry_delay = "1x")]
async fn unit() {}

fn main() {}
