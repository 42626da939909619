use afterhours::job;

#[job(every = 60, missed = "runall")]
async fn misspelt() {}

#[job(missed = "run_all")]
async fn no_schedule() {}

#[job(every = 60, missed_limit = 3)]
async fn limit_alone() {}

#[job(every = 60, missed = "run_once", missed_limit = 3)]
async fn limit_of_one() {}

#[job(every = 60, missed = "skip", missed_window = "1h")]
async fn window_of_none() {}

#[job(every = 60, missed = "run_all", missed_limit = 0)]
async fn zero_limit() {}

#[job(every = 60, missed = "run_all", missed_window = 0)]
async fn zero_window() {}

fn main() {}
