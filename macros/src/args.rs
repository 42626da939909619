//! `every = 60, timeout = 120` -> [`Args`]: what was said, one slot per option, with the spans of key and value.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use afterhours_schedule::{Every, parse_duration};
use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{Parse, Parser};
use syn::{LitFloat, LitInt, LitStr, Path};

use crate::errors::{Errors, show};

/// Every option with an example of its use.
const OPTIONS: [(&str, &str); 12] = [
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
    ("crate", "crate = path::to::afterhours"),
];

/// What other queues call the same thing.
const SYNONYMS: [(&str, &str); 8] = [
    ("interval", "every"),
    ("schedule", "cron"),
    ("tz", "timezone"),
    ("retries", "retry"),
    ("max_retries", "retry"),
    ("attempts", "retry"),
    ("delay", "retry_delay"),
    ("lane", "queue"),
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
    pub(crate) krate: Slot<Path>,
}

/// One option: said or not, and how its value is read.
pub(crate) struct Slot<T> {
    said: Option<Said<T>>,
    read: fn(&Value) -> Result<T, String>,
    /// Set by the first use even if its value is wrong, so that the second is still "given twice".
    used: bool,
}

/// An option that was said, with what to underline.
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
            krate: Slot::new(Value::path),
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
            "crate" => self.krate.set(key, value, errors),
            other => errors.push(key, unknown(other)),
        }
    }
}

impl<T> Slot<T> {
    fn new(read: fn(&Value) -> Result<T, String>) -> Self {
        Self {
            said: None,
            read,
            used: false,
        }
    }

    /// Fills the slot, or reports why it cannot be filled.
    fn set(&mut self, key: &Ident, value: Value, errors: &mut Errors) {
        if std::mem::replace(&mut self.used, true) {
            errors.push(key, format_args!("`{key}` given twice"));
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
            Err(problem) => errors.push(&value.0, format_args!("`{key}` {problem}")),
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

/// The tokens after an equals sign. Each reader says what is wrong in words that follow the option's name.
struct Value(TokenStream);

impl Value {
    fn parse<T: Parse>(&self) -> Option<T> {
        syn::parse2(self.0.clone()).ok()
    }

    fn text(&self) -> Result<LitStr, String> {
        self.parse()
            .ok_or_else(|| format!("takes a text in quotes, not `{}`", show(&self.0)))
    }

    fn name(&self) -> Result<LitStr, String> {
        let text = self.text()?;
        let value = text.value();
        match value.trim() {
            "" => Err("must not be empty".to_owned()),
            trimmed if trimmed.len() < value.len() => {
                Err("must not begin or end with a space".to_owned())
            }
            _ => Ok(text),
        }
    }

    fn priority(&self) -> Result<i32, String> {
        self.whole("-2147483648 to 2147483647")
    }

    fn retry(&self) -> Result<u32, String> {
        self.whole("0 to 4294967295")
    }

    fn whole<N>(&self, range: &str) -> Result<N, String>
    where
        N: FromStr<Err: Display>,
    {
        self.parse::<LitInt>()
            .filter(|number| number.suffix().is_empty())
            .and_then(|number| number.base10_parse().ok())
            .ok_or_else(|| format!("takes a whole number from {range}, not `{}`", show(&self.0)))
    }

    fn duration(&self) -> Result<Duration, String> {
        let text = self.duration_text()?;
        parse_duration(&text).map_err(|problem| format!("cannot be read: {problem}"))
    }

    fn duration_text(&self) -> Result<String, String> {
        if let Some(text) = self.parse::<LitStr>() {
            return Ok(text.value());
        }
        let advice = || {
            format!(
                "takes seconds or a text such as \"90s\" or \"1h30m\", not `{}`",
                show(&self.0)
            )
        };
        let number = self.parse::<LitInt>().ok_or_else(advice)?;
        match number.suffix() {
            "" if !number.base10_digits().starts_with('-') => Ok(number.base10_digits().to_owned()),
            "" => Err(advice()),
            _ => Err(format!("takes a unit only in quotes: \"{number}\"")),
        }
    }

    fn timeout(&self) -> Result<Duration, String> {
        match self.duration()? {
            Duration::ZERO => Err(
                "must be above 0; leave it out for 120 s (30 s for a job on a schedule)".to_owned(),
            ),
            timeout => Ok(timeout),
        }
    }

    fn every(&self) -> Result<Duration, String> {
        let every = Every::parse(&self.duration_text()?);
        every
            .map(|every| every.interval())
            .map_err(|problem| format!("cannot be used: {problem}"))
    }

    fn backoff(&self) -> Result<Backoff, String> {
        let expected = || "takes \"fixed\", \"linear\" or \"exponential\"".to_owned();
        let text = self
            .text()
            .map_err(|_| format!("{}, not `{}`", expected(), show(&self.0)))?;
        match text.value().as_str() {
            "fixed" => Ok(Backoff::Fixed),
            "linear" => Ok(Backoff::Linear),
            "exponential" => Ok(Backoff::Exponential),
            other => Err(match nearest(other, ["fixed", "linear", "exponential"]) {
                Some(near) => format!("{}; did you mean \"{near}\"?", expected()),
                None => format!("{}, not \"{other}\"", expected()),
            }),
        }
    }

    fn jitter(&self) -> Result<f64, String> {
        let whole = || {
            self.parse::<LitInt>()
                .and_then(|number| number.base10_parse().ok())
        };
        self.parse::<LitFloat>()
            .and_then(|number| number.base10_parse().ok())
            .or_else(whole)
            .filter(|jitter| (0.0..=1.0).contains(jitter))
            .ok_or_else(|| format!("takes a number from 0.0 to 1.0, not `{}`", show(&self.0)))
    }

    fn path(&self) -> Result<Path, String> {
        if let Some(text) = self.parse::<LitStr>() {
            return Err(format!(
                "takes a path without quotes: `crate = {}`",
                text.value()
            ));
        }
        Path::parse_mod_style.parse2(self.0.clone()).map_err(|_| {
            format!(
                "takes a path such as `::my_afterhours`, not `{}`",
                show(&self.0)
            )
        })
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

/// The candidate that differs from `word` by the fewest edits, if that is few enough to be a slip.
fn nearest<const N: usize>(word: &str, candidates: [&'static str; N]) -> Option<&'static str> {
    let slip = 1 + word.chars().count() / 4;
    candidates
        .into_iter()
        .map(|candidate| (edits(word, candidate), candidate))
        .min()
        .filter(|(edits, _)| *edits <= slip)
        .map(|(_, candidate)| candidate)
}

/// Insertions, removals and replacements of one character that turn `from` into `to`.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

impl<T> ToTokens for Said<T> {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(self.tokens.clone());
    }
}
