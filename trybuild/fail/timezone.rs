use afterhours::job;

#[job(cron = "0 3 * * *", timezone = "Europe/Pariss")]
async fn misspelt() {}

#[job(cron = "0 3 * * *", timezone = "europe/paris")]
async fn small_letters() {}

#[job(cron = "0 3 * * *", timezone = "Mars/Olympus")]
async fn unheard_of() {}

#[job(cron = "0 3 * * *", timezone = UTC)]
async fn without_quotes() {}

#[job(timezone = "Europe/Paris")]
async fn alone() {}

#[job(cron = "0 3 * * *", tz = "UTC")]
async fn another_name() {}

fn main() {}
