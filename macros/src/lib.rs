//! The `#[job]` attribute of `afterhours`, which re-exports it as `afterhours::job`.

mod args;
mod argument;
mod errors;
mod expand;
mod fallback;
mod item;
mod model;
mod paths;

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
/// ```text
/// #[job(queue = "mail", timeout = 30, retry = 5)]
/// async fn send_email(#[state] mailer: &Mailer, user_id: u64, template: &str) -> Result<Receipt> { … }
///
/// let run = send_email::perform_async(42, "welcome").await?;      // now
/// send_email::perform_in(Duration::from_secs(300), 42, "reminder").await?;
/// send_email::perform_at(tomorrow, 42, "report").await?;
/// let receipt = run.join().await?;                                // the function's own result
/// send_email(&mailer, 42, "direct").await?;                       // a plain call
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
/// | `crate = path` | where the runtime is, if it was renamed | `::afterhours` |
///
/// # Where it works
///
/// On free functions, `async` or not, of any visibility, also inside function bodies. The stored name of a job inside a
/// function body has the path of the module, so two of them that are called alike need a `name`. A `#[cfg]` on the
/// function holds for everything that is generated, and other attributes stay on the function.
///
/// On an associated function it does not work, because no type can stand in an `impl`. With `self` the message says so;
/// without, only rustc can speak: "enum is not supported in `trait`s or `impl`s".
#[proc_macro_attribute]
pub fn job(
    args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    expanded(args.into(), item.into()).into()
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
