//! Where generated code finds things: the runtime crate, its `__private` module, and names that a job may not take.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::Path;

/// The runtime crate as the user's crate sees it.
#[derive(Debug, Clone)]
pub(crate) struct Runtime(TokenStream);

impl Runtime {
    /// `::afterhours`, or what `crate = path` says.
    pub(crate) fn new(said: Option<&Path>) -> Self {
        Self(said.map_or_else(|| quote!(::afterhours), ToTokens::to_token_stream))
    }
}

/// Where a piece of source begins and ends. Generated tokens that begin and end there make rustc underline all of it,
/// and report a mistake that shows in several of them only once.
#[derive(Clone, Copy)]
pub(crate) struct Ends {
    first: Span,
    last: Span,
}

impl Ends {
    pub(crate) fn of(tokens: &impl ToTokens) -> Self {
        let mut spans = tokens
            .to_token_stream()
            .into_iter()
            .map(|token| token.span());
        let first = spans.next().unwrap_or_else(Span::call_site);
        Self {
            first,
            last: spans.last().unwrap_or(first),
        }
    }

    /// `front` at the beginning, `back` at the end, `middle` where it is.
    pub(crate) fn around(
        self,
        front: TokenStream,
        middle: TokenStream,
        back: TokenStream,
    ) -> TokenStream {
        let respanned = |tokens: TokenStream, span| {
            tokens.into_iter().map(move |mut token| {
                token.set_span(span);
                token
            })
        };
        respanned(front, self.first)
            .chain(middle)
            .chain(respanned(back, self.last))
            .collect()
    }
}

/// The type as if it stood at `span`: mistakes about it are underlined there.
pub(crate) fn located(ty: &impl ToTokens, span: Span) -> TokenStream {
    let located = |mut token: TokenTree| {
        token.set_span(token.span().located_at(span));
        token
    };
    ty.to_token_stream().into_iter().map(located).collect()
}

impl ToTokens for Runtime {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.0.to_tokens(tokens);
    }
}

/// A job is also a type of its name; one of these would hide the built-in type from the whole module.
pub(crate) const PRIMITIVES: [&str; 17] = [
    "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "str", "u8", "u16",
    "u32", "u64", "u128", "usize",
];
