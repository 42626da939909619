//! `Args` + `Item` -> [`Job`]: what is meant, and the rules that join two options. No tokens are made here.

use std::time::Duration;

use afterhours_schedule::{Cron, CronError, parse_timezone};
use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::visit_mut::{self, VisitMut};
use syn::{GenericArgument, LitStr, PathArguments, Type};

use crate::args::{Args, Backoff, Said, Slot};
use crate::argument::unwrapped;
use crate::errors::{Errors, delimiters};
use crate::item::Item;
use crate::paths::Runtime;

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
    pub(crate) signature: u32,
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
        }
        check_retry(args, errors);
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
        let message = "`timezone` belongs to `cron`: without it there is no clock time to read";
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
    let message = format!("`cron` cannot be used: {problem}\n  {expression}\n  {indent}{carets}");
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

/// A schedule calls the job with nothing in its hands.
fn check_scheduled(args: &Args, item: &Item, errors: &mut Errors) {
    for argument in item.arguments() {
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

/// A crc32 over the names and canonical types of the arguments, token by token: spacing, attributes, lifetimes and
/// the way an argument is borrowed do not count.
pub(crate) fn signature(item: &Item) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for argument in item.arguments() {
        hash(&mut hasher, 'n', &argument.label);
        let mut canonical = unwrapped(&argument.canonical).clone();
        Canonical.visit_type_mut(&mut canonical);
        hash_tokens(&mut hasher, canonical.to_token_stream());
    }
    hasher.finalize()
}

fn hash_tokens(hasher: &mut crc32fast::Hasher, tokens: TokenStream) {
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => hash(hasher, 'i', &ident.unraw().to_string()),
            TokenTree::Punct(punct) => hash(hasher, 'p', punct.as_char().encode_utf8(&mut [0; 4])),
            TokenTree::Literal(literal) => hash(hasher, 'l', &literal.to_string()),
            // The invisible group of a macro fragment is no token of the type.
            TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
                hash_tokens(hasher, group.stream());
            }
            TokenTree::Group(group) => {
                let (open, close) = delimiters(group.delimiter());
                hash(hasher, 'o', open);
                hash_tokens(hasher, group.stream());
                hash(hasher, 'c', close);
            }
        }
    }
}

/// One token: its kind, its text, and a byte that no text contains.
fn hash(hasher: &mut crc32fast::Hasher, kind: char, text: &str) {
    hasher.update(kind.encode_utf8(&mut [0; 4]).as_bytes());
    hasher.update(text.as_bytes());
    hasher.update(&[0]);
}

/// Removes what formatting and lifetimes add to a type: trailing commas, parentheses, invisible groups.
struct Canonical;

impl VisitMut for Canonical {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        *ty = unwrapped(ty).clone();
        if let Type::Tuple(tuple) = ty
            && tuple.elems.len() > 1
        {
            tuple.elems.pop_punct();
        }
        visit_mut::visit_type_mut(self, ty);
    }

    fn visit_path_arguments_mut(&mut self, arguments: &mut PathArguments) {
        if let PathArguments::AngleBracketed(list) = arguments {
            // A turbofish is the same type.
            list.colon2_token = None;
            let kept = std::mem::take(&mut list.args);
            let kept = kept
                .into_iter()
                .filter(|arg| !matches!(arg, GenericArgument::Lifetime(_)));
            list.args = kept.collect();
            if list.args.is_empty() {
                *arguments = PathArguments::None;
            }
        }
        visit_mut::visit_path_arguments_mut(self, arguments);
    }
}
