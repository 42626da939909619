//! The library under another name.

extern crate afterhours as later;

use later::job;

#[job(crate = later)]
async fn renamed(_id: u64) -> later::Result {
    Ok(())
}

fn main() {
    let _ = renamed::prepare(1);
}
