use afterhours::job;

#[job(concurrency = 0)]
async fn none_at_all() {}

#[job(concurrency = "three")]
async fn words() {}

#[job(limit = 3)]
async fn another_name() {}

fn main() {}
