//! What is enqueued, asserted: the macros, and what they say when it is not so.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use super::current;
use crate::codec::content;
use crate::perform::Prepared;
use crate::run::Status;
use crate::runs::Run;
use crate::schedule::Every;

/// Fails unless a run of this job waits in the [`Sandbox`](crate::testing::Sandbox) that the test is in: with these
/// arguments, if some are given. After them can stand `in = 300s` (or `in = "5m"`), how long it still waits, to
/// the millisecond, and `queue = "mail"`. The message lists what is enqueued instead.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
/// # use afterhours::{job, testing::Sandbox};
/// # use std::time::Duration;
/// # #[job(queue = "mail")] async fn send_email(user_id: u64, template: &str) {}
/// use afterhours::{assert_enqueued, refute_enqueued};
///
/// # let sandbox = Sandbox::open().await?;
/// send_email::perform_in(Duration::from_secs(300), 42, "welcome").await?;
///
/// assert_enqueued!(send_email(42, "welcome"), in = 300s);
/// assert_enqueued!(send_email, queue = "mail");
/// refute_enqueued!(send_email(43, "welcome"));
/// # Ok(()) }
/// ```
#[macro_export]
macro_rules! assert_enqueued {
    ($($job:ident)::+ ( $($argument:expr),* $(,)? ) $(, $key:ident = $value:tt)* $(,)?) => {
        $crate::testing::asserts::Wanted::run($($job)::+::prepare($($argument),*))
            $(.with(stringify!($key), stringify!($value)))*
            .assert_enqueued()
    };
    ($($job:ident)::+ $(, $key:ident = $value:tt)* $(,)?) => {
        $crate::testing::asserts::Wanted::job($($job)::+::JOB)
            $(.with(stringify!($key), stringify!($value)))*
            .assert_enqueued()
    };
}

/// Fails if such a run waits; see [`assert_enqueued!`](crate::assert_enqueued).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
/// # use afterhours::{job, refute_enqueued, testing::Sandbox};
/// # #[job] async fn send_email(user_id: u64) {}
/// let sandbox = Sandbox::open().await?;
/// send_email::perform_async(42).await?;
/// sandbox.drain().await?;
/// refute_enqueued!(send_email); // any more
/// # Ok(()) }
/// ```
#[macro_export]
macro_rules! refute_enqueued {
    ($($job:ident)::+ ( $($argument:expr),* $(,)? ) $(, $key:ident = $value:tt)* $(,)?) => {
        $crate::testing::asserts::Wanted::run($($job)::+::prepare($($argument),*))
            $(.with(stringify!($key), stringify!($value)))*
            .refute_enqueued()
    };
    ($($job:ident)::+ $(, $key:ident = $value:tt)* $(,)?) => {
        $crate::testing::asserts::Wanted::job($($job)::+::JOB)
            $(.with(stringify!($key), stringify!($value)))*
            .refute_enqueued()
    };
}

/// What the macros ask for.
#[derive(Debug)]
#[must_use]
pub struct Wanted {
    job: crate::job::Job,
    payload: Option<Vec<u8>>,
    after: Option<Duration>,
    queue: Option<String>,
}

impl Wanted {
    /// Any run of the job.
    pub fn job(job: crate::job::Job) -> Self {
        Self {
            job,
            payload: None,
            after: None,
            queue: None,
        }
    }

    /// One with these arguments.
    ///
    /// # Panics
    /// If the arguments cannot be stored.
    #[track_caller]
    pub fn run<T>(prepared: Prepared<T>) -> Self {
        let job = crate::job::Job(prepared.job());
        match prepared.into_payload() {
            Ok(payload) => Self {
                payload: Some(payload),
                ..Self::job(job)
            },
            Err(error) => panic!("{error}"),
        }
    }

    /// A further condition.
    ///
    /// # Panics
    /// If there is none of this name, or it cannot have this value.
    #[track_caller]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        let value = value.trim_matches('"');
        match key {
            "in" => {
                let after = Every::parse(value);
                let after = after.map(|every| every.interval());
                self.after = Some(after.unwrap_or_else(|error| panic!("`in = {value}`: {error}")));
            }
            "queue" => self.queue = Some(value.to_owned()),
            _ => panic!("`{key}` is no condition: there are `in` and `queue`"),
        }
        self
    }

    /// Fails unless such a run waits.
    ///
    /// # Panics
    /// If none does.
    #[track_caller]
    pub fn assert_enqueued(self) {
        let (now, runs) = look();
        if !runs.iter().any(|run| self.is(run, now)) {
            panic!("{} is not enqueued{}", self.show(), instead(&runs, now));
        }
    }

    /// Fails if such a run waits.
    ///
    /// # Panics
    /// If one does.
    #[track_caller]
    pub fn refute_enqueued(self) {
        let (now, runs) = look();
        if let Some(found) = runs.iter().find(|run| self.is(run, now)) {
            panic!(
                "{} is enqueued: run {}, {}",
                self.show(),
                found.0.id,
                show(&found.0, now)
            );
        }
    }

    fn is(&self, (run, payload): &(Run, Vec<u8>), now: SystemTime) -> bool {
        self.job.0.is_called(&run.job)
            && self
                .payload
                .as_ref()
                .is_none_or(|wanted| content(wanted) == content(payload))
            && self.after.is_none_or(|after| after == wait(run, now))
            && self.queue.as_ref().is_none_or(|queue| *queue == run.queue)
    }

    fn show(&self) -> String {
        let name = short(self.job.name());
        let mut shown = match &self.payload {
            Some(payload) => {
                let arguments = self.job.0.show(payload);
                format!("{name}({})", arguments.unwrap_or_else(|| "..".to_owned()))
            }
            None => name.to_owned(),
        };
        // Writing into a string cannot fail.
        if let Some(after) = self.after {
            let _ = write!(shown, " in {after:?}");
        }
        if let Some(queue) = &self.queue {
            let _ = write!(shown, " in queue `{queue}`");
        }
        shown
    }
}

#[track_caller]
fn look() -> (SystemTime, Vec<(Run, Vec<u8>)>) {
    let Some(client) = current::client() else {
        panic!(
            "no sandbox: open one before, with `let sandbox = Sandbox::open().await?`, and keep it"
        );
    };
    match current::waiting(&client) {
        Ok(runs) => (crate::clock::from_millis(client.now().wall), runs),
        Err(error) => panic!("{error}"),
    }
}

/// How long it still waits.
fn wait(run: &Run, now: SystemTime) -> Duration {
    match run.status {
        Status::Scheduled { due } => due.duration_since(now).unwrap_or_default(),
        _ => Duration::ZERO,
    }
}

/// What there is, a line for each run.
fn instead(runs: &[(Run, Vec<u8>)], now: SystemTime) -> String {
    const MOST: usize = 20;
    if runs.is_empty() {
        return ", and nothing else is".to_owned();
    }
    let mut lines = "; these are:".to_owned();
    for (run, _) in runs.iter().take(MOST) {
        let _ = write!(lines, "\n  {}", show(run, now));
    }
    if runs.len() > MOST {
        let _ = write!(lines, "\n  and {} more", runs.len() - MOST);
    }
    lines
}

fn show(run: &Run, now: SystemTime) -> String {
    let arguments = run.arguments.as_deref().unwrap_or("..");
    let mut shown = format!("{}({arguments})", short(&run.job));
    let wait = wait(run, now);
    if !wait.is_zero() {
        let _ = write!(shown, " in {wait:?}");
    }
    if run.queue != "default" {
        let _ = write!(shown, " in queue `{}`", run.queue);
    }
    shown
}

/// The function's name, of a job that has no other.
fn short(job: &str) -> &str {
    job.rsplit("::").next().unwrap_or(job)
}
