//! A job is also a type of its name; what collides is rustc's to report.
use afterhours::job;

#[allow(non_camel_case_types)]
struct mail {
    _to: String,
}

#[job]
async fn mail() {}

mod report {}

#[job]
async fn report() {}

fn main() {}
