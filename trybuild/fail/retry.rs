use afterhours::job;

#[job(retry = -1)]
async fn negative() {}

#[job(retry = "3")]
async fn in_quotes() {}

#[job(retry = true)]
async fn yes() {}

#[job(retry = 5000000000)]
async fn too_many() {}

#[job(retries = 3)]
async fn another_name() {}

fn main() {}
