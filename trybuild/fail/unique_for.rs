use afterhours::job;

#[job(unique_for = "1h")]
async fn alone() {}

#[job(unique = "args", unique_for = 0)]
async fn zero() {}

#[job(unique = "args", unique_for = "one hour")]
async fn words() {}

fn main() {}
