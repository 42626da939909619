use afterhours::job;

#[job]
struct Mail;

struct Order;

impl Order {
    #[job]
    async fn confirm(&self) {}
}

fn main() {}
