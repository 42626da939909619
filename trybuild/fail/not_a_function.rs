use afterhours::job;

#[job]
struct Mail;

#[job(retry = 3)]
mod jobs {}

fn main() {}
