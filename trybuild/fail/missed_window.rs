use afterhours::job;

#[job(every = 60, missed_window = "1h")]
async fn alone() {}

#[job(every = 60, missed = "skip", missed_window = "1h")]
async fn of_none() {}

#[job(every = 60, missed = "run_all", missed_window = 0)]
async fn zero() {}

#[job(missed_window = "1h")]
async fn no_schedule() {}

fn main() {}
