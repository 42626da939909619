//! `every = 60, timeout = 120` -> [`Args`]: what was said, one slot per option, with the spans of key and value.

use std::time::Duration;

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{LitStr, Path};

use crate::errors::Errors;
use crate::nearest::nearest;
use crate::value::{Value, Wrong};

/// Every option with an example of its use.
const OPTIONS: [(&str, &str); 26] = [
    ("name", "name = \"mail.send\""),
    ("every", "every = 60"),
    ("cron", "cron = \"0 3 * * *\""),
    ("timezone", "timezone = \"Europe/Paris\""),
    ("timeout", "timeout = 30"),
    ("queue", "queue = \"mail\""),
    ("priority", "priority = 20"),
    ("retry", "retry = 5"),
    ("retry_delay", "retry_delay = 10"),
    ("backoff", "backoff = \"exponential\""),
    ("jitter", "jitter = 0.5"),
    ("worker", "worker = 2"),
    ("overlap", "overlap = \"allow\""),
    ("missed", "missed = \"run_once\""),
    ("missed_limit", "missed_limit = 10"),
    ("missed_window", "missed_window = \"1h\""),
    ("concurrency", "concurrency = 3"),
    ("unique", "unique = \"args\""),
    ("unique_for", "unique_for = \"1h\""),
    ("keep", "keep = \"1h\""),
    ("version", "version = 2"),
    ("upgrade", "upgrade = from_version_1"),
    ("alias", "alias = \"old::name\""),
    ("accepts", "accepts = \"9f3c11aa\""),
    ("codec", "codec = \"json\""),
    ("crate", "crate = path::to::afterhours"),
];

/// What other queues call the same thing.
const SYNONYMS: [(&str, &str); 18] = [
    ("interval", "every"),
    ("schedule", "cron"),
    ("tz", "timezone"),
    ("retries", "retry"),
    ("max_retries", "retry"),
    ("attempts", "retry"),
    ("delay", "retry_delay"),
    ("lane", "queue"),
    ("limit", "concurrency"),
    ("max_concurrency", "concurrency"),
    ("catch_up", "missed"),
    ("misfire", "missed"),
    ("dedupe", "unique"),
    ("unique_by", "unique"),
    ("unique_key", "unique"),
    ("retention", "keep"),
    ("encoding", "codec"),
    ("format", "codec"),
];

/// What was said in `#[job(…)]`.
pub(crate) struct Args {
    pub(crate) name: Slot<LitStr>,
    pub(crate) every: Slot<Duration>,
    pub(crate) cron: Slot<LitStr>,
    pub(crate) timezone: Slot<LitStr>,
    pub(crate) timeout: Slot<Duration>,
    pub(crate) queue: Slot<LitStr>,
    pub(crate) priority: Slot<i32>,
    pub(crate) retry: Slot<u32>,
    pub(crate) retry_delay: Slot<Duration>,
    pub(crate) backoff: Slot<Backoff>,
    pub(crate) jitter: Slot<f64>,
    pub(crate) worker: Slot<u32>,
    pub(crate) overlap: Slot<Overlap>,
    pub(crate) missed: Slot<Missed>,
    pub(crate) missed_limit: Slot<u32>,
    pub(crate) missed_window: Slot<Duration>,
    pub(crate) concurrency: Slot<u32>,
    pub(crate) unique: Slot<LitStr>,
    pub(crate) unique_for: Slot<Duration>,
    pub(crate) keep: Slot<Duration>,
    pub(crate) version: Slot<u32>,
    pub(crate) upgrade: Slot<Path>,
    pub(crate) aliases: Slot<Vec<LitStr>>,
    pub(crate) accepts: Slot<Vec<u32>>,
    pub(crate) codec: Slot<Codec>,
    pub(crate) krate: Slot<Path>,
}

/// One option: said or not, and how its value is read.
pub(crate) struct Slot<T> {
    said: Option<Said<T>>,
    read: fn(&Value) -> Result<T, Wrong>,
    /// Set by the first use even if its value is wrong, so that the second is still "given twice".
    used: bool,
}

/// An option that was said, with what to underline.
#[derive(Clone)]
pub(crate) struct Said<T> {
    pub(crate) key: Ident,
    pub(crate) value: T,
    pub(crate) tokens: TokenStream,
}

/// How the delay grows from one retry to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backoff {
    Fixed,
    Linear,
    Exponential,
}

/// What a tick does while the last run of its schedule is active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overlap {
    Skip,
    Allow,
}

/// What becomes of ticks that passed while no worker was up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missed {
    Skip,
    RunOnce,
    RunAll,
}

/// How arguments are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    Postcard,
    Json,
}

impl Args {
    /// Reads the attribute's tokens; a bad option is reported and skipped.
    pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut args = Self::unsaid();
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        for option in tokens.split_inclusive(|token| is_punct(token, ',')) {
            match option {
                [comma] if is_punct(comma, ',') => {
                    errors.push(comma, "expected an option before this comma");
                }
                [option @ .., comma] if is_punct(comma, ',') => args.option(option, errors),
                option => args.option(option, errors),
            }
        }
        args
    }

    /// Takes what was said for all jobs of an `impl` block.
    pub(crate) fn inherit(&mut self, block: &Self) {
        if !self.krate.used {
            self.krate.said.clone_from(&block.krate.said);
        }
    }

    fn unsaid() -> Self {
        Self {
            name: Slot::new(Value::name),
            every: Slot::new(Value::every),
            cron: Slot::new(Value::text),
            timezone: Slot::new(Value::text),
            timeout: Slot::new(Value::timeout),
            queue: Slot::new(Value::name),
            priority: Slot::new(Value::priority),
            retry: Slot::new(Value::retry),
            retry_delay: Slot::new(Value::duration),
            backoff: Slot::new(Value::backoff),
            jitter: Slot::new(Value::jitter),
            worker: Slot::new(Value::worker),
            overlap: Slot::new(Value::overlap),
            missed: Slot::new(Value::missed),
            missed_limit: Slot::new(Value::missed_limit),
            missed_window: Slot::new(Value::missed_window),
            concurrency: Slot::new(Value::concurrency),
            unique: Slot::new(Value::unique),
            unique_for: Slot::new(Value::unique_for),
            keep: Slot::new(Value::duration),
            version: Slot::new(Value::version),
            upgrade: Slot::new(Value::upgrade),
            aliases: Slot::new(Value::aliases),
            accepts: Slot::new(Value::accepts),
            codec: Slot::new(Value::codec),
            krate: Slot::new(Value::krate),
        }
    }

    /// One `key = value`, without its comma.
    fn option(&mut self, tokens: &[TokenTree], errors: &mut Errors) {
        let key = match tokens {
            [TokenTree::Ident(key), ..] => key,
            [other, ..] => return errors.push(other, "expected an option, such as `every = 60`"),
            [] => return,
        };
        let Some(example) = example(key) else {
            errors.push(key, unknown(&key.to_string()));
            return;
        };
        match tokens {
            [_, equals] if is_punct(equals, '=') => {
                errors.push(
                    equals,
                    format_args!("expected a value after this, as in `{example}`"),
                );
            }
            [_, equals, TokenTree::Literal(_), extra, ..] if is_punct(equals, '=') => {
                errors.push(extra, "expected a comma before this");
            }
            [_, equals, value @ ..] if is_punct(equals, '=') => {
                self.set(key, Value(value.iter().cloned().collect()), errors);
            }
            _ => errors.push(
                key,
                format_args!("`{key}` needs a value after an equals sign: `{example}`"),
            ),
        }
    }

    fn set(&mut self, key: &Ident, value: Value, errors: &mut Errors) {
        match key.to_string().as_str() {
            "name" => self.name.set(key, value, errors),
            "every" => self.every.set(key, value, errors),
            "cron" => self.cron.set(key, value, errors),
            "timezone" => self.timezone.set(key, value, errors),
            "timeout" => self.timeout.set(key, value, errors),
            "queue" => self.queue.set(key, value, errors),
            "priority" => self.priority.set(key, value, errors),
            "retry" => self.retry.set(key, value, errors),
            "retry_delay" => self.retry_delay.set(key, value, errors),
            "backoff" => self.backoff.set(key, value, errors),
            "jitter" => self.jitter.set(key, value, errors),
            "worker" => self.worker.set(key, value, errors),
            "overlap" => self.overlap.set(key, value, errors),
            "missed" => self.missed.set(key, value, errors),
            "missed_limit" => self.missed_limit.set(key, value, errors),
            "missed_window" => self.missed_window.set(key, value, errors),
            "concurrency" => self.concurrency.set(key, value, errors),
            "unique" => self.unique.set(key, value, errors),
            "unique_for" => self.unique_for.set(key, value, errors),
            "keep" => self.keep.set(key, value, errors),
            "version" => self.version.set(key, value, errors),
            "upgrade" => self.upgrade.set(key, value, errors),
            "alias" => self.aliases.set(key, value, errors),
            "accepts" => self.accepts.set(key, value, errors),
            "codec" => self.codec.set(key, value, errors),
            "crate" => self.krate.set(key, value, errors),
            other => errors.push(key, unknown(other)),
        }
    }
}

impl<T> Slot<T> {
    fn new(read: fn(&Value) -> Result<T, Wrong>) -> Self {
        Self {
            said: None,
            read,
            used: false,
        }
    }

    /// Fills the slot, or reports why it cannot be filled.
    fn set(&mut self, key: &Ident, value: Value, errors: &mut Errors) {
        if std::mem::replace(&mut self.used, true) {
            errors.push(key, format_args!("`{key}` given twice: keep one of them"));
            return;
        }
        match (self.read)(&value) {
            Ok(read) => {
                let (key, tokens) = (key.clone(), value.0);
                self.said = Some(Said {
                    key,
                    value: read,
                    tokens,
                });
            }
            Err(Wrong { part, problem }) => errors.push(part, format_args!("`{key}` {problem}")),
        }
    }

    /// What was said, with its spans.
    pub(crate) fn said(&self) -> Option<&Said<T>> {
        self.said.as_ref()
    }

    /// The value alone.
    pub(crate) fn value(&self) -> Option<&T> {
        self.said.as_ref().map(|said| &said.value)
    }

    /// True if the option stands in the attribute, even with a value that could not be read.
    pub(crate) fn used(&self) -> bool {
        self.used
    }
}

fn is_punct(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark)
}

fn example(key: &Ident) -> Option<&'static str> {
    OPTIONS
        .iter()
        .find(|(name, _)| key == name)
        .map(|(_, example)| *example)
}

fn unknown(key: &str) -> String {
    let names = OPTIONS.map(|(name, _)| name);
    let synonym = SYNONYMS
        .iter()
        .find(|(word, _)| *word == key)
        .map(|(_, name)| *name);
    let hint = synonym
        .or_else(|| nearest(key, names))
        .map(|near| format!(", did you mean `{near}`?"));
    let hint = hint.as_deref().unwrap_or(";");
    format!(
        "unknown option `{key}`{hint} the options are {}",
        names.join(", ")
    )
}

impl<T> ToTokens for Said<T> {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(self.tokens.clone());
    }
}
