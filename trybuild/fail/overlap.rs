use afterhours::job;

#[job(every = 60, overlap = "alow")]
async fn misspelt() {}

#[job(every = 60, overlap = true)]
async fn not_a_text() {}

#[job(overlap = "skip")]
async fn no_schedule() {}

fn main() {}
