use afterhours::job;

#[job(keep = "forever")]
async fn forever() {}

#[job(keep = 1h)]
async fn unit_without_quotes() {}

#[job(keep = -1)]
async fn negative() {}

fn main() {}
