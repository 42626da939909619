use afterhours::job;

#[job(unique = true)]
async fn not_a_text() {}

#[job(unique = "")]
async fn empty() {}

#[job(unique = "args", unique = "key")]
async fn twice() {}

#[job(dedupe = "args")]
async fn another_name() {}

fn main() {}
