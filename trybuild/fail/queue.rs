use afterhours::job;

#[job(queue = "")]
async fn empty() {}

#[job(queue = mail)]
async fn without_quotes() {}

#[job(queue = "mail" priority = 20)]
async fn no_comma() {}

#[job(Queue = "mail")]
async fn capital() {}

fn main() {}
