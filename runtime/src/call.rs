//! The seam between generated code and the executor: a call comes in, an attempt goes out.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bounds::{JobFailure, JobState, JobValue};
use crate::codec::{Codec, DecodeError, Decoder, Encoder, Envelope, open, seal, take_from_bytes};
use crate::context::{Context, JobContext};
use crate::job::{Fit, JobDef};
use crate::job_error::JobError;

/// A claimed run on its way into the job's function.
#[derive(Debug)]
pub struct Call {
    context: Context,
    job: &'static JobDef,
}

/// What a function gave back: the result, or the error.
pub type Outcome = Result<Box<dyn Returned>, JobError>;

/// A result that is still to be encoded.
pub trait Returned: Send {
    /// The result's bytes in their envelope. Nothing, as of a job that returns nothing, needs none.
    ///
    /// # Errors
    /// If the codec cannot carry its type.
    fn encode(&self, job: &JobDef) -> Result<Vec<u8>, String>;
}

impl<T: Serialize + DeserializeOwned + Send> Returned for T {
    fn encode(&self, job: &JobDef) -> Result<Vec<u8>, String> {
        let mut encoder = Encoder::new(job.codec);
        encoder.push("result", self);
        let bytes = encoder.finish()?;
        if bytes.is_empty() {
            return Ok(bytes);
        }
        let sealed = seal(job.result_envelope::<T>(), &bytes);
        sealed.ok_or_else(|| "it is larger than 4 GiB".to_owned())
    }
}

/// The other way round, for whoever joins.
pub(crate) fn decode_result<T: DeserializeOwned>(
    job: &JobDef,
    stored: &[u8],
) -> Result<T, DecodeError> {
    let here = job.result_envelope::<T>();
    let (codec, bytes) = match stored {
        [] => (job.codec, stored),
        sealed => {
            let (there, bytes) = open(sealed)?;
            if there.signature != here.signature {
                return Err(DecodeError::new(format!(
                    "another build has stored it, whose result has signature {:08x}, and here it has {:08x}: \
                     its fields or variants differ",
                    there.signature, here.signature
                )));
            }
            (there.codec, bytes)
        }
    };
    let mut decoder = Decoder::new(codec, bytes)?;
    let value = decoder.take("result")?;
    decoder.finish()?;
    Ok(value)
}

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
    pub(crate) fn new(context: Context, job: &'static JobDef) -> Self {
        Self { context, job }
    }

    /// The arguments, if the envelope fits this build and no byte is left over.
    ///
    /// # Errors
    /// If they do not fit.
    pub fn decode<T>(
        &self,
        decode: fn(&mut Decoder<'_>) -> Result<T, DecodeError>,
    ) -> Result<T, StartError> {
        let (codec, arguments) = self.arguments()?;
        Ok(Decoder::all(codec, arguments, decode)?)
    }

    /// The bytes of the arguments, if the envelope fits. Apart from `decode`, which is compiled for each `T`.
    fn arguments(&self) -> Result<(Codec, &[u8]), StartError> {
        let (envelope, arguments) = open(&self.context.inner().run.payload)?;
        match self.job.fit(envelope) {
            Fit::Same => Ok((envelope.codec, arguments)),
            Fit::Older | Fit::Foreign => {
                let reason = self.job.mismatch(envelope.version, envelope.signature);
                Err(StartError::Decode(DecodeError::new(reason)))
            }
        }
    }

    /// As [`Call::decode`], for a job that can make today's arguments of an older version's.
    ///
    /// # Errors
    /// If they do not fit, or the upgrade fails.
    pub fn decode_or_upgrade<T>(
        &self,
        decode: fn(&mut Decoder<'_>) -> Result<T, DecodeError>,
        upgrade: fn(OldArgs<'_>) -> Result<T, JobError>,
    ) -> Result<T, StartError> {
        let (Envelope { version, codec, .. }, bytes) = open(&self.context.inner().run.payload)?;
        if version >= self.job.version {
            return self.decode(decode);
        }
        upgrade(OldArgs {
            version,
            codec,
            bytes,
        })
        .map_err(|error| {
            StartError::Decode(DecodeError::new(format!(
                "the upgrade from version {version} failed: {error}"
            )))
        })
    }

    /// A state of the worker.
    ///
    /// # Errors
    /// If the worker has none of this type.
    pub fn state<T: ?Sized + JobState>(&self) -> Result<Arc<T>, StartError> {
        let missing = StartError::State(std::any::type_name::<T>());
        self.context.state().ok_or(missing)
    }

    /// The attempt's context.
    #[must_use]
    pub fn context<C: JobContext>(&self) -> C {
        C::of(&self.context)
    }
}

/// The arguments of a run that an older version of the job has enqueued, for the function named by `upgrade`.
///
/// ```standalone_crate
/// use afterhours::{OldArgs, Result, job};
///
/// #[job(name = "welcome", version = 2, upgrade = with_locale)]
/// async fn welcome(user_id: u64, locale: &str) -> Result<String> {
///     Ok(format!("{user_id} in {locale}"))
/// }
///
/// fn with_locale(old: OldArgs<'_>) -> Result<(u64, String)> {
///     assert_eq!(old.version(), 1);
///     let (user_id,): (u32,) = old.decode()?; // as version 1 had them
///     Ok((user_id.into(), "en".to_owned()))
/// }
/// # mod yesterday {
/// #     #[afterhours::job(name = "welcome")] pub async fn welcome(user_id: u32) {}
/// # }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result {
/// # use afterhours::{Client, Worker};
/// # let client = Client::open_in_memory().await?;
/// # let worker = Worker::builder(client.clone()).jobs([welcome::JOB]).build()?.start().await?;
///
/// let id = client.enqueue(yesterday::welcome::prepare(42)).await?.id();
/// assert_eq!(welcome::handle(id).on(&client).join().await?, "42 in en");
/// # worker.stop().await
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct OldArgs<'a> {
    version: u32,
    codec: Codec,
    bytes: &'a [u8],
}

impl OldArgs<'_> {
    /// The job's version when the run was enqueued.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The arguments as that version had them: a tuple of owned values, such as `(u64, String)`.
    ///
    /// # Errors
    /// If the bytes are no `T`; the run is then parked.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        let unfit = |reason: String| {
            DecodeError::new(format!(
                "the arguments of version {} do not decode as `{}`: {reason}",
                self.version,
                std::any::type_name::<T>()
            ))
        };
        match self.codec {
            Codec::Json => {
                serde_json::from_slice(self.bytes).map_err(|error| unfit(error.to_string()))
            }
            Codec::Postcard => match take_from_bytes(self.bytes) {
                Ok((value, [])) => Ok(value),
                Ok((_, rest)) => Err(unfit(format!("{} bytes are left over", rest.len()))),
                Err(error) => Err(unfit(error.to_string())),
            },
        }
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
    type Value: JobValue;

    /// The value, or the error for the executor.
    ///
    /// # Errors
    /// If the job failed.
    fn into_result(self) -> Result<Self::Value, JobError>;

    /// The same for the executor.
    ///
    /// # Errors
    /// If the job failed.
    fn outcome(self) -> Outcome
    where
        Self: Sized,
    {
        Ok(Box::new(self.into_result()?))
    }
}

impl JobReturn for () {
    type Value = ();

    fn into_result(self) -> Result<(), JobError> {
        Ok(())
    }
}

impl<T: JobValue, E: JobFailure> JobReturn for Result<T, E> {
    type Value = T;

    fn into_result(self) -> Result<T, JobError> {
        self.map_err(Into::into)
    }
}
