//! For tests: a clock that is moved by hand. Give it to the store with
//! [`ClientBuilder::clock`](crate::ClientBuilder::clock).
//!
//! And steps at which a process ends or stops: start it with `AFTERHOURS_FAILPOINT=<step>:exit` in its environment, and
//! it ends there as SIGKILL ends it; with `<step>:stop`, it stops there as SIGSTOP stops it; with `<step>@3:exit`, the
//! third time it gets there. Never enable the feature `testing` in a program that people rely on.

#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod steps;

pub use crate::clock::ManualClock;
#[cfg(feature = "testing")]
pub use crate::failpoint::STEPS;
