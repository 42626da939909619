use afterhours::job;

#[job(name = "")]
async fn empty() {}

#[job(name = " mail.send")]
async fn space() {}

#[job(name = mail::send)]
async fn path() {}

#[job(name("mail.send"))]
async fn in_parentheses() {}

fn main() {}
