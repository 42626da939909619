use afterhours::job;

#[job(every = 60, worker = 0)]
async fn zero() {}

#[job(every = 60, worker = "2/4")]
async fn text() {}

#[job(worker = 2)]
async fn no_schedule() {}

fn main() {}
