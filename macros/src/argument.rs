//! One argument: its type -> what is stored, and how the function borrows from it.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::visit_mut::{self, VisitMut};
use syn::{
    GenericArgument, Lifetime, Pat, PatType, PathArguments, PathSegment, Receiver, Type,
    TypeReference, parse_quote_spanned,
};

use crate::errors::{Errors, show};
use crate::paths::located;

/// A parameter that is stored with the run.
pub(crate) struct Argument {
    /// The name in the helpers.
    pub(crate) ident: Ident,
    /// The name in the signature and in messages.
    pub(crate) label: String,
    /// The type as the function has it.
    pub(crate) ty: Type,
    /// The type that is stored.
    pub(crate) owned: Type,
    /// The stored type as it counts for the signature: `&str` reads `String`.
    pub(crate) canonical: Type,
    pub(crate) lend: Lend,
}

/// How the function gets a decoded value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lend {
    /// Given away.
    Owned,
    /// A `String`: given away, and the helpers take whatever converts into it.
    Text,
    /// `&value`.
    Ref,
    /// `&value`, where the helpers take `&self`.
    Receiver,
    /// `Option::as_ref`.
    OptionRef,
    /// `Option::as_deref`.
    OptionDeref,
}

impl Argument {
    pub(crate) fn new(param: &PatType, index: usize, errors: &mut Errors) -> Self {
        let ty = unwrapped(&param.ty);
        let (owned, canonical, lend) = stored(ty, errors);
        let (ident, label) = names(&param.pat, index);
        Self {
            ident,
            label,
            ty: ty.clone(),
            owned,
            canonical,
            lend,
        }
    }

    /// The `self` of a job in an `impl` block, as the type of that block.
    pub(crate) fn receiver(receiver: &Receiver, owner: &Type) -> Self {
        let span = receiver.self_token.span();
        let tokens = located(owner, span);
        // The same type as before, so it parses again.
        let owned = syn::parse2(tokens).unwrap_or_else(|_| owner.clone());
        Self {
            ident: Ident::new("__self", Span::call_site()),
            label: "self".to_owned(),
            ty: parse_quote_spanned!(span=> &#owned),
            canonical: owned.clone(),
            owned,
            lend: Lend::Receiver,
        }
    }

    /// The parameter as the helpers take it.
    pub(crate) fn helper_param(&self) -> TokenStream {
        let Self { ident, ty, .. } = self;
        match self.lend {
            Lend::Receiver => quote!(&self),
            Lend::Text => quote!(#ident: impl ::core::convert::Into<#ty>),
            _ => quote!(#ident: #ty),
        }
    }
}

/// `_x` and `mut x` are `x` to a caller; a pattern is `arg0`.
fn names(pat: &Pat, index: usize) -> (Ident, String) {
    let Pat::Ident(pat) = pat else {
        let ident = format_ident!("arg{index}");
        let label = ident.to_string();
        return (ident, label);
    };
    let label = pat.ident.unraw().to_string();
    let bare = label.trim_start_matches('_');
    match syn::parse_str::<Ident>(bare) {
        Ok(ident) => (Ident::new(bare, pat.ident.span()), ident.to_string()),
        // `r#type` stays raw, and `_type` keeps its underscore because the bare word is a keyword.
        Err(_) if bare.is_empty() => (format_ident!("arg{index}"), format!("arg{index}")),
        Err(_) => (pat.ident.clone(), bare.to_owned()),
    }
}

/// The owned type of an argument, its canonical form, and how the function borrows from it.
fn stored(ty: &Type, errors: &mut Errors) -> (Type, Type, Lend) {
    match ty {
        Type::Reference(reference) => {
            check_reference(reference, errors);
            let (owned, canonical, _) = owned(&reference.elem);
            check_owned(ty, &reference.elem, errors);
            (owned, canonical, Lend::Ref)
        }
        Type::Path(_) => match borrowed_option(ty) {
            Some(reference) => {
                check_reference(reference, errors);
                check_owned(ty, &reference.elem, errors);
                let (owned, canonical, is_unsized) = owned(&reference.elem);
                let lend = if is_unsized {
                    Lend::OptionDeref
                } else {
                    Lend::OptionRef
                };
                let option = |inner: &Type, path: TokenStream| parse_quote_spanned!(ty.span()=> #path<#inner>);
                let canonical = option(&canonical, quote!(Option));
                let path = quote_spanned!(ty.span()=> ::core::option::Option);
                (option(&owned, path), canonical, lend)
            }
            None => {
                check_owned(ty, ty, errors);
                let text = last_segment(ty)
                    .is_some_and(|last| last.ident == "String" && last.arguments.is_none());
                (
                    ty.clone(),
                    ty.clone(),
                    if text { Lend::Text } else { Lend::Owned },
                )
            }
        },
        Type::ImplTrait(_) => {
            let message = "a job cannot take `impl Trait`: a stored argument needs one known type, so name it";
            errors.push(ty, message);
            (ty.clone(), ty.clone(), Lend::Owned)
        }
        _ => {
            check_owned(ty, ty, errors);
            (ty.clone(), ty.clone(), Lend::Owned)
        }
    }
}

/// `str` -> `String`, `[T]` -> `Vec<T>`, `Path` -> `PathBuf`, `T` -> `T`; with the canonical form, and whether the
/// borrowed type is unsized.
fn owned(ty: &Type) -> (Type, Type, bool) {
    let ty = unwrapped(ty);
    let span = ty.span();
    if let Type::Slice(slice) = ty {
        let elem = &slice.elem;
        let owned = parse_quote_spanned!(span=> ::std::vec::Vec<#elem>);
        return (owned, parse_quote_spanned!(span=> Vec<#elem>), true);
    }
    let last = last_segment(ty).filter(|last| last.arguments.is_none());
    let (owned, canonical) = match last.map(|last| last.ident.to_string()).as_deref() {
        Some("str") => (quote_spanned!(span=> ::std::string::String), quote!(String)),
        Some("Path") => (quote_spanned!(span=> ::std::path::PathBuf), quote!(PathBuf)),
        Some("OsStr") => (
            quote_spanned!(span=> ::std::ffi::OsString),
            quote!(OsString),
        ),
        Some("CStr") => (quote_spanned!(span=> ::std::ffi::CString), quote!(CString)),
        _ => return (ty.clone(), ty.clone(), false),
    };
    (
        parse_quote_spanned!(span=> #owned),
        parse_quote_spanned!(span=> #canonical),
        true,
    )
}

fn check_reference(reference: &TypeReference, errors: &mut Errors) {
    let elem = show(&reference.elem);
    if reference.mutability.is_some() {
        let message =
            format!("a job cannot take `&mut {elem}`: nobody would see the change; take `&{elem}`");
        errors.push(reference, message);
    }
    if let Some(lifetime) = reference
        .lifetime
        .as_ref()
        .filter(|lifetime| is_static(lifetime))
    {
        let message = format!("a stored argument does not live for `'static`: take `&{elem}`");
        errors.push(lifetime, message);
    }
    if let Type::TraitObject(_) | Type::ImplTrait(_) = unwrapped(&reference.elem) {
        let message = format!(
            "`{elem}` cannot be stored: if the worker provides it, mark the parameter `#[state]`, \
             else take a known type"
        );
        errors.push(reference, message);
    }
}

/// Reports borrows inside `part` of the parameter's type, with the owned type to take instead.
fn check_owned(whole: &Type, part: &Type, errors: &mut Errors) {
    let borrows = Borrows::of(part);
    if borrows.shared {
        let mut advice = whole.clone();
        match &mut advice {
            Type::Reference(reference) => Borrows::default().visit_type_mut(&mut reference.elem),
            advice if borrowed_option(advice).is_some() => own_inside_option(advice),
            advice => Borrows::default().visit_type_mut(advice),
        }
        let message = format!(
            "`{}` cannot be stored: take `{}`",
            show(whole),
            show(&advice)
        );
        errors.push(whole, message);
    } else if borrows.named {
        let message = format!(
            "`{}` borrows, so it cannot be stored: take an owned type",
            show(whole)
        );
        errors.push(whole, message);
    } else if borrows.opaque {
        errors.push(
            whole,
            "a job cannot take `impl Trait`: a stored argument needs one known type, so name it",
        );
    }
}

/// `Option<&[&str]>` -> `Option<&[String]>`: the outer reference may stay.
fn own_inside_option(ty: &mut Type) {
    let Type::Path(path) = ty else { return };
    let Some(PathArguments::AngleBracketed(list)) = path
        .path
        .segments
        .last_mut()
        .map(|last| &mut last.arguments)
    else {
        return;
    };
    if let Some(GenericArgument::Type(Type::Reference(reference))) = list.args.first_mut() {
        Borrows::default().visit_type_mut(&mut reference.elem);
    }
}

/// Finds borrows in a type, and replaces references by what owns.
#[derive(Debug, Default)]
pub(crate) struct Borrows {
    /// A reference.
    pub(crate) shared: bool,
    /// A reference that is not `'static`.
    pub(crate) short: bool,
    /// A lifetime of something else, not `'static`.
    pub(crate) named: bool,
    /// `impl Trait`.
    pub(crate) opaque: bool,
}

impl Borrows {
    pub(crate) fn of(ty: &Type) -> Self {
        let mut borrows = Self::default();
        borrows.visit_type_mut(&mut ty.clone());
        borrows
    }
}

impl VisitMut for Borrows {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        match ty {
            Type::Reference(reference) => {
                self.shared = true;
                self.short |= !reference.lifetime.as_ref().is_some_and(is_static);
                *ty = owned_plainly(&reference.elem);
                // What it referred to may borrow again.
                self.visit_type_mut(ty);
                return;
            }
            Type::ImplTrait(_) => self.opaque = true,
            _ => {}
        }
        visit_mut::visit_type_mut(self, ty);
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        self.named |= !is_static(lifetime);
    }
}

fn is_static(lifetime: &Lifetime) -> bool {
    lifetime.ident == "static"
}

/// As [`owned`], in the words a user would write.
fn owned_plainly(ty: &Type) -> Type {
    let (_, canonical, _) = owned(ty);
    canonical
}

/// The reference in `Option<&T>`.
fn borrowed_option(ty: &Type) -> Option<&TypeReference> {
    let last = last_segment(ty).filter(|last| last.ident == "Option")?;
    let PathArguments::AngleBracketed(list) = &last.arguments else {
        return None;
    };
    match (list.args.first()?, list.args.len()) {
        (GenericArgument::Type(inner), 1) => match unwrapped(inner) {
            Type::Reference(reference) => Some(reference),
            _ => None,
        },
        _ => None,
    }
}

pub(crate) fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ty {
        Type::Path(ty) if ty.qself.is_none() => ty.path.segments.last(),
        _ => None,
    }
}

/// The type without parentheses and without the invisible groups of macro fragments.
pub(crate) fn unwrapped(mut ty: &Type) -> &Type {
    loop {
        ty = match ty {
            Type::Paren(inner) => &inner.elem,
            Type::Group(inner) => &inner.elem,
            _ => return ty,
        }
    }
}
