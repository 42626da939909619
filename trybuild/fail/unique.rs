use afterhours::job;

#[job(unique = true)]
async fn not_a_text() {}

#[job(unique = "")]
async fn empty() {}

#[job(unique_for = "1h")]
async fn period_alone() {}

#[job(unique = "args", unique_for = 0)]
async fn no_time() {}

#[job(unique = "args", unique = "key")]
async fn twice() {}

fn main() {}
