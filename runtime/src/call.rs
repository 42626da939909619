//! The seam between generated code and the executor: a call comes in, an attempt goes out.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{DecodeError, Decoder, Encoder, Envelope, open};
use crate::context::Context;
use crate::job_error::JobError;

/// A claimed run on its way into the job's function.
#[derive(Debug)]
pub struct Call {
    context: Context,
    envelope: Envelope,
}

/// What a function gave back: the result's bytes, or the error.
pub type Outcome = Result<Vec<u8>, JobError>;

/// A job's function with its arguments, ready to be executed.
pub enum Attempt {
    /// An `async fn`.
    Future(Pin<Box<dyn Future<Output = Outcome> + Send>>),
    /// A plain `fn`, for a thread that may block.
    Blocking(Box<dyn FnOnce() -> Outcome + Send>),
}

/// Why a claimed run cannot be executed by this build.
#[derive(Debug)]
pub enum StartError {
    /// Its arguments do not fit.
    Decode(DecodeError),
    /// A state is missing, although the worker's start-up check has found it.
    State(&'static str),
}

impl Call {
    pub(crate) fn new(context: Context, envelope: Envelope) -> Self {
        Self { context, envelope }
    }

    /// The arguments, if the envelope is the one of this build and no byte is left over.
    ///
    /// # Errors
    /// If they do not fit.
    pub fn decode<T>(
        &self,
        decode: fn(&mut Decoder<'_>) -> Result<T, DecodeError>,
    ) -> Result<T, StartError> {
        let arguments = open(self.envelope, &self.context.inner().run.payload)?;
        let mut decoder = Decoder::new(arguments);
        let value = decode(&mut decoder)?;
        decoder.finish()?;
        Ok(value)
    }

    /// A state of the worker.
    ///
    /// # Errors
    /// If the worker has none of this type.
    pub fn state<T: ?Sized + 'static>(&self) -> Result<Arc<T>, StartError> {
        let missing = StartError::State(std::any::type_name::<T>());
        self.context.state().ok_or(missing)
    }

    /// The attempt's context.
    #[must_use]
    pub fn context(&self) -> Context {
        self.context.clone()
    }
}

impl Attempt {
    /// An `async fn`.
    pub fn future(future: impl Future<Output = Outcome> + Send + 'static) -> Self {
        Self::Future(Box::pin(future))
    }

    /// A plain `fn`.
    pub fn blocking(call: impl FnOnce() -> Outcome + Send + 'static) -> Self {
        Self::Blocking(Box::new(call))
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Future(_) => "Attempt::Future",
            Self::Blocking(_) => "Attempt::Blocking",
        })
    }
}

impl From<DecodeError> for StartError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => error.fmt(f),
            Self::State(state) => write!(f, "the worker has no state `{state}`"),
        }
    }
}

/// What a job may return: nothing, or a `Result` whose value can be stored and whose error is any error.
#[diagnostic::on_unimplemented(
    message = "a job cannot return `{Self}`",
    label = "return nothing, or `Result<T, E>`",
    note = "`T` must be `Serialize + DeserializeOwned + Send + 'static`; `E` must convert into a boxed error, as std errors, `String` and `anyhow::Error` do"
)]
pub trait JobReturn {
    /// What `join` gives.
    type Value: Serialize + DeserializeOwned + Send + 'static;

    /// The value, or the error for the executor.
    ///
    /// # Errors
    /// If the job failed.
    fn into_result(self) -> Result<Self::Value, JobError>;

    /// The value's bytes, or the error for the executor.
    ///
    /// # Errors
    /// If the job failed, or if its value cannot be stored: another attempt would not change that.
    fn outcome(self) -> Outcome
    where
        Self: Sized,
    {
        let value = self.into_result()?;
        let mut encoder = Encoder::default();
        encoder.push("result", &value);
        encoder
            .finish()
            .map_err(|reason| JobError::discard(format!("the result cannot be stored: {reason}")))
    }
}

impl JobReturn for () {
    type Value = ();

    fn into_result(self) -> Result<(), JobError> {
        Ok(())
    }
}

impl<T, E> JobReturn for Result<T, E>
where
    T: Serialize + DeserializeOwned + Send + 'static,
    E: Into<JobError>,
{
    type Value = T;

    fn into_result(self) -> Result<T, JobError> {
        self.map_err(Into::into)
    }
}

/// What can be an argument of a job.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a job",
    label = "an argument must be `Serialize + DeserializeOwned + Send + 'static`",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it; for something the worker provides, mark the parameter `#[state]` and take it by reference"
)]
pub trait JobArgument: Serialize + DeserializeOwned + Send + 'static {}

// Without this, rustc would also report each bound of the blanket implementation.
#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> JobArgument for T {}
