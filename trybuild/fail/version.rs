use afterhours::job;

#[job(version = 0)]
async fn zero() {}

#[job(version = "2.0")]
async fn of_a_crate() {}

fn main() {}
