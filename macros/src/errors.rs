//! Mistakes: push many, finish once, so that one build shows them all.

use std::fmt::Display;

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use quote::ToTokens;

/// Collects every mistake of one expansion.
///
/// Forgetting to [`finish`](Errors::finish) would swallow mistakes, so dropping an unfinished collector panics.
#[derive(Debug, Default)]
pub(crate) struct Errors {
    found: Vec<syn::Error>,
    finished: bool,
}

impl Errors {
    /// Reports a mistake that underlines `tokens`.
    pub(crate) fn push(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.add(syn::Error::new_spanned(tokens, message));
    }

    /// Reports a mistake at `span`.
    pub(crate) fn push_at(&mut self, span: Span, message: impl Display) {
        self.add(syn::Error::new(span, message));
    }

    /// Reports a mistake found by the parser.
    pub(crate) fn add(&mut self, error: syn::Error) {
        self.found.push(error);
    }

    /// The mistakes as `compile_error!` calls, or nothing if there were none.
    pub(crate) fn finish(mut self) -> Option<TokenStream> {
        self.finished = true;
        let found = std::mem::take(&mut self.found);
        if found.is_empty() {
            return None;
        }
        Some(found.iter().map(syn::Error::to_compile_error).collect())
    }
}

impl Drop for Errors {
    fn drop(&mut self) {
        assert!(
            self.finished || std::thread::panicking(),
            "the collected mistakes were never reported"
        );
    }
}

/// Rust tokens as a person would type them: `Vec<&str>`, not `Vec < & str >`.
pub(crate) fn show(tokens: &impl ToTokens) -> String {
    let mut text = String::new();
    write_tokens(tokens.to_token_stream(), &mut text);
    text
}

fn write_tokens(tokens: TokenStream, text: &mut String) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = delimiters(group.delimiter());
                text.push_str(open);
                write_tokens(group.stream(), text);
                text.push_str(close);
            }
            TokenTree::Punct(punct) => match punct.as_char() {
                mark @ (',' | ';') => text.extend([mark, ' ']),
                mark @ ('+' | '=') => text.extend([' ', mark, ' ']),
                mark => text.push(mark),
            },
            word => {
                if text.ends_with(|last: char| last.is_alphanumeric() || last == '_') {
                    text.push(' ');
                }
                text.push_str(&word.to_string());
            }
        }
    }
}

/// How a group opens and closes; the invisible group of a macro fragment shows nothing.
pub(crate) fn delimiters(delimiter: Delimiter) -> (&'static str, &'static str) {
    match delimiter {
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::Brace => ("{", "}"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::None => ("", ""),
    }
}
