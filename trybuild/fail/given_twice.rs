use afterhours::job;

#[job(queue = "mail", retry = 1, queue = "default")]
async fn twice() {}

fn main() {}
