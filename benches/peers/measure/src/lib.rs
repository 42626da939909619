//! What the programs of all libraries share: the arguments, the loops that are timed, what handlers tell, and the line
//! of JSON that comes out. Whatever is here is the same for everybody; what is not is in the folder of the library.

mod arguments;
mod calls;
mod handled;
mod other;
mod outcome;
#[cfg(feature = "tokio")]
pub mod tasks;

pub use arguments::{Role, Run, Scenario};
pub use calls::{batches, one, starts, tasks64};
pub use handled::{arrived, executed, expect, now, wait_until_executed};
pub use other::{OtherProcess, work_until_parent_ends};
pub use outcome::{Library, Measured, check_done};

/// Any error will do: it is printed, and the script says that the scenario failed with it.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
/// Nothing here recovers from an error.
pub type Result<T = ()> = std::result::Result<T, Error>;

/// How many tasks enqueue at once, and how many jobs a worker executes at once.
pub const TASKS: usize = 64;
/// How many jobs are enqueued with one call.
pub const BATCH: u64 = 1_000;
