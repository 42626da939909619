//! The `#[job]` attribute of `afterhours`, which re-exports it as `afterhours::job`.

mod args;
mod argument;
mod errors;
mod expand;
mod fallback;
mod fields;
mod item;
mod jobs;
mod methods;
mod model;
mod nearest;
mod paths;
mod signature;
mod value;

#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;

use crate::args::Args;
use crate::errors::Errors;
use crate::item::{Function, Item};
use crate::model::Job;

/// Turns a function into a job.
///
/// The function stays what it is. Beside it comes a type of the same name whose functions enqueue the job:
///
/// ```
/// # use afterhours::{Client, Result, Worker, job};
/// # use std::time::{Duration, SystemTime};
/// # struct Mailer;
/// #[job(queue = "mail", timeout = 30, retry = 5)]
/// async fn send_email(#[state] mailer: &Mailer, user_id: u64, template: &str) -> Result<String> {
///     // ..
/// #   let _ = mailer;
///     Ok(format!("{template} to {user_id}"))
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result {
/// # let client = Client::open_in_memory().await?;
/// # client.install()?;
/// # let worker = Worker::builder(client).jobs([send_email::JOB]).state(Mailer).build()?.start().await?;
/// # let tomorrow = SystemTime::now() + Duration::from_secs(24 * 60 * 60);
///
/// let run = send_email::perform_async(42, "welcome").await?; // now
/// send_email::perform_in(Duration::from_secs(300), 42, "reminder").await?;
/// send_email::perform_at(tomorrow, 42, "report").await?;
/// assert_eq!(run.join().await?, "welcome to 42"); // the function's own result
/// send_email(&Mailer, 42, "direct").await?; // a plain call
/// # worker.stop().await
/// # }
/// ```
///
/// # What is generated
///
/// For a function `f`, an empty `enum f {}` of the same visibility with
///
/// | item | what it does |
/// |---|---|
/// | `perform_async(…)` | enqueues a run that is due now |
/// | `perform_in(delay, …)` | enqueues a run that is due after a delay |
/// | `perform_at(when, …)` | enqueues a run that is due at a moment |
/// | `prepare(…)` | encodes the arguments, so that options can be set before the run is enqueued |
/// | `handle(id)` | finds a run again by its id |
/// | `NAME`, `JOB` | the stored name; the job itself, for the builder of a worker |
///
/// `use jobs::f` imports the function and the type with one name. A function and a type may share a name, so the
/// only things that collide with a job `f` are another type or a module called `f`; keep jobs in a module of their own,
/// such as `mod jobs`. A job cannot be called like a built-in type (`fn u64`), which it would hide.
///
/// # Parameters
///
/// The helpers take what the function takes. Arguments are stored owned and lent to the function:
///
/// | the function has | stored as |
/// |---|---|
/// | `T` | `T`; for a `String`, the helpers take whatever converts into one |
/// | `&str`, `&Path`, `&[T]`, `&T` | `String`, `PathBuf`, `Vec<T>`, `T` |
/// | `Option<&str>`, `Option<&[T]>`, `Option<&T>` | `Option<String>`, `Option<Vec<T>>`, `Option<T>` |
///
/// These are not stored, and the helpers leave them out:
///
/// | the function has | what it gets |
/// |---|---|
/// | `ctx: &Context`, or a reference marked `#[context]` | the context of this attempt |
/// | `#[state] x: &T`, `#[state] x: &dyn Trait` | what the worker was built with |
///
/// The context is known by its name: a type of your own that is called `Context` cannot be an argument under that name.
/// Import it under another, as in `use request::Context as RequestContext`.
///
/// An argument's type is stored with serde and is `Send + 'static`. A borrow deeper inside a type, such as
/// `Vec<&str>`, cannot be stored; the message names the type to take instead. A function returns nothing or a `Result`.
///
/// # Options
///
/// A duration is a whole number of seconds or a text such as `"250ms"`, `"90s"`, `"5m"`, `"1h30m"`. All mistakes of an
/// attribute are reported in one build.
///
/// | option | meaning | default |
/// |---|---|---|
/// | `name = "mail.send"` | the stored name; keeps old runs valid after a rename | `module::path::f` |
/// | `every = "90s"` | runs by itself, one interval after the other | not scheduled |
/// | `cron = "0 3 * * *"` | runs by itself at set times: five fields as in Unix cron, six with seconds first, or `@daily` and friends | not scheduled |
/// | `timezone = "Europe/Paris"` | the clock that `cron` reads | UTC |
/// | `timeout = 30` | the longest attempt | 120 s; 30 s on a schedule |
/// | `queue = "mail"` | the lane | `"default"` |
/// | `priority = 20` | higher goes first | 10 |
/// | `retry = 3` | attempts after the first | 5; 0 on a schedule |
/// | `retry_delay = 10` | the delay before the first retry | 10 s |
/// | `backoff = "linear"` | how the delay grows: `"fixed"`, `"linear"` or `"exponential"` | exponential |
/// | `jitter = 0.5` | adds up to this part of a delay by chance, 0.0 to 1.0 | 0.5; 0 for fixed and linear |
/// | `worker = 2` | the worker that fires the schedule, as long as it lives | by the job's name |
/// | `overlap = "allow"` | what a tick does while the last run is active: `"skip"` or `"allow"` | skip |
/// | `missed = "run_once"` | ticks that passed while no worker was up: `"skip"`, `"run_once"` for the latest, `"run_all"` for each | skip |
/// | `missed_limit = 10` | with `"run_all"`: at most so many, the latest | 100 |
/// | `missed_window = "1h"` | with `"run_once"` or `"run_all"`: at most so old | no limit |
/// | `concurrency = 3` | at most so many running at once, over all workers | no limit |
/// | `unique = "args"` | refuses a twin while one waits or runs: `"args"` compares the arguments, any other text is a key for all runs | not unique |
/// | `unique_for = "1h"` | with `unique`: refuses twins for this long instead | while one waits or runs |
/// | `keep = "1h"` | how long a finished run stays; 0 deletes it at once | 1 hour; 7 days if it failed |
/// | `version = 2` | bumped when the arguments change | 1 |
/// | `upgrade = path` | makes today's arguments of an older version's, see below | older runs are parked |
/// | `alias = "old::name"` or `["a", "b"]` | names under which older runs are stored | none |
/// | `accepts = "9f3c11aa"` or a list | signatures of older runs that mean the same | none |
/// | `codec = "json"` | for argument types that need a format which describes itself | `"postcard"` |
/// | `crate = path` | where the runtime is, if it was renamed | `::afterhours` |
///
/// Jobs on a schedule:
///
/// ```
/// # use afterhours::{Client, Result, Worker, job};
/// #[job(every = "90s", overlap = "allow", missed = "run_once")]
/// async fn sync_products() {}
///
/// #[job(
///     cron = "0 3 * * *", timezone = "Europe/Paris", worker = 1,
///     missed = "run_all", missed_limit = 10, missed_window = "7d",
/// )]
/// async fn daily_report() {}
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result {
/// # let client = Client::open_in_memory().await?;
///
/// let jobs = [daily_report::JOB, sync_products::JOB];
/// let worker = Worker::builder(client.clone()).jobs(jobs).build()?.start().await?;
/// # while client.schedules().await?.len() < 2 {
/// #     tokio::time::sleep(std::time::Duration::from_millis(5)).await;
/// # }
/// let schedules = client.schedules().await?;
/// assert_eq!(schedules[0].rule, "0 3 * * * (Europe/Paris)");
/// assert_eq!(schedules[1].rule, "every 1m30s");
/// # worker.stop().await
/// # }
/// ```
///
/// How attempts go, and what follows a failed one:
///
/// ```
/// # use afterhours::{Client, Result, Worker, job};
/// #[job(
///     queue = "import", priority = 20, concurrency = 3, timeout = "2m", keep = "1d",
///     retry = 2, retry_delay = "10ms", backoff = "linear", jitter = 0.2,
/// )]
/// async fn import(path: &str) -> Result {
///     Err(format!("there is no {path}").into())
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result {
/// # let client = Client::open_in_memory().await?;
/// # let worker = Worker::builder(client.clone()).jobs([import::JOB]).build()?.start().await?;
///
/// let run = client.enqueue(import::prepare("a.csv")).await?;
/// let error = run.join().await.unwrap_err();
/// assert_eq!(error.failure().map(|failure| failure.attempts.len()), Some(3));
/// # worker.stop().await
/// # }
/// ```
///
/// No twins:
///
/// ```
/// # use afterhours::{Client, Result, job};
/// #[job(unique = "args", unique_for = "1h")]
/// async fn send_digest(user_id: u64) {}
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result {
/// # let client = Client::open_in_memory().await?;
/// # client.install()?;
///
/// let first = send_digest::perform_async(42).await?;
/// assert_eq!(send_digest::perform_async(42).await?.id(), first.id());
/// assert!(!send_digest::perform_async(43).await?.is_duplicate());
/// # Ok(()) }
/// ```
///
/// How a run is stored:
///
/// ```standalone_crate
/// # use afterhours::{Client, Result, job};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// #[serde(untagged)]
/// enum Recipient {
///     User(u64),
///     Address(String),
/// }
///
/// #[job(name = "mail.send", codec = "json", crate = ::afterhours)]
/// async fn send_email(to: Recipient) {}
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result {
/// # let client = Client::open_in_memory().await?;
///
/// let id = client.enqueue(send_email::prepare(Recipient::User(42))).await?.id();
/// assert_eq!(client.run(id).await?.ok_or("it waits")?.job, "mail.send");
/// # Ok(()) }
/// ```
///
/// # What the fields of `cron` mean
///
/// What they mean to cron(8), as cronie reads them: 0 and 7 are Sunday, names work. If day-of-month and day-of-week are
/// both restricted, **either** may match; but if one of the two begins with `*`, as in `0 0 1 * */2`, **both** must: the
/// first of the month, if it is also such a weekday. (Other implementations differ here.)
///
/// Where the clock changes, a job at a fixed time runs once: right after the gap, or the first time of two. One whose
/// minute or hour begins with `*` follows the clock through both. A change of more than three hours is a new calendar: a
/// whole day that is missing, as in Apia on 30 December 2011, is not made up for.
///
/// # When the arguments change
///
/// Stored runs carry a signature of the arguments' names and types. Runs that do not fit are parked, not lost. To run
/// them, raise `version` and say how older arguments become today's, as a tuple:
///
/// ```standalone_crate
/// # use afterhours::{Client, OldArgs, Result, Worker, job};
/// #[job(version = 2, upgrade = with_locale, alias = "shop::mail::welcome", accepts = "9f3c11aa")]
/// async fn welcome(user_id: u64, locale: &str) -> Result<String> {
///     Ok(format!("{user_id} in {locale}"))
/// }
///
/// fn with_locale(old: OldArgs<'_>) -> Result<(u64, String)> {
///     let (user_id,): (u64,) = old.decode()?;
///     Ok((user_id, "en".to_owned()))
/// }
/// # mod yesterday {
/// #     #[afterhours::job(name = "shop::mail::welcome")] pub async fn welcome(user_id: u64) {}
/// # }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result {
/// # let client = Client::open_in_memory().await?;
/// # let worker = Worker::builder(client.clone()).jobs([welcome::JOB]).build()?.start().await?;
/// # let id = client.enqueue(yesterday::welcome::prepare(42)).await?.id(); // an older build has stored it
///
/// assert_eq!(welcome::handle(id).on(&client).join().await?, "42 in en");
/// # worker.stop().await
/// # }
/// ```
///
/// If only a name changed, `accepts` takes the old signature as it is, which the run's error says; if the job moved,
/// `alias` takes its old name.
///
/// # Where it works
///
/// On free functions, `async` or not, of any visibility, also inside function bodies. The stored name of a job inside a
/// function body has the path of the module, so two of them that are called alike need a `name`. A `#[cfg]` on the
/// function holds for everything that is generated, and other attributes stay on the function.
///
/// In an `impl` block it works under [`jobs`](macro@jobs) only, because no type can stand in an `impl`.
///
/// Attributes such as `#[tracing::instrument]` may stand above or below it.
///
/// # Messages
///
/// All mistakes of an attribute and of a function show in one build, each where it is. With them the function still
/// becomes a type with its helpers, so that half-typed code does not break the code that enqueues it.
///
/// Some mistakes are out of the macro's sight, and rustc reports them in its own words:
///
/// | rustc says | it means |
/// |---|---|
/// | enum is not supported in `trait`s or `impl`s | a function without `self` in an `impl`: put `#[jobs]` on the block |
/// | the name `f` is defined multiple times | a type or a module is called like the job: rename one |
/// | future cannot be sent between threads safely | the function holds what it names across an `await`: drop it before, or use `Arc` for `Rc` |
/// | cannot find attribute `stat` in this scope | a parameter's mark is misspelt: `#[state]` or `#[context]` |
/// | mismatched types, at `upgrade = f` | `f` does not return today's arguments as a tuple |
/// | unresolved import, at `crate = path` | the runtime is not there |
#[proc_macro_attribute]
pub fn job(
    args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    expanded(args.into(), item.into()).into()
}

/// Turns functions of an `impl` block into jobs: those marked `#[job]`.
///
/// ```
/// # use afterhours::{Client, Result, Worker, jobs};
/// # use serde::{Deserialize, Serialize};
/// # struct Mailer;
/// #[derive(Serialize, Deserialize)]
/// struct Order {
///     id: u64,
/// }
///
/// #[jobs]
/// impl Order {
///     #[job(queue = "mail", retry = 3)]
///     async fn confirm(&self, #[state] mailer: &Mailer, note: &str) -> Result<String> {
///         // ..
/// #       let _ = mailer;
///         Ok(format!("{note} for {}", self.id))
///     }
///
///     #[job(every = "1h")]
///     async fn chase(#[state] mailer: &Mailer) -> Result {
///         // ..
/// #       let _ = mailer;
///         Ok(())
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result {
/// # let client = Client::open_in_memory().await?;
/// # client.install()?;
///
/// let jobs = [Order::CONFIRM_JOB, Order::CHASE_JOB];
/// let worker = Worker::builder(client).jobs(jobs).state(Mailer).build()?.start().await?;
///
/// let order = Order { id: 7 };
/// let run = order.confirm_job("thank you").enqueue().await?;
/// assert_eq!(Order::confirm_handle(run.id()).join().await?, "thank you for 7");
/// order.confirm(&Mailer, "thank you").await?; // a plain call
/// # worker.stop().await
/// # }
/// ```
///
/// `use afterhours::jobs` is enough: the marks in the block are read by `#[jobs]` itself.
///
/// # What is generated
///
/// The block stays what it is. For a function `confirm` marked `#[job]` the type gets, with the same visibility,
///
/// | item | what it does |
/// |---|---|
/// | `confirm_job(…)` | encodes the arguments, as `prepare` of a free job does; with `&self` it is a method |
/// | `confirm_handle(id)` | finds a run again by its id |
/// | `CONFIRM_JOB` | the job itself, for the builder of a worker; its `name()` is the stored name |
///
/// The stored name is `module::path::Order::confirm`, unless `name` says another.
///
/// # `self`
///
/// `&self` is the first argument: it is stored with the run, so the type is stored with serde and is `Send + 'static`.
/// The run works on that copy. `self` by value and `&mut self` are refused, because nobody would see a change.
///
/// # Options
///
/// Each `#[job(…)]` takes the options of [`job`](macro@job), where `Self` may stand in paths: `upgrade = Self::from_v1`.
/// `#[jobs]` itself takes `crate = path` for all jobs of the block.
///
/// # Where it works
///
/// On the `impl` of one type: no parameters, no trait.
#[proc_macro_attribute]
pub fn jobs(
    args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    jobs::expanded(args.into(), item.into()).into()
}

/// Parse, model, expand; or the mistakes and the fallback.
fn expanded(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let args = Args::parse(args, &mut errors);
    let function = match Function::read(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            errors.add(error);
            return errors.finish().into_iter().chain([item]).collect();
        }
    };
    let item = Item::new(function, &mut errors);
    let job = Job::new(&args, &item, &mut errors);
    match errors.finish() {
        None => expand::job(&job),
        Some(mistakes) => mistakes
            .into_iter()
            .chain(fallback::job(&item, &job.runtime))
            .collect(),
    }
}
