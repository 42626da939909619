//! `Args` + `Item` -> [`Job`]: what is meant, and the rules that join two options. No tokens are made here.

use std::time::Duration;

use afterhours_schedule::{Cron, CronError, parse_timezone};
use proc_macro2::Span;
use syn::{LitStr, Path};

use crate::args::{Args, Backoff, Codec, Missed, Overlap, Said, Slot};
use crate::argument::Lend;
use crate::errors::Errors;
use crate::item::Item;
use crate::paths::Runtime;
use crate::signature::signature;

/// A job as it will be registered. What was not said is left to the runtime's defaults.
pub(crate) struct Job<'a> {
    pub(crate) item: &'a Item,
    pub(crate) runtime: Runtime,
    pub(crate) name: Option<String>,
    pub(crate) schedule: Option<Schedule>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) queue: Option<String>,
    pub(crate) priority: Option<i32>,
    pub(crate) retry: Option<u32>,
    pub(crate) retry_delay: Option<Duration>,
    pub(crate) backoff: Option<Backoff>,
    pub(crate) jitter: Option<f64>,
    pub(crate) worker: Option<u32>,
    pub(crate) overlap: Option<Overlap>,
    pub(crate) missed: Option<Missed>,
    pub(crate) missed_limit: Option<u32>,
    pub(crate) missed_window: Option<Duration>,
    pub(crate) concurrency: Option<u32>,
    pub(crate) unique: Option<Unique>,
    pub(crate) unique_for: Option<Duration>,
    pub(crate) keep: Option<Duration>,
    pub(crate) version: Option<u32>,
    pub(crate) upgrade: Option<Path>,
    pub(crate) aliases: Vec<String>,
    pub(crate) accepts: Vec<u32>,
    pub(crate) codec: Option<Codec>,
    pub(crate) signature: u32,
}

/// Which runs of a job are twins.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unique {
    /// Those with the same arguments.
    Arguments,
    /// All of them, under this key.
    Key(String),
}

/// When a job runs by itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Schedule {
    Every(Duration),
    Cron {
        expression: String,
        timezone: String,
    },
}

impl<'a> Job<'a> {
    /// Joins what was said with the function; mistakes are reported, and the job is then not expanded.
    pub(crate) fn new(args: &Args, item: &'a Item, errors: &mut Errors) -> Self {
        let schedule = schedule(args, errors);
        if args.every.used() || args.cron.used() {
            check_scheduled(args, item, errors);
        } else {
            check_unscheduled(args, errors);
        }
        check_missed(args, errors);
        check_retry(args, errors);
        check_unique(args, errors);
        check_evolution(args, errors);
        Self {
            item,
            runtime: Runtime::new(args.krate.value()),
            name: args.name.value().map(LitStr::value),
            schedule,
            timeout: args.timeout.value().copied(),
            queue: args.queue.value().map(LitStr::value),
            priority: args.priority.value().copied(),
            retry: args.retry.value().copied(),
            retry_delay: args.retry_delay.value().copied(),
            backoff: args.backoff.value().copied(),
            jitter: args.jitter.value().copied(),
            worker: args.worker.value().copied(),
            overlap: args.overlap.value().copied(),
            missed: args.missed.value().copied(),
            missed_limit: args.missed_limit.value().copied(),
            missed_window: args.missed_window.value().copied(),
            concurrency: args.concurrency.value().copied(),
            unique: args.unique.value().map(unique),
            unique_for: args.unique_for.value().copied(),
            keep: args.keep.value().copied(),
            version: args.version.value().copied(),
            upgrade: args.upgrade.value().cloned(),
            aliases: aliases(args).map(LitStr::value).collect(),
            accepts: args.accepts.value().cloned().unwrap_or_default(),
            codec: args.codec.value().copied(),
            signature: signature(item),
        }
    }
}

fn schedule(args: &Args, errors: &mut Errors) -> Option<Schedule> {
    if let (Some(every), Some(cron)) = (args.every.said(), args.cron.said()) {
        errors.push(
            &cron.key,
            "`every` and `cron` together: a job has one schedule, keep one of them",
        );
        errors.push(&every.key, "the other schedule is here");
    }
    if let (Some(timezone), false) = (args.timezone.said(), args.cron.used()) {
        let message = if args.every.used() {
            "`timezone` belongs to `cron`; the ticks of `every` follow no clock: leave it out"
        } else {
            "`timezone` belongs to `cron`, which follows that clock: add `cron`, or leave it out"
        };
        errors.push(&timezone.key, message);
    }
    let cron = cron(args, errors);
    args.every.value().copied().map(Schedule::Every).or(cron)
}

/// Checks the expression with the parser that will run it.
fn cron(args: &Args, errors: &mut Errors) -> Option<Schedule> {
    let timezone = args
        .timezone
        .value()
        .map_or_else(|| "UTC".to_owned(), LitStr::value);
    let zone = match parse_timezone(&timezone) {
        Ok(zone) => zone,
        Err(problem) => {
            errors.push(
                args.timezone.said()?,
                format_args!("`timezone` cannot be used: {problem}"),
            );
            // The expression is still worth checking.
            parse_timezone("UTC").ok()?
        }
    };
    let said = args.cron.said()?;
    let expression = said.value.value();
    match Cron::parse(&expression, zone) {
        Ok(_) => Some(Schedule::Cron {
            expression,
            timezone: zone.name().to_owned(),
        }),
        Err(problem) => {
            report_cron(said, &problem, errors);
            None
        }
    }
}

/// Underlines the wrong field where the compiler can, and draws it in the message in any case.
fn report_cron(said: &Said<LitStr>, problem: &CronError, errors: &mut Errors) {
    let expression = said.value.value();
    let Some(range) = problem
        .span()
        .filter(|range| expression.get(range.clone()).is_some())
    else {
        errors.push(said, format_args!("`cron` cannot be used: {problem}"));
        return;
    };
    let before = expression[..range.start].chars().count();
    let marked = expression[range.clone()].chars().count().max(1);
    let (indent, carets) = (" ".repeat(before), "^".repeat(marked));
    // A tab would move the carets away from what they mark.
    let drawn = expression.replace(char::is_whitespace, " ");
    let message = format!("`cron` cannot be used: {problem}\n  {drawn}\n  {indent}{carets}");
    errors.push_at(inside(&said.value, &expression, range), message);
}

/// The span of a part of a text, if the compiler can tell and the text has no escapes.
fn inside(text: &LitStr, value: &str, range: std::ops::Range<usize>) -> Span {
    let literal = text.token();
    let plain = literal.to_string() == format!("\"{value}\"");
    let part = plain
        .then(|| literal.subspan(range.start + 1..range.end + 1))
        .flatten();
    part.unwrap_or_else(|| text.span())
}

fn unique(text: &LitStr) -> Unique {
    match text.value() {
        text if text == "args" => Unique::Arguments,
        key => Unique::Key(key),
    }
}

fn aliases(args: &Args) -> impl Iterator<Item = &LitStr> {
    args.aliases.value().into_iter().flatten()
}

/// A schedule calls the job with nothing in its hands.
fn check_scheduled(args: &Args, item: &Item, errors: &mut Errors) {
    for argument in item.arguments() {
        if argument.lend == Lend::Receiver {
            let message = "a job on a schedule takes no `self`, nobody is there to give it: \
                           leave `&self` out, and find what it needs by `#[state]`";
            errors.push(&argument.ty, message);
            continue;
        }
        let message = format!(
            "a job on a schedule takes no arguments, nobody is there to give `{}`: \
             use `#[state]`, or enqueue another job from it",
            argument.label
        );
        errors.push(&argument.ty, message);
    }
    if !args.retry.used() {
        needs_retry(args, "a job on a schedule is not retried", errors);
    }
}

/// Without a schedule there are no ticks to speak about.
fn check_unscheduled(args: &Args, errors: &mut Errors) {
    let ticks = [
        key(&args.missed),
        key(&args.missed_limit),
        key(&args.missed_window),
    ];
    for key in ticks.into_iter().flatten() {
        let message = format!(
            "`{key}` is about the ticks of a schedule, and this job has none: \
             add `every` or `cron`, or leave it out"
        );
        errors.push(key, message);
    }
    if let Some(key) = key(&args.overlap) {
        let message = "`overlap` is about the ticks of a schedule, and this job has none: add `every` or `cron`; \
                       to keep enqueued runs apart, say `concurrency = 1`";
        errors.push(key, message);
    }
    if let Some(key) = key(&args.worker) {
        let message = "`worker` pins a schedule, and this job has none: add `every` or `cron`; \
                       to run a job only on some workers, give it a `queue` of its own";
        errors.push(key, message);
    }
}

/// How many and how old only matters for ticks that are made up for.
fn check_missed(args: &Args, errors: &mut Errors) {
    let scheduled = args.every.used() || args.cron.used();
    if !scheduled || (args.missed.used() && args.missed.value().is_none()) {
        return;
    }
    let missed = args.missed.value().copied().unwrap_or(Missed::Skip);
    if let (Some(limit), true) = (key(&args.missed_limit), missed != Missed::RunAll) {
        let reason = match missed {
            Missed::RunOnce => "`missed = \"run_once\"` runs the latest missed tick only",
            _ => "missed ticks are skipped",
        };
        let message = format!("`missed_limit` has no effect: {reason}; say `missed = \"run_all\"`");
        errors.push(limit, message);
    }
    if let (Some(window), Missed::Skip) = (key(&args.missed_window), missed) {
        let message = "`missed_window` has no effect: missed ticks are skipped; \
                       say `missed = \"run_once\"` or `missed = \"run_all\"`";
        errors.push(window, message);
    }
}

fn check_unique(args: &Args, errors: &mut Errors) {
    if let (Some(key), false) = (key(&args.unique_for), args.unique.used()) {
        let message =
            "`unique_for` belongs to `unique`: say which runs are twins, as in `unique = \"args\"`";
        errors.push(key, message);
    }
}

fn check_evolution(args: &Args, errors: &mut Errors) {
    if let Some(upgrade) = key(&args.upgrade) {
        match args.version.said() {
            Some(version) if version.value < 2 => {
                let message = "`upgrade` turns the arguments of an older version into today's, and version 1 has \
                               no older one: say `version = 2`";
                errors.push(version, message);
            }
            None if !args.version.used() => {
                let message = "`upgrade` needs a version above 1, whose arguments it makes of older ones: add `version = 2`";
                errors.push(upgrade, message);
            }
            _ => {}
        }
    }
    let name = args.name.value().map(LitStr::value);
    for alias in aliases(args).filter(|alias| Some(alias.value()) == name) {
        errors.push(
            alias,
            "`alias` repeats the job's own name: give the names it had before",
        );
    }
}

fn check_retry(args: &Args, errors: &mut Errors) {
    if args.retry.value() == Some(&0) {
        needs_retry(args, "with `retry = 0` nothing is retried", errors);
    }
    let grows = matches!(
        args.backoff.value(),
        Some(Backoff::Linear | Backoff::Exponential)
    );
    if let Some(delay) = args
        .retry_delay
        .said()
        .filter(|delay| grows && delay.value.is_zero())
    {
        let message =
            "`backoff` cannot grow from `retry_delay = 0`: give a delay, or leave `backoff` out";
        errors.push(delay, message);
    }
}

fn needs_retry(args: &Args, reason: &str, errors: &mut Errors) {
    let said = [
        key(&args.retry_delay),
        key(&args.backoff),
        key(&args.jitter),
    ];
    for key in said.into_iter().flatten() {
        let message = format!("`{key}` has no effect: {reason}; say how often with `retry = 3`");
        errors.push(key, message);
    }
}

fn key<T>(slot: &Slot<T>) -> Option<&proc_macro2::Ident> {
    slot.said().map(|said| &said.key)
}
