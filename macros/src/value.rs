//! The tokens after an equals sign -> a value, or what is wrong with them.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use afterhours_schedule::{Every, parse_duration};
use proc_macro2::TokenStream;
use syn::parse::{Parse, Parser};
use syn::punctuated::Punctuated;
use syn::{Expr, ExprArray, LitFloat, LitInt, LitStr, Path};

use crate::args::{Backoff, Codec, Missed, Overlap};
use crate::errors::show;
use crate::nearest::nearest;

/// The tokens after an equals sign. Each reader says what is wrong in words that follow the option's name.
pub(crate) struct Value(pub(crate) TokenStream);

/// Why a value cannot be read.
pub(crate) struct Wrong {
    /// What to underline: the value, or one element of a list.
    pub(crate) part: TokenStream,
    /// Words that follow the option's name.
    pub(crate) problem: String,
}

type Read<T> = Result<T, Wrong>;

impl Value {
    fn parse<T: Parse>(&self) -> Option<T> {
        syn::parse2(self.0.clone()).ok()
    }

    fn wrong(&self, problem: impl Into<String>) -> Wrong {
        let (part, problem) = (self.0.clone(), problem.into());
        Wrong { part, problem }
    }

    /// `takes …, not …`
    fn takes(&self, what: impl Display) -> Wrong {
        self.wrong(format!("takes {what}, not `{}`", show(&self.0)))
    }

    pub(crate) fn text(&self) -> Read<LitStr> {
        self.parse().ok_or_else(|| self.takes("a text in quotes"))
    }

    pub(crate) fn name(&self) -> Read<LitStr> {
        let text = self.text()?;
        let value = text.value();
        match value.trim() {
            "" => Err(self.wrong("must not be empty")),
            trimmed if trimmed.len() < value.len() => {
                Err(self.wrong("must not begin or end with a space"))
            }
            _ => Ok(text),
        }
    }

    pub(crate) fn unique(&self) -> Read<LitStr> {
        let expected = "\"args\", for runs with the same arguments, or a key in quotes";
        if self.parse::<LitStr>().is_none() {
            return Err(self.takes(expected));
        }
        self.name()
    }

    pub(crate) fn priority(&self) -> Read<i32> {
        self.whole("-2147483648 to 2147483647")
    }

    pub(crate) fn retry(&self) -> Read<u32> {
        self.whole("0 to 4294967295")
    }

    pub(crate) fn concurrency(&self) -> Read<u32> {
        self.positive("leave it out for no limit")
    }

    pub(crate) fn worker(&self) -> Read<u32> {
        self.positive("the first worker is 1; leave it out to share the schedules evenly")
    }

    pub(crate) fn missed_limit(&self) -> Read<u32> {
        self.positive("for none of the missed ticks write `missed = \"skip\"`")
    }

    pub(crate) fn version(&self) -> Read<u32> {
        self.positive("the first version is 1")
    }

    fn positive(&self, remedy: &str) -> Read<u32> {
        match self.whole("1 to 4294967295")? {
            0 => Err(self.wrong(format!("must be above 0; {remedy}"))),
            number => Ok(number),
        }
    }

    fn whole<N>(&self, range: &str) -> Read<N>
    where
        N: FromStr<Err: Display>,
    {
        self.parse::<LitInt>()
            .filter(|number| number.suffix().is_empty())
            .and_then(|number| number.base10_parse().ok())
            .ok_or_else(|| self.takes(format_args!("a whole number from {range}")))
    }

    pub(crate) fn duration(&self) -> Read<Duration> {
        let text = self.duration_text()?;
        parse_duration(&text).map_err(|problem| self.wrong(format!("cannot be read: {problem}")))
    }

    fn duration_text(&self) -> Read<String> {
        if let Some(text) = self.parse::<LitStr>() {
            return Ok(text.value());
        }
        let advice = || self.takes("seconds or a text such as \"90s\" or \"1h30m\"");
        let number = self.parse::<LitInt>().ok_or_else(advice)?;
        match number.suffix() {
            "" if !number.base10_digits().starts_with('-') => Ok(number.base10_digits().to_owned()),
            "" => Err(advice()),
            _ => Err(self.wrong(format!("takes a unit only in quotes: \"{number}\""))),
        }
    }

    pub(crate) fn timeout(&self) -> Read<Duration> {
        self.above_zero("leave it out for 120 s (30 s for a job on a schedule)")
    }

    pub(crate) fn unique_for(&self) -> Read<Duration> {
        self.above_zero("leave it out to refuse twins while a run waits or runs")
    }

    pub(crate) fn missed_window(&self) -> Read<Duration> {
        self.above_zero("leave it out for missed ticks of any age")
    }

    fn above_zero(&self, remedy: &str) -> Read<Duration> {
        match self.duration()? {
            Duration::ZERO => Err(self.wrong(format!("must be above 0; {remedy}"))),
            duration => Ok(duration),
        }
    }

    pub(crate) fn every(&self) -> Read<Duration> {
        let every = Every::parse(&self.duration_text()?);
        every
            .map(|every| every.interval())
            .map_err(|problem| self.wrong(format!("cannot be used: {problem}")))
    }

    pub(crate) fn backoff(&self) -> Read<Backoff> {
        self.choice([
            ("fixed", Backoff::Fixed),
            ("linear", Backoff::Linear),
            ("exponential", Backoff::Exponential),
        ])
    }

    pub(crate) fn overlap(&self) -> Read<Overlap> {
        self.choice([("skip", Overlap::Skip), ("allow", Overlap::Allow)])
    }

    pub(crate) fn missed(&self) -> Read<Missed> {
        self.choice([
            ("skip", Missed::Skip),
            ("run_once", Missed::RunOnce),
            ("run_all", Missed::RunAll),
        ])
    }

    pub(crate) fn codec(&self) -> Read<Codec> {
        self.choice([("postcard", Codec::Postcard), ("json", Codec::Json)])
    }

    /// One of a few words in quotes.
    fn choice<T, const N: usize>(&self, choices: [(&str, T); N]) -> Read<T> {
        let words = choices.each_ref().map(|(word, _)| *word);
        let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
        let expected = match quoted.as_slice() {
            [front @ .., last] if !front.is_empty() => format!("{} or {last}", front.join(", ")),
            _ => quoted.concat(),
        };
        let text = self.text().map_err(|_| self.takes(&expected))?.value();
        let near = nearest(&text, words);
        let chosen = choices.into_iter().find(|(word, _)| *word == text);
        chosen.map(|(_, choice)| choice).ok_or_else(|| {
            self.wrong(match near {
                Some(near) => format!("takes {expected}; did you mean \"{near}\"?"),
                None => format!("takes {expected}, not \"{text}\""),
            })
        })
    }

    pub(crate) fn jitter(&self) -> Read<f64> {
        let whole = || {
            self.parse::<LitInt>()
                .and_then(|number| number.base10_parse().ok())
        };
        self.parse::<LitFloat>()
            .and_then(|number| number.base10_parse().ok())
            .or_else(whole)
            .filter(|jitter| (0.0..=1.0).contains(jitter))
            .ok_or_else(|| self.takes("a number from 0.0 to 1.0"))
    }

    pub(crate) fn krate(&self) -> Read<Path> {
        self.path("crate", "a path such as `::my_afterhours`")
    }

    pub(crate) fn upgrade(&self) -> Read<Path> {
        self.path(
            "upgrade",
            "the path of a function, as in `upgrade = from_version_1`",
        )
    }

    fn path(&self, key: &str, expected: &str) -> Read<Path> {
        if let Some(text) = self.parse::<LitStr>() {
            let path = text.value();
            return Err(self.wrong(format!("takes a path without quotes: `{key} = {path}`")));
        }
        Path::parse_mod_style
            .parse2(self.0.clone())
            .map_err(|_| self.takes(expected))
    }

    pub(crate) fn aliases(&self) -> Read<Vec<LitStr>> {
        self.list("a name in quotes or a list of names", Self::name, |name| {
            name.value()
        })
    }

    pub(crate) fn accepts(&self) -> Read<Vec<u32>> {
        self.list(
            "a signature in quotes, such as \"9f3c11aa\", or a list of them",
            Self::signature,
            |signature| format!("{signature:08x}"),
        )
    }

    fn signature(&self) -> Read<u32> {
        let text = self.text()?.value();
        let digits = text.len() == 8 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        u32::from_str_radix(&text, 16)
            .ok()
            .filter(|_| digits)
            .ok_or_else(|| {
                self.wrong(format!(
                    "takes signatures of 8 hex digits, as the message about a parked run shows them, not \"{text}\""
                ))
            })
    }

    /// One value or several in brackets; a mistake underlines the element that it is in.
    fn list<T>(
        &self,
        expected: &str,
        read: fn(&Self) -> Read<T>,
        word: fn(&T) -> String,
    ) -> Read<Vec<T>> {
        let elems = match self.parse::<Expr>() {
            Some(Expr::Array(ExprArray { elems, .. })) => elems,
            Some(Expr::Lit(elem)) => Punctuated::from_iter([Expr::Lit(elem)]),
            _ => return Err(self.takes(expected)),
        };
        let mut values = Vec::new();
        let mut words = Vec::new();
        for elem in &elems {
            let elem = Self(quote::ToTokens::to_token_stream(elem));
            if elem.parse::<LitStr>().is_none() {
                return Err(elem.takes(expected));
            }
            let value = read(&elem)?;
            let word = word(&value);
            if words.contains(&word) {
                return Err(elem.wrong(format!("lists \"{word}\" twice")));
            }
            words.push(word);
            values.push(value);
        }
        if values.is_empty() {
            return Err(self.wrong("lists nothing: leave it out"));
        }
        Ok(values)
    }
}
