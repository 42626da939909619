//! Jobs in an `impl` block.

#![forbid(unsafe_code)]
#![deny(warnings, missing_docs)]

use afterhours::{Context, Job, OldArgs, Result, jobs};
use serde::{Deserialize, Serialize};

/// What the shop sells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    id: u64,
}

/// Sends letters.
pub struct Mailer;

#[jobs]
impl Order {
    /// Not a job.
    pub const LIMIT: u64 = 3;

    /// Confirms an order by mail.
    #[job(queue = "mail", retry = 3)]
    pub async fn confirm(&self, ctx: &Context, #[state] _mailer: &Mailer, note: &str) -> Result<u64> {
        Ok(self.id + note.len() as u64 + u64::from(ctx.attempt()))
    }

    /// Names its own type.
    #[job(version = 2, upgrade = Self::older)]
    pub fn merge(self: &Self, other: &Self, _text: String, _rest: [u8; Self::LIMIT as usize]) -> Result<Self> {
        Ok(Self { id: self.id + other.id })
    }

    fn older(old: OldArgs<'_>) -> Result<(Self, Self, String, [u8; 3])> {
        let (one, other): (Self, Self) = old.decode()?;
        Ok((one, other, String::new(), [0; 3]))
    }

    #[job(every = 60)]
    async fn chase(#[state] _mailer: &Mailer) {}

    #[job]
    fn forget(id: u64, (_a, mut _b): (u8, u8)) -> std::result::Result<(), String> {
        Err(format!("order {id} is not known"))
    }

    #[job]
    #[cfg(any())]
    fn never(&self, other: Missing) {}

    /// Not a job.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.id
    }
}

mod inside {
    use super::Order;

    #[afterhours::jobs(crate = ::afterhours)]
    impl super::List<Order> {
        #[job(name = "list.print")]
        pub(super) async fn r#print(&self) {}
    }
}

#[derive(Serialize, Deserialize)]
struct List<T>(Vec<T>);

fn main() {
    let order = Order { id: 1 };
    let _ = order.confirm_job("thank you").priority(3);
    let _ = order.merge_job(&Order { id: 2 }, "also a str", [0; 3]);
    let _ = Order::forget_job(1, (2, 3));
    let _ = List(vec![order.clone()]).print_job();
    assert_eq!(order.total(), 1);
    let all: [Job; 3] = [Order::CONFIRM_JOB, Order::CHASE_JOB, List::<Order>::PRINT_JOB];
    let names = all.map(|job| job.name().to_owned());
    assert!(names[0].ends_with("::Order::confirm"), "{names:?}");
    assert_eq!(names[2], "list.print");
}
