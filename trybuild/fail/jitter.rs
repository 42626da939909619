use afterhours::job;

#[job(jitter = 1.5)]
async fn over_one() {}

#[job(jitter = -0.1)]
async fn negative() {}

#[job(jitter = "half")]
async fn words() {}

#[job(cron = "@hourly", jitter = 0.5)]
async fn without_retries() {}

fn main() {}
