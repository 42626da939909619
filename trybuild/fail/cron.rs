use afterhours::job;

#[job(cron = "60 * * * *")]
async fn out_of_range() {}

#[job(cron = "0 3 * * munday")]
async fn misspelt_day() {}

#[job(cron = "*/0 * * * *")]
async fn no_step() {}

#[job(cron = "0 0 30 2 *")]
async fn never() {}

#[job(cron = "0 3 * *")]
async fn four_fields() {}

#[job(cron = "@dayly")]
async fn misspelt_shorthand() {}

#[job(cron = "0\t24 * * *")]
async fn with_an_escape() {}

#[job(cron = "")]
async fn empty() {}

#[job(cron = 60)]
async fn number() {}

#[job(cron = "0 3 * * *", every = 60)]
async fn both() {}

#[job(cron = "0 25 * * *", timezone = "Mars/Olympus", timeout = 0)]
async fn three_mistakes() {}

#[job(cron = "@daily")]
async fn with_arguments(_user_id: u64, _note: &str) {}

fn main() {}
