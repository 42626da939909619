use afterhours::job;

#[job(accepts = 9f3c11aa)]
async fn without_quotes() {}

#[job(accepts = "9f3c11")]
async fn short() {}

#[job(accepts = ["9f3c11aa", "0x9f3c11"])]
async fn prefixed() {}

#[job(accepts = ["9f3c11aa", "9F3C11AA"])]
async fn listed_twice() {}

fn main() {}
