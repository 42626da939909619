use afterhours::jobs;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Order;

struct Opaque;

trait Confirm {
    fn confirm(&self);
}

#[derive(Serialize, Deserialize)]
struct Typed<T>(T);

struct Borrowed<'a>(&'a str);

#[jobs]
impl Order {
    #[job]
    fn by_value(self) {}

    #[job]
    fn exclusive(&mut self) {}

    #[job]
    fn boxed(self: Box<Self>) {}

    #[job(every = 60)]
    fn scheduled(&self) {}

    #[job(timeout = 0)]
    async fn with_options(&self, _names: Vec<&str>) {}

    #[job]
    #[job(retry = 1)]
    fn twice() {}

    #[job]
    const LIMIT: u8 = 3;
}

#[jobs]
impl Opaque {
    #[job]
    async fn not_storable(&self) {}
}

#[jobs]
impl Confirm for Order {
    #[job]
    fn confirm(&self) {}
}

#[jobs]
impl<T> Typed<T> {
    #[job]
    fn generic(&self) {}
}

#[jobs]
impl Borrowed<'_> {
    #[job]
    fn borrowed(&self) {}
}

#[jobs(queue = "mail")]
impl Order {
    #[job]
    fn queued(&self) {}
}

#[jobs]
impl Order {
    fn no_job(&self) {}
}

#[jobs]
struct NotABlock;

fn main() {}
