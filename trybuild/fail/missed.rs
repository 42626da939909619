use afterhours::job;

#[job(every = 60, missed = "runall")]
async fn misspelt() {}

#[job(every = 60, missed = true)]
async fn not_a_text() {}

#[job(missed = "run_all")]
async fn no_schedule() {}

#[job(every = 60, catch_up = "run_all")]
async fn another_name() {}

fn main() {}
