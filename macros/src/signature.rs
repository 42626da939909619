//! The signature of a job's arguments: a number that changes when stored arguments would not mean the same.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::visit_mut::{self, VisitMut};
use syn::{GenericArgument, PathArguments, Type};

use crate::argument::unwrapped;
use crate::errors::delimiters;
use crate::item::Item;

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
