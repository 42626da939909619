//! The function -> [`Item`]: its shape only, with arguments, state and context told apart.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::parse::{Parse, ParseStream};
use syn::{
    Attribute, FnArg, GenericParam, PatType, Receiver, ReceiverKind, ReturnType, Safety, Signature,
    Type, TypeReference, Visibility,
};

use crate::argument::{Argument, Borrows, last_segment, unwrapped};
use crate::errors::{Errors, show};
use crate::paths::PRIMITIVES;

/// A function whose body stays tokens, so that a half-typed body still expands.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    pub(crate) body: Group,
}

/// The function under `#[job]`, without the helper attributes of its parameters.
pub(crate) struct Item {
    pub(crate) function: Function,
    /// The type in whose `impl` block it stands.
    pub(crate) owner: Option<Type>,
    pub(crate) params: Vec<Param>,
    /// False when the return type cannot stand in a helper.
    pub(crate) returns: bool,
}

/// One parameter of the function, in its place.
pub(crate) enum Param {
    /// `ctx: &Context`; the type is kept for its span.
    Context(Type),
    /// `#[state] x: &T`, as the `T`.
    State(Type),
    /// Stored with the run.
    Argument(Box<Argument>),
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        Self::after(attrs, input)
    }
}

impl Function {
    /// The function that follows these attributes.
    pub(crate) fn after(attrs: Vec<Attribute>, input: ParseStream<'_>) -> syn::Result<Self> {
        let vis = input.parse()?;
        let sig = input.parse()?;
        let body = match input.parse()? {
            TokenTree::Group(body) if body.delimiter() == Delimiter::Brace => body,
            token => {
                return Err(syn::Error::new_spanned(
                    token,
                    "a job needs a body in braces",
                ));
            }
        };
        Ok(Self {
            attrs,
            vis,
            sig,
            body,
        })
    }

    /// Parses the function, or says what `#[job]` stands on instead.
    pub(crate) fn read(tokens: TokenStream) -> syn::Result<Self> {
        let is_fn = |token: &TokenTree| matches!(token, TokenTree::Ident(word) if word == "fn");
        if tokens.clone().into_iter().any(|token| is_fn(&token)) {
            return syn::parse2(tokens);
        }
        let message = "`#[job]` goes on a function: `#[job] async fn name() -> Result { … }`";
        Err(syn::Error::new_spanned(tokens, message))
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self {
            attrs,
            vis,
            sig,
            body,
        } = self;
        tokens.extend(quote!(#(#attrs)* #vis #sig #body));
    }
}

impl Item {
    /// Sorts the parameters and reports what a job cannot have.
    pub(crate) fn new(function: Function, errors: &mut Errors) -> Self {
        check_name(&function.sig.ident, errors);
        Self::read(function, None, errors)
    }

    /// As [`Item::new`], for a function of an `impl` block.
    pub(crate) fn method(function: Function, owner: Type, errors: &mut Errors) -> Self {
        Self::read(function, Some(owner), errors)
    }

    fn read(mut function: Function, owner: Option<Type>, errors: &mut Errors) -> Self {
        check_qualifiers(&function.sig, errors);
        let returns = check_return(&function.sig, errors);
        let mut params = Vec::new();
        for input in &mut function.sig.inputs {
            match input {
                FnArg::Receiver(receiver) => match &owner {
                    Some(owner) => params.push(Param::receiver(receiver, owner, errors)),
                    None => errors.push(receiver, NO_SELF),
                },
                FnArg::Typed(param) => params.push(Param::new(param, stored(&params), errors)),
            }
        }
        check_one_context(&params, errors);
        make_unique(&mut params);
        Self {
            function,
            owner,
            params,
            returns,
        }
    }

    pub(crate) fn name(&self) -> &Ident {
        &self.function.sig.ident
    }

    pub(crate) fn is_async(&self) -> bool {
        self.function.sig.asyncness.is_some()
    }

    /// False for a method, beside which no type can stand, and for a job that would hide a built-in type.
    pub(crate) fn has_type(&self) -> bool {
        self.function.sig.receiver().is_none() && !is_primitive(self.name())
    }

    pub(crate) fn arguments(&self) -> impl Iterator<Item = &Argument> {
        self.params.iter().filter_map(|param| match param {
            Param::Argument(argument) => Some(&**argument),
            _ => None,
        })
    }

    pub(crate) fn states(&self) -> impl Iterator<Item = &Type> {
        self.params.iter().filter_map(|param| match param {
            Param::State(state) => Some(state),
            _ => None,
        })
    }

    /// The return type; nothing counts as `()`.
    pub(crate) fn output(&self) -> TokenStream {
        match &self.function.sig.output {
            ReturnType::Default => quote!(()),
            ReturnType::Type(_, ty) => ty.to_token_stream(),
        }
    }

    /// What the type of the job's name shares with the function.
    pub(crate) fn shared_attrs(&self) -> impl Iterator<Item = &Attribute> {
        let hidden = |attr: &Attribute| {
            let list = attr.meta.require_list();
            attr.path().is_ident("doc")
                && list.is_ok_and(|list| list.tokens.to_string() == "hidden")
        };
        let shared = move |attr: &&Attribute| attr.path().is_ident("deprecated") || hidden(attr);
        self.function.attrs.iter().filter(shared)
    }

    /// The `cfg`s below `#[job]`, which every generated item repeats. Of a `cfg_attr` only its `cfg`s count.
    pub(crate) fn cfgs(&self) -> impl Iterator<Item = TokenStream> {
        self.function.attrs.iter().filter_map(|attr| match attr {
            attr if attr.path().is_ident("cfg") => Some(attr.to_token_stream()),
            attr if attr.path().is_ident("cfg_attr") => conditional_cfgs(attr),
            _ => None,
        })
    }
}

const NO_SELF: &str = "a job cannot take `self` here: put `#[jobs]` on the `impl` block, or make it a free function \
                       and pass what it needs as arguments or as `#[state]`";

fn check_qualifiers(sig: &Signature, errors: &mut Errors) {
    if let Some(token) = &sig.constness {
        errors.push(
            token,
            "a job cannot be a `const fn`: it runs in a worker; leave `const` out",
        );
    }
    if let Safety::Unsafe(token) = &sig.safety {
        errors.push(
            token,
            "a job cannot be an `unsafe fn`: a worker calls it; put the `unsafe` block inside",
        );
    }
    if let Some(abi) = &sig.abi {
        errors.push(
            abi,
            "a job cannot be an `extern fn`: a worker calls it as Rust; leave `extern` out",
        );
    }
    let generics = &sig.generics;
    if generics
        .params
        .iter()
        .any(|param| !matches!(param, GenericParam::Lifetime(_)))
    {
        let message = "a job cannot be generic: its stored arguments need one known type each; \
                       write a job per type that calls a generic function";
        errors.push(generics, message);
    } else if !generics.params.is_empty() {
        let message = "a job needs no lifetimes: what it borrows lives as long as the attempt; leave them out, as in `&str`";
        errors.push(generics, message);
    }
}

fn check_name(name: &Ident, errors: &mut Errors) {
    if is_primitive(name) {
        let message = format!(
            "a job is also a type of its name, and `{name}` would hide the built-in type: \
                     give it another name"
        );
        errors.push(name, message);
    }
}

fn is_primitive(name: &Ident) -> bool {
    PRIMITIVES.iter().any(|primitive| name == primitive)
}

/// Whether the helpers can name the return type.
fn check_return(sig: &Signature, errors: &mut Errors) -> bool {
    let ReturnType::Type(_, ty) = &sig.output else {
        return true;
    };
    let borrows = Borrows::of(ty);
    if let Type::ImplTrait(_) = unwrapped(ty) {
        let message = "a job returns nothing or a `Result`; to return a future, write `async fn`";
        errors.push(ty, message);
    } else if borrows.opaque {
        errors.push(
            ty,
            "a job's result is stored, so it needs one known type instead of `impl Trait`",
        );
    } else if borrows.short || borrows.named {
        errors.push(
            ty,
            "a job's result is stored, so it cannot borrow: return an owned type",
        );
    } else {
        return sig.generics.params.is_empty();
    }
    false
}

fn check_one_context(params: &[Param], errors: &mut Errors) {
    let contexts = params.iter().filter_map(|param| match param {
        Param::Context(ty) => Some(ty),
        _ => None,
    });
    for second in contexts.skip(1) {
        errors.push(
            second,
            "a job takes its context once: remove this parameter",
        );
    }
}

/// The `cfg`s inside `#[cfg_attr(predicate, …)]`, still under its predicate.
fn conditional_cfgs(attr: &Attribute) -> Option<TokenStream> {
    let list = attr.meta.require_list().ok()?;
    let parse = |input: ParseStream<'_>| {
        let metas =
            syn::punctuated::Punctuated::<syn::Meta, syn::Token![,]>::parse_terminated(input)?;
        let mut metas = metas.into_iter();
        let predicate = metas.next();
        let cfgs: Vec<_> = metas.filter(|meta| meta.path().is_ident("cfg")).collect();
        Ok((predicate, cfgs))
    };
    let (predicate, cfgs) = list.parse_args_with(parse).ok()?;
    (!cfgs.is_empty()).then(|| quote!(#[cfg_attr(#predicate, #(#cfgs),*)]))
}

impl Param {
    /// Takes the helper attributes off the parameter and says what it is.
    fn new(param: &mut PatType, index: usize, errors: &mut Errors) -> Self {
        let context = take_marker(param, "context", errors);
        let state = take_marker(param, "state", errors);
        if let Some(cfg) = param.attrs.iter().find(|attr| attr.path().is_ident("cfg")) {
            errors.push(
                cfg,
                "a job's parameters cannot depend on `cfg`: put it on two versions of the job",
            );
        }
        let ty = unwrapped(&param.ty);
        match (state, context) {
            (Some(_), Some(context)) => {
                errors.push(
                    context,
                    "a parameter is either `#[state]` or `#[context]`: keep one of them",
                );
                Self::Context(ty.clone())
            }
            (Some(_), None) => Self::state(ty, errors),
            (None, Some(_)) => Self::context(ty, errors),
            (None, None) if is_context(ty) => Self::context(ty, errors),
            (None, None) => Self::Argument(Box::new(Argument::new(param, index, errors))),
        }
    }

    /// The `self` of a job in an `impl` block, which is stored like an argument.
    fn receiver(receiver: &Receiver, owner: &Type, errors: &mut Errors) -> Self {
        let by_reference = match &receiver.kind {
            ReceiverKind::Reference(_, _, mutability) => mutability.is_none(),
            ReceiverKind::Typed(_, ty) => match unwrapped(ty) {
                Type::Reference(ty) => ty.mutability.is_none() && show(&ty.elem) == show(owner),
                _ => false,
            },
            _ => false,
        };
        if !by_reference {
            let shown = match &receiver.kind {
                ReceiverKind::Typed(_, ty) => format!("self: {}", show(ty)),
                _ => show(receiver),
            };
            let message = format!(
                "a job takes `self` by shared reference, because its run works on a stored copy: `&self`, not `{shown}`"
            );
            errors.push(receiver, message);
        }
        Self::Argument(Box::new(Argument::receiver(receiver, owner)))
    }

    fn context(ty: &Type, errors: &mut Errors) -> Self {
        if !matches!(ty, Type::Reference(ty) if ty.mutability.is_none()) {
            let message = format!(
                "a job takes its context by shared reference: `&{}`; if this is another type that is called `Context`, \
                 give it another name here, as in `use path::Context as OtherContext`",
                show(context_of(ty))
            );
            errors.push(ty, message);
        }
        Self::Context(ty.clone())
    }

    fn state(ty: &Type, errors: &mut Errors) -> Self {
        match ty {
            Type::Reference(TypeReference {
                mutability: None,
                elem,
                ..
            }) => {
                let elem = unwrapped(elem);
                if Borrows::of(elem).opaque {
                    errors.push(
                        elem,
                        "the worker finds state by its type, so it needs a known one: `&dyn Trait`",
                    );
                }
                Self::State(elem.clone())
            }
            Type::Reference(_) => {
                let message =
                    "state is shared by all attempts: take `&T`, and put what changes in a `Mutex`";
                errors.push(ty, message);
                Self::State(ty.clone())
            }
            _ => {
                let message = format!(
                    "state is shared by all attempts: take it by reference, `&{}`",
                    show(ty)
                );
                errors.push(ty, message);
                Self::State(ty.clone())
            }
        }
    }
}

/// How many of the parameters are stored: context and state must not change the name of a pattern after them.
fn stored(params: &[Param]) -> usize {
    let is_stored = |param: &&Param| matches!(param, Param::Argument(_));
    params.iter().filter(is_stored).count()
}

/// Removes `#[state]` or `#[context]` from a parameter and returns it.
fn take_marker(param: &mut PatType, name: &str, errors: &mut Errors) -> Option<Attribute> {
    let at = param
        .attrs
        .iter()
        .position(|attr| attr.path().is_ident(name))?;
    let marker = param.attrs.remove(at);
    if marker.meta.require_path_only().is_err() {
        errors.push(
            &marker,
            format_args!("`#[{name}]` takes nothing more: leave the rest out"),
        );
    }
    Some(marker)
}

/// The `C` in `&C`.
pub(crate) fn context_of(ty: &Type) -> &Type {
    match ty {
        Type::Reference(reference) => unwrapped(&reference.elem),
        ty => ty,
    }
}

/// `&Context` under any path; also by value or `&mut`, so that the mistake gets its own words.
fn is_context(ty: &Type) -> bool {
    last_segment(context_of(ty))
        .is_some_and(|last| last.ident == "Context" && last.arguments.is_none())
}

/// `x` and `_x` side by side are two names in the function but one to the helpers: the later gets underscores.
fn make_unique(params: &mut [Param]) {
    let mut taken = std::collections::BTreeSet::new();
    for param in params {
        let Param::Argument(argument) = param else {
            continue;
        };
        while !taken.insert(argument.ident.to_string()) {
            argument.ident = format_ident!("{}_", argument.ident);
            argument.label.push('_');
        }
    }
}
