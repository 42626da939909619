use afterhours::job;

#[job(every = 60, missed_limit = 3)]
async fn alone() {}

#[job(every = 60, missed = "run_once", missed_limit = 3)]
async fn of_one() {}

#[job(every = 60, missed = "run_all", missed_limit = 0)]
async fn zero() {}

#[job(missed_limit = 3)]
async fn no_schedule() {}

fn main() {}
