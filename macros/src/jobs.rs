//! `#[jobs] impl Order { #[job] … }` -> the block without its marks, and beside it what each of its jobs needs.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::{Attribute, FnArg, Generics, ImplItem, Meta, Signature, Token, Type, Visibility};

use crate::args::Args;
use crate::argument::Borrows;
use crate::errors::{Errors, show};
use crate::expand;
use crate::fallback;
use crate::item::{Function, Item};
use crate::model::Job;
use crate::paths::located;

/// What stands before the braces.
struct Header {
    attrs: Vec<Attribute>,
    generics: Generics,
    ty: Type,
    /// The trait of `impl Trait for Type`.
    implemented: Option<Type>,
}

/// One thing in the braces.
enum Member {
    Function(Box<Function>),
    /// With its attributes in front.
    Other(Vec<Attribute>, Box<ImplItem>),
}

const GOES_ON: &str = "`#[jobs]` goes on an `impl` block: `#[jobs] impl Order { … }`";

/// Parse, model, expand each job of the block; a job with mistakes falls back alone.
pub(crate) fn expanded(args: TokenStream, block: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let shared = shared(args, &mut errors);
    let read = read(block.clone());
    let expanded = match read {
        Ok((front, header, members)) => {
            let usable = check_header(&header, &mut errors);
            if !members.iter().any(Member::is_job) {
                let message = "no `#[job]` in this block: put it on the functions that are jobs";
                errors.push_at(Span::call_site(), message);
            }
            let owner = usable.then_some(&header);
            self::block(&front, owner, members, &shared, &mut errors)
        }
        Err(error) => {
            errors.add(error);
            block
        }
    };
    errors
        .finish()
        .into_iter()
        .flatten()
        .chain(expanded)
        .collect()
}

/// The block's tokens before the braces, the same read, and what is in the braces.
fn read(block: TokenStream) -> syn::Result<(Front, Header, Vec<Member>)> {
    let mut tokens: Vec<TokenTree> = block.clone().into_iter().collect();
    let is_impl = |token: &TokenTree| matches!(token, TokenTree::Ident(word) if word == "impl");
    let body = match tokens.pop() {
        Some(TokenTree::Group(body))
            if body.delimiter() == Delimiter::Brace && tokens.iter().any(is_impl) =>
        {
            body
        }
        _ => return Err(syn::Error::new_spanned(block, GOES_ON)),
    };
    let tokens: TokenStream = tokens.into_iter().collect();
    let header = syn::parse2(tokens.clone())?;
    let (inner, members) = members.parse2(body.stream())?;
    let front = Front {
        tokens,
        inner,
        braces: body.span(),
    };
    Ok((front, header, members))
}

/// What of the block is emitted as it came.
struct Front {
    tokens: TokenStream,
    inner: Vec<Attribute>,
    braces: Span,
}

impl Parse for Header {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        input.parse::<Option<Token![unsafe]>>()?;
        input.parse::<Token![impl]>()?;
        let generics = if input.peek(Token![<]) {
            input.parse()?
        } else {
            Generics::default()
        };
        let mut ty = input.parse()?;
        let mut implemented = None;
        if input.parse::<Option<Token![for]>>()?.is_some() {
            implemented = Some(std::mem::replace(&mut ty, input.parse()?));
        }
        // A `where` clause says nothing that a job needs.
        input.parse::<TokenStream>()?;
        Ok(Self {
            attrs,
            generics,
            ty,
            implemented,
        })
    }
}

fn members(input: ParseStream<'_>) -> syn::Result<(Vec<Attribute>, Vec<Member>)> {
    let inner = input.call(Attribute::parse_inner)?;
    let mut members = Vec::new();
    while !input.is_empty() {
        let attrs = input.call(Attribute::parse_outer)?;
        let ahead = input.fork();
        let is_fn = ahead.parse::<Visibility>().is_ok() && ahead.parse::<Signature>().is_ok();
        members.push(if is_fn {
            Member::Function(Box::new(Function::after(attrs, input)?))
        } else {
            Member::Other(attrs, input.parse()?)
        });
    }
    Ok((inner, members))
}

impl Member {
    fn is_job(&self) -> bool {
        match self {
            Self::Function(function) => function.attrs.iter().any(is_job),
            Self::Other(attrs, _) => attrs.iter().any(is_job),
        }
    }
}

/// `#[job]` under any path.
fn is_job(attr: &Attribute) -> bool {
    let last = attr.path().segments.last();
    last.is_some_and(|last| last.ident == "job")
}

/// What `#[jobs(…)]` says for all jobs of the block: where the runtime is.
fn shared(tokens: TokenStream, errors: &mut Errors) -> Args {
    let allowed = |option: &[TokenTree]| match option.first() {
        Some(TokenTree::Ident(key)) => key == "crate",
        _ => true,
    };
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let comma =
        |token: &TokenTree| matches!(token, TokenTree::Punct(mark) if mark.as_char() == ',');
    let mut kept = TokenStream::new();
    for option in tokens.split_inclusive(comma) {
        if allowed(option) {
            kept.extend(option.iter().cloned());
        } else if let Some(key) = option.first() {
            let message = format!(
                "`#[jobs]` takes only `crate = path`: say `{key}` in the `#[job(…)]` of each function it is for"
            );
            errors.push(key, message);
        }
    }
    Args::parse(kept, errors)
}

/// False if no job can stand in this block.
fn check_header(header: &Header, errors: &mut Errors) -> bool {
    if let Some(implemented) = &header.implemented {
        let message = format!(
            "`#[jobs]` cannot stand on an `impl` of a trait, which has no room for more functions: \
             make the jobs functions of `impl {}`, and call the trait's from there",
            show(&header.ty)
        );
        errors.push(implemented, message);
        return false;
    }
    if !header.generics.params.is_empty() {
        let message = "`#[jobs]` needs an `impl` without parameters, because stored arguments need one known type each: \
                       write it for one type, such as `impl Order<u64>`";
        errors.push(&header.generics, message);
        return false;
    }
    let borrows = Borrows::of(&header.ty);
    if borrows.shared || borrows.named {
        let message = format!(
            "`{}` borrows, so it cannot be stored: `#[jobs]` needs an owned type",
            show(&header.ty)
        );
        errors.push(&header.ty, message);
        return false;
    }
    true
}

// Input:  #[jobs] impl Order { #[job] async fn confirm(&self) { … } }
// Output: impl Order { async fn confirm(&self) { … } } const _: () = { … };
fn block(
    front: &Front,
    owner: Option<&Header>,
    members: Vec<Member>,
    shared: &Args,
    errors: &mut Errors,
) -> TokenStream {
    let (mut body, mut beside) = (TokenStream::new(), TokenStream::new());
    let inner = &front.inner;
    body.extend(quote!(#(#inner)*));
    for member in members {
        match member {
            Member::Function(mut function) if function.attrs.iter().any(is_job) => {
                let marks = take_marks(&mut function.attrs);
                if let Some(owner) = owner {
                    beside.extend(job(&marks, &function, owner, shared));
                }
                unmark_params(&mut function);
                function.to_tokens(&mut body);
            }
            Member::Function(function) => function.to_tokens(&mut body),
            Member::Other(mut attrs, item) => {
                for mark in take_marks(&mut attrs) {
                    let message =
                        "`#[job]` goes on a function: `#[job] async fn name() -> Result { … }`";
                    errors.push(mark, message);
                }
                body.extend(quote!(#(#attrs)* #item));
            }
        }
    }
    let mut braces = Group::new(Delimiter::Brace, body);
    braces.set_span(front.braces);
    let front = &front.tokens;
    quote!(#front #braces #beside)
}

fn take_marks(attrs: &mut Vec<Attribute>) -> Vec<Attribute> {
    let (marks, kept) = std::mem::take(attrs).into_iter().partition(is_job);
    *attrs = kept;
    marks
}

fn unmark_params(function: &mut Function) {
    let is_mark =
        |attr: &Attribute| attr.path().is_ident("state") || attr.path().is_ident("context");
    for input in &mut function.sig.inputs {
        if let FnArg::Typed(param) = input {
            param.attrs.retain(|attr| !is_mark(attr));
        }
    }
}

/// What one job of the block needs beside it.
fn job(marks: &[Attribute], function: &Function, owner: &Header, shared: &Args) -> TokenStream {
    let mut errors = Errors::default();
    let mut args = Args::parse(options(marks, &owner.ty, &mut errors), &mut errors);
    args.inherit(shared);
    let sig = match syn::parse2(known(function.sig.to_token_stream(), &owner.ty)) {
        Ok(sig) => sig,
        Err(error) => {
            errors.add(error);
            return errors.finish().unwrap_or_default();
        }
    };
    let is_cfg =
        |attr: &&Attribute| attr.path().is_ident("cfg") || attr.path().is_ident("cfg_attr");
    let cfgs = owner.attrs.iter().filter(is_cfg);
    let function = Function {
        attrs: cfgs.chain(&function.attrs).cloned().collect(),
        vis: function.vis.clone(),
        sig,
        body: function.body.clone(),
    };
    let item = Item::method(function, owner.ty.clone(), &mut errors);
    let job = Job::new(&args, &item, &mut errors);
    match errors.finish() {
        None => expand::method(&job),
        Some(mistakes) => mistakes
            .into_iter()
            .chain(fallback::method(&item, &owner.ty, &job.runtime))
            .collect(),
    }
}

/// The tokens in the parentheses of `#[job(…)]`.
fn options(marks: &[Attribute], owner: &Type, errors: &mut Errors) -> TokenStream {
    for second in marks.iter().skip(1) {
        errors.push(second, "`#[job]` given twice: put all options into one");
    }
    match marks.first().map(|mark| &mark.meta) {
        Some(Meta::List(list)) => known(list.tokens.clone(), owner),
        Some(Meta::NameValue(said)) => {
            errors.push(
                said,
                "`#[job]` takes its options in parentheses: `#[job(every = 60)]`",
            );
            TokenStream::new()
        }
        _ => TokenStream::new(),
    }
}

/// The tokens with the block's type in place of `Self`, which means nothing beside the block.
fn known(tokens: TokenStream, owner: &Type) -> TokenStream {
    let mut known = TokenStream::new();
    for token in tokens {
        match token {
            TokenTree::Ident(word) if word == "Self" => known.extend(located(owner, word.span())),
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), self::known(group.stream(), owner));
                inner.set_span(group.span());
                known.extend([TokenTree::Group(inner)]);
            }
            token => known.extend([token]),
        }
    }
    known
}
