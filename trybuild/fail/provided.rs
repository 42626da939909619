use afterhours::{Context, job};

struct Mailer;

#[job]
async fn state_by_value(#[state] _mailer: Mailer) {}

#[job]
async fn two_contexts(_a: &Context, _b: &Context) {}

fn main() {}
