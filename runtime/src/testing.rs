//! For tests, with the feature `testing`: add `afterhours = { version = "..", features = ["testing"] }` to the
//! `[dev-dependencies]`.
//!
//! A [`Sandbox`] is a store of a test's own that nothing happens in by itself: see there, and
//! [`assert_enqueued!`](crate::assert_enqueued).
//!
//! A [`ManualClock`] can also be given to any store, with [`ClientBuilder::clock`](crate::ClientBuilder::clock), for tests
//! of a whole worker.
//!
//! And steps at which a process ends or stops: start it with `AFTERHOURS_FAILPOINT=<step>:exit` in its environment, and
//! it ends there as SIGKILL ends it; with `<step>:stop`, it stops there as SIGSTOP stops it; with `<step>@3:exit`, the
//! third time it gets there. Never enable the feature `testing` in a program that people rely on.

#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod asserts;
#[cfg(feature = "testing")]
pub(crate) mod current;
#[cfg(feature = "testing")]
mod sandbox;
#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod steps;

pub use crate::clock::ManualClock;
#[cfg(feature = "testing")]
pub use crate::failpoint::STEPS;
#[cfg(feature = "testing")]
pub use sandbox::{Executed, Outcome, Sandbox, SandboxBuilder};
