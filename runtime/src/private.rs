//! What generated code names. Nothing here is for people; it changes without notice.

pub use std::time::{Duration, SystemTime};

pub use inventory;

pub use crate::bounds::{JobArgument, JobFailure, JobState, JobValue};
pub use crate::call::{Attempt, Call, JobReturn, OldArgs, Outcome, StartError};
pub use crate::codec::{Codec, DecodeError, Decoder, Encoder, Tracer};
pub use crate::context::JobContext;
pub use crate::job::{JobDef, Missed, Overlap, Registered, ScheduleDef, SignatureDef, UniqueDef};
pub use crate::perform::prepare;
pub use crate::retry::Backoff;
pub use crate::states::StateDef;

use crate::handle::Handle;
use crate::job::Job;
use crate::run::RunId;

/// The public face of a definition.
#[must_use]
pub const fn job(def: &'static JobDef) -> Job {
    Job(def)
}

/// A run of this job, by its id.
#[must_use]
pub fn handle<T>(job: &'static JobDef, id: RunId) -> Handle<T> {
    Handle::new(None, job, id)
}
