use afterhours::job;
use serde::{Deserialize, Serialize};

/// Called like the context, and meant as an argument.
#[derive(Serialize, Deserialize)]
struct Context {
    locale: String,
}

#[job]
async fn of_a_request(_context: &Context, _id: u64) {}

#[job]
async fn by_value(_context: Context) {}

#[job]
async fn to_change(_context: &mut afterhours::Context) {}

#[job]
async fn marked(#[context] _context: &String) {}

fn main() {}
