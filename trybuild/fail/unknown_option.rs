use afterhours::job;

#[job(quue = "mail", timeout = 30)]
async fn misspelt() {}

#[job(urgent = true)]
async fn unheard_of() {}

#[job("mail")]
async fn value_alone() {}

#[job(quue = "mail", timeout = 0, retry = "3", jitter = 2, queue = "a", queue = "b")]
async fn all_at_once() {}

fn main() {}
