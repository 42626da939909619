//! For tests: a clock that is moved by hand. Give it to the store with
//! [`ClientBuilder::clock`](crate::ClientBuilder::clock).

pub use crate::clock::ManualClock;
