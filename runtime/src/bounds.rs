//! What the types in a job's function must be, each with the words that rustc uses when one is not.
//!
//! Every trait here is implemented for all types that fit. The one implementation is marked `do_not_recommend`, or
//! rustc would also report each of its bounds.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::job_error::JobError;

/// What can be an argument of a job.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a job",
    label = "an argument must be `Serialize + DeserializeOwned + Send + 'static`",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it; for something the worker provides, mark the parameter `#[state]` and take it by reference"
)]
pub trait JobArgument: Serialize + DeserializeOwned + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> JobArgument for T {}

/// What can be the state of a worker.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the state of a worker",
    label = "state is shared by all attempts, so it must be `Send + Sync + 'static`",
    note = "for any type that implements a trait, take `&(dyn Trait + Send + Sync)`; put what changes in a `Mutex` or an atomic"
)]
pub trait JobState: Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: ?Sized + Send + Sync + 'static> JobState for T {}

/// What can be the `T` in a job's `Result<T, E>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the result of a job",
    label = "a result is stored, so it must be `Serialize + DeserializeOwned + Send + 'static`",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it, or return `Result<(), E>`"
)]
pub trait JobValue: Serialize + DeserializeOwned + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> JobValue for T {}

/// What can be the `E` in a job's `Result<T, E>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a job",
    label = "an error must convert into a `Box<dyn Error + Send + Sync>`",
    note = "implement `std::error::Error` for it, or return `String`, `anyhow::Error` or `afterhours::JobError`, into which `?` converts"
)]
pub trait JobFailure: Into<JobError> {}

#[diagnostic::do_not_recommend]
impl<E: Into<JobError>> JobFailure for E {}
