//! What `#[job]` says about a function, as constant data.

use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::call::{Attempt, Call, StartError};
use crate::codec::{Codec, DecodeError, Decoder, Envelope, Tracer, open};
use crate::retry::Backoff;
use crate::states::StateDef;

/// A job that a worker can be told to run: `.jobs([send_email::JOB])`.
///
/// ```
/// use afterhours::job;
///
/// #[job]
/// async fn send_email(user_id: u64) {}
///
/// assert_eq!(send_email::JOB.name(), send_email::NAME);
/// assert!(send_email::NAME.ends_with("::send_email"));
/// ```
#[derive(Clone, Copy)]
pub struct Job(pub(crate) &'static JobDef);

impl Job {
    /// The name under which the job's runs are stored.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.name
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Job").field(&self.0.name).finish()
    }
}

/// Starts one attempt: decodes the arguments, finds the states, and hands back what is to be executed.
pub(crate) type Start = fn(Call) -> Result<Attempt, StartError>;

/// The definition of a job; the attribute fills in what it was told and takes the rest from
/// [`JobDef::new`] or [`JobDef::scheduled`], which own the defaults.
pub struct JobDef {
    /// The stored name.
    pub name: &'static str,
    /// Where the function stands.
    pub file: &'static str,
    /// Where the function stands.
    pub line: u32,
    /// Starts one attempt.
    pub start: Start,
    /// The lane that its runs wait in.
    pub queue: &'static str,
    /// Higher goes first.
    pub priority: i32,
    /// The longest attempt.
    pub timeout: Option<Duration>,
    /// How many further attempts follow a failed one.
    pub retry: u32,
    /// The base of the delay between attempts.
    pub retry_delay: Duration,
    /// How that delay grows.
    pub backoff: Backoff,
    /// How much chance lengthens it; unset = the backoff's own.
    pub jitter: Option<f64>,
    /// When it runs by itself.
    pub schedule: Option<ScheduleDef>,
    /// How long a finished run stays; unset = 1 hour, and 7 days if it failed.
    pub keep: Option<Duration>,
    /// The states its function asks for.
    pub states: &'static [StateDef],
    /// How the arguments are stored.
    pub codec: Codec,
    /// Bumped by the author when the arguments change.
    pub version: u32,
    /// Whether its function can make today's arguments of an older version's.
    pub upgrades: bool,
    /// Names under which older runs of it are stored.
    pub aliases: &'static [&'static str],
    /// Signatures of older runs that mean the same.
    pub accepts: &'static [u32],
    /// Which of its runs are twins; unset = none.
    pub unique: Option<UniqueDef>,
    /// How long a run keeps twins out; unset = while it waits or runs.
    pub unique_for: Option<Duration>,
    /// At most so many running at a time, over all workers.
    pub concurrency: Option<u32>,
    /// What a tick does while the last run is active.
    pub overlap: Overlap,
    /// What becomes of ticks that passed while no worker was up.
    pub missed: Missed,
    /// At most so many of them.
    pub missed_limit: Option<u32>,
    /// At most so old.
    pub missed_window: Option<Duration>,
    /// The worker that fires its schedule first; unset = by the crc32 of its name.
    pub worker: Option<u32>,
    /// What its arguments look like.
    pub signature: SignatureDef,
    /// Reads its arguments, for whoever wants to see them.
    pub read: fn(&mut Decoder<'_>) -> Result<(), DecodeError>,
    /// That of its arguments, once it was computed.
    pub computed: Computed,
    /// That of its result.
    pub computed_result: Computed,
}

impl JobDef {
    /// A job that runs when it is enqueued, with the defaults for such jobs.
    #[must_use]
    pub const fn new(name: &'static str, file: &'static str, line: u32, start: Start) -> Self {
        Self {
            name,
            file,
            line,
            start,
            queue: "default",
            priority: 10,
            timeout: Some(Duration::from_secs(120)),
            retry: 5,
            retry_delay: Duration::from_secs(10),
            backoff: Backoff::Exponential,
            jitter: None,
            schedule: None,
            keep: None,
            states: &[],
            codec: Codec::Postcard,
            version: 1,
            upgrades: false,
            aliases: &[],
            accepts: &[],
            unique: None,
            unique_for: None,
            concurrency: None,
            overlap: Overlap::Skip,
            missed: Missed::Skip,
            missed_limit: None,
            missed_window: None,
            worker: None,
            signature: SignatureDef {
                tokens: 0,
                trace: |_| {},
            },
            read: |_| Ok(()),
            computed: Computed::new(),
            computed_result: Computed::new(),
        }
    }

    /// A job that runs by a schedule: shorter, and not retried, because the next tick comes.
    #[must_use]
    pub const fn scheduled(
        name: &'static str,
        file: &'static str,
        line: u32,
        start: Start,
    ) -> Self {
        let mut job = Self::new(name, file, line, start);
        job.timeout = Some(Duration::from_secs(30));
        job.retry = 0;
        job
    }

    /// What the envelopes of its runs say in this build.
    pub(crate) fn envelope(&self) -> Envelope {
        self.envelope_of(self.computed.get(|| {
            let mut tracer = Tracer::new(self.signature.tokens);
            (self.signature.trace)(&mut tracer);
            tracer.finish()
        }))
    }

    /// What the envelopes of its results say in this build; `T` is the type of its result.
    pub(crate) fn result_envelope<T: DeserializeOwned>(&self) -> Envelope {
        self.envelope_of(self.computed_result.get(|| {
            let mut tracer = Tracer::new(0);
            tracer.trace::<T>();
            tracer.finish()
        }))
    }

    fn envelope_of(&self, signature: u32) -> Envelope {
        Envelope {
            codec: self.codec,
            version: self.version,
            signature,
        }
    }

    /// Whether this build can execute a run with this envelope.
    pub(crate) fn fit(&self, found: Envelope) -> Fit {
        self.fit_of(found.version, found.signature)
    }

    /// As [`JobDef::fit`], for what the store knows without opening the envelope.
    pub(crate) fn fit_of(&self, version: u32, signature: u32) -> Fit {
        let is_same =
            || signature == self.envelope().signature || self.accepts.contains(&signature);
        if version == self.version && is_same() {
            Fit::Same
        } else if version < self.version && self.upgrades {
            Fit::Older
        } else {
            Fit::Foreign
        }
    }

    /// What does not fit, and what to write if it should.
    pub(crate) fn mismatch(&self, version: u32, signature: u32) -> String {
        let here = self.envelope();
        let mut reason = format!(
            "it was stored with version {version} and signature {signature:08x}, this build has version {} and signature {:08x}",
            here.version, here.signature
        );
        if version == here.version {
            // Writing into a string cannot fail.
            let _ = write!(
                reason,
                "; if only a name has changed, say `accepts = \"{signature:08x}\"`"
            );
        }
        reason
    }

    /// The arguments of a run as people read them, if they are this build's.
    pub(crate) fn show(&self, sealed: &[u8]) -> Option<String> {
        let (envelope, bytes) = open(sealed).ok()?;
        if self.fit(envelope) != Fit::Same {
            return None;
        }
        Decoder::show(envelope.codec, bytes, self.read).ok()
    }

    /// Whether runs of this name are its own.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }

    /// `file:line`, for messages.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }
}

impl fmt::Debug for JobDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobDef")
            .field("name", &self.name)
            .field("file", &self.file)
            .field("line", &self.line)
            .finish_non_exhaustive()
    }
}

/// How a stored run fits a job of this build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    /// Its arguments are today's.
    Same,
    /// Its arguments are those of an older version, and the job has an `upgrade` for them.
    Older,
    /// It is another build's.
    Foreign,
}

/// When a job runs by itself; checked by the macro with the parser that the worker uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScheduleDef {
    /// At this distance.
    Every(Duration),
    /// At the times that the expression names on the clock of the time zone.
    Cron {
        /// Five or six fields, or `@daily` and friends.
        expression: &'static str,
        /// An IANA name.
        timezone: &'static str,
    },
}

/// Which runs of a job are twins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UniqueDef {
    /// Those with the same arguments.
    Arguments,
    /// All of them, under this key.
    Key(&'static str),
}

/// What a tick does while the last run of its schedule is active. [`NewSchedule`](crate::NewSchedule) shows it in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// It counts as done.
    Skip,
    /// It enqueues another run.
    Allow,
}

/// What becomes of ticks that passed while no worker was up. [`NewSchedule`](crate::NewSchedule) shows it in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed {
    /// Nothing.
    Skip,
    /// One run, for the latest of them.
    RunOnce,
    /// A run for each.
    RunAll,
}

/// What a job's arguments look like: their names and types as written, and the inside of the user's types.
#[derive(Clone, Copy)]
pub struct SignatureDef {
    /// crc32 over the names and types, token by token.
    pub tokens: u32,
    /// Reports each argument's type.
    pub trace: fn(&mut Tracer),
}

impl fmt::Debug for SignatureDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignatureDef")
            .field("tokens", &self.tokens)
            .finish_non_exhaustive()
    }
}

/// A signature that is computed at its first use; tracing the types each time would cost more than the enqueue.
#[derive(Debug)]
pub struct Computed(AtomicU64);

impl Computed {
    const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    fn get(&self, compute: impl FnOnce() -> u32) -> u32 {
        const KNOWN: u64 = 1 << 32;
        let mut signature = self.0.load(Ordering::Relaxed);
        if signature & KNOWN == 0 {
            signature = KNOWN | u64::from(compute());
            self.0.store(signature, Ordering::Relaxed);
        }
        let [a, b, c, d, ..] = signature.to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }
}

/// A job that is linked into the program.
#[derive(Debug)]
pub struct Registered(pub &'static JobDef);

inventory::collect!(Registered);
