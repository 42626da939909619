use afterhours::job;

#[job(backoff = "quadratic")]
async fn unheard_of() {}

#[job(backoff = "exponental")]
async fn misspelt() {}

#[job(backoff = linear)]
async fn without_quotes() {}

#[job(every = 60, backoff = "fixed")]
async fn without_retries() {}

fn main() {}
