//! Every form of parameter and result.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use afterhours::{Context, Job, Result, job};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Order {
    id: u64,
}

struct Mailer;

trait Clock: Send + Sync {}

#[job]
async fn owned(_id: u64, _text: String, _order: Order, _path: PathBuf, (_a, mut _b): (u8, u8)) {}

#[job]
async fn borrowed(_text: &str, _list: &[u32], _order: &Order, _path: &Path, _note: Option<&str>) {}

#[job]
async fn provided(ctx: &Context, #[state] _mailer: &Mailer, #[state] _clock: &dyn Clock, _id: u64) -> Result<u32> {
    Ok(ctx.attempt())
}

#[job]
fn plain(_id: u64) -> std::result::Result<String, String> {
    Err("plain".to_owned())
}

#[job(every = "1h30m")]
async fn interval() {}

#[job(cron = "*/5 9-17 * * mon-fri", timezone = "Europe/Paris", timeout = "2m", retry = 1, retry_delay = "250ms", backoff = "fixed")]
async fn office_hours() -> Result {
    Ok(())
}

fn main() {
    let order = Order { id: 1 };
    let local = String::from("text");
    let _ = owned::prepare(order.id, "also a str", Order { id: 2 }, PathBuf::new(), (1, 2));
    let _ = borrowed::prepare(&local, &[1, 2], &order, Path::new("a"), None);
    let _ = provided::prepare(1).priority(3).delay(Duration::from_secs(1));
    let _ = plain::prepare(1).at(SystemTime::now());
    let _all: [Job; 2] = [interval::JOB, office_hours::JOB];
    let _name: &str = plain::NAME;
}

/// What `perform_*` returns borrows nothing, so it can be spawned.
fn _spawned(text: &str) {
    drop(tokio::spawn(borrowed::perform_async(text, &[], &Order { id: 1 }, Path::new(""), Some(text))));
}
