//! Pieces of an expression that remember where they stand.

use std::{fmt, ops::Range};

use crate::text::quote;

/// A piece of the expression and its first byte there. Prints as a quote.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) text: &'a str,
    start: usize,
}

impl<'a> Token<'a> {
    /// The whole expression.
    pub(super) fn whole(text: &'a str) -> Self {
        Self { text, start: 0 }
    }

    /// The bytes it covers, if any.
    pub(super) fn span(self) -> Option<Range<usize>> {
        (!self.text.is_empty()).then(|| self.start..self.start + self.text.len())
    }

    /// What stands between blanks.
    pub(super) fn words(self) -> Vec<Self> {
        self.text
            .split_whitespace()
            .map(|word| self.part(word))
            .collect()
    }

    /// What stands between commas; an empty piece keeps its place.
    pub(super) fn list(self) -> impl Iterator<Item = Self> {
        self.text.split(',').map(move |item| self.part(item))
    }

    /// What stands before and after the first `mark`.
    pub(super) fn split_once(self, mark: char) -> Option<(Self, Self)> {
        let (before, after) = self.text.split_once(mark)?;
        Some((self.part(before), self.part(after)))
    }

    /// What is left without `letter` (in either case) at its end.
    pub(super) fn strip_letter(self, letter: char) -> Option<Self> {
        let letters = [letter.to_ascii_lowercase(), letter.to_ascii_uppercase()];
        self.text.strip_suffix(letters).map(|rest| self.part(rest))
    }

    /// From the start of this piece to the end of another that stands after it in `whole`.
    pub(super) fn through(self, last: Self, whole: Self) -> Self {
        let text =
            &whole.text[self.start - whole.start..last.start + last.text.len() - whole.start];
        Self {
            text,
            start: self.start,
        }
    }

    /// This piece, or `other` where this one is empty and has no place.
    pub(super) fn or(self, other: Self) -> Self {
        if self.text.is_empty() { other } else { self }
    }

    /// Whether it is `text`, in either case.
    pub(super) fn is(self, text: &str) -> bool {
        self.text.eq_ignore_ascii_case(text)
    }

    /// `text` must be a slice of this token's text.
    fn part(self, text: &'a str) -> Self {
        let offset = text.as_ptr().addr() - self.text.as_ptr().addr();
        Self {
            text,
            start: self.start + offset,
        }
    }
}

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quote(self.text))
    }
}
