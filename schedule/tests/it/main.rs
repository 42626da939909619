//! Behaviour of the schedule crate, one module per subject.

// Helpers stand outside test functions, but to unwrap is how they fail, too.
#![allow(clippy::unwrap_used)]

mod brute_force;
mod clock_changes;
mod days;
mod durations;
mod errors;
mod hostile;
mod oracle;
mod other_parser;
mod support;
mod timezones;
mod truth;
