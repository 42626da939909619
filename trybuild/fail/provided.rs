use std::fmt::Display;
use std::rc::Rc;

use afterhours::{Context, job};

struct Mailer;

#[job]
async fn state_by_value(#[state] _mailer: Mailer) {}

#[job]
async fn state_to_change(#[state] _mailer: &mut Mailer) {}

#[job]
async fn state_of_any_type(#[state] _mailer: &impl Display) {}

#[job]
async fn state_of_one_thread(#[state] _mailer: &Rc<Mailer>) {}

#[job]
async fn object_of_one_thread(#[state] _mailer: &dyn Display) {}

#[job]
async fn state_with_a_name(#[state(mailer)] _mailer: &Mailer) {}

#[job]
async fn two_contexts(_a: &Context, _b: &Context) {}

#[job]
async fn both(#[state] #[context] _a: &Mailer) {}

#[job]
async fn misspelt(#[stat] _a: &Mailer) {}

fn main() {}
