use afterhours::job;

#[job(every = 0)]
async fn zero() {}

#[job(every = -5)]
async fn negative() {}

#[job(every = 60s)]
async fn unit_without_quotes() {}

#[job(every = "30m1h")]
async fn order_of_units() {}

#[job(every = "1h 30m")]
async fn space() {}

#[job(every = "2 weeks")]
async fn words() {}

#[job(every = 60, timezone = "Europe/Paris")]
async fn zone_of_an_interval() {}

#[job(interval = 60)]
async fn another_name() {}

fn main() {}
