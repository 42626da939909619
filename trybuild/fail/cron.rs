use afterhours::job;

#[job(cron = "60 * * * *")]
async fn out_of_range() {}

#[job(cron = "0 0 30 2 *")]
async fn never() {}

#[job(cron = "0 3 * *")]
async fn four_fields() {}

#[job(cron = "0 3 * * *", timezone = "Europe/Pariss")]
async fn no_such_zone() {}

#[job(timezone = "Europe/Paris")]
async fn zone_alone() {}

#[job(cron = "0 3 * * *", every = 60)]
async fn both() {}

fn main() {}
