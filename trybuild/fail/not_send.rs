//! What crosses an `await` may go on in another thread; rustc names it.
use std::rc::Rc;

use afterhours::job;

#[job]
async fn holds_an_rc() {
    let counter = Rc::new(1);
    tokio::task::yield_now().await;
    drop(counter);
}

fn main() {}
