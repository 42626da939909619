//! Where `#[jobs]` is missing. The associated function without `self` is rustc's to report: the macro cannot see
//! where it stands.
use afterhours::job;

struct Order;

impl Order {
    #[job]
    async fn confirm(&self) {}

    #[job]
    async fn associated(_id: u64) {}
}

trait Confirm {
    #[job]
    async fn without_a_body(id: u64);
}

#[job]
async fn free(&self) {}

fn main() {}
