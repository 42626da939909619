//! [`Job`] -> tokens: one function per generated item, each with its Input and Output above it.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::Type;
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;

use crate::argument::{Argument, Lend};
use crate::errors::show;
use crate::fields::said;
use crate::item::{Item, Param, context_of};
use crate::methods;
use crate::model::Job;
use crate::paths::{Ends, Runtime};

/// The whole expansion: the user's function first, then the type of its name, then what hangs on it.
pub(crate) fn job(job: &Job<'_>) -> TokenStream {
    let function = &job.item.function;
    let marker = marker(job.item);
    let registered = registered(job);
    quote!(#function #marker #registered)
}

/// What stands beside the `impl` block of a job: the block itself is emitted once, for all of its jobs.
pub(crate) fn method(job: &Job<'_>) -> TokenStream {
    registered(job)
}

// Input:  pub async fn send_email(…) { … }
// Output: pub enum send_email {}
pub(crate) fn marker(item: &Item) -> TokenStream {
    let (vis, name, cfgs) = (&item.function.vis, item.name(), item.cfgs());
    let shared = item.shared_attrs();
    let doc = format!(
        " The job of [`{name}()`]: `perform_async`, `perform_in`, `perform_at` and `prepare` enqueue it, \
         `handle` finds a run again."
    );
    quote! {
        #(#cfgs)*
        #(#shared)*
        #[doc = #doc]
        #[allow(
            dead_code,
            missing_copy_implementations,
            missing_debug_implementations,
            non_camel_case_types,
            clippy::exhaustive_enums,
            clippy::pedantic
        )]
        #vis enum #name {}
    }
}

// Output: const _: () = { static __JOB; submit!; const __CODEC; fn __start; impl send_email }
fn registered(job: &Job<'_>) -> TokenStream {
    let cfgs = job.item.cfgs();
    let allowed = allowed();
    let import = private(&job.runtime);
    let definition = definition(job);
    let codec = codec(job);
    let start = start(job);
    let api = job
        .item
        .owner
        .as_ref()
        .map_or_else(|| api(job), |owner| methods::api(job, owner));
    quote! {
        #(#cfgs)*
        #allowed
        const _: () = {
            #import
            #definition
            #codec
            #start
            #api
        };
    }
}

/// The module that only generated code uses, under a name that no user has.
pub(crate) fn private(runtime: &Runtime) -> TokenStream {
    quote!(use #runtime::__private as __p;)
}

/// Lints that speak about what the user cannot change here.
pub(crate) fn allowed() -> TokenStream {
    quote! {
        #[allow(
            dead_code,
            deprecated,
            private_bounds,
            private_interfaces,
            unreachable_pub,
            unused_qualifications,
            clippy::all,
            clippy::impl_trait_in_params,
            clippy::pedantic
        )]
    }
}

// Input:  #[job(queue = "mail", timeout = 30)]
// Output: static __JOB: JobDef = JobDef { queue: "mail", timeout: Some(…), …, ..JobDef::new(…) }; submit!
fn definition(job: &Job<'_>) -> TokenStream {
    let said = said(job);
    let name = job.item.name();
    let (stored_name, line) = match &job.item.owner {
        None => (quote!(#name::NAME), quote!(::core::line!())),
        // Spanned at the function: the jobs of a block would otherwise share the line of its attribute.
        Some(_) => (
            stored_name(job),
            quote_spanned!(name.span()=> ::core::line!()),
        ),
    };
    let states = job.item.states();
    let base = if job.schedule.is_some() {
        quote!(scheduled)
    } else {
        quote!(new)
    };
    let signature = job.signature;
    quote! {
        static __JOB: __p::JobDef = __p::JobDef {
            #said
            states: &[#(__p::StateDef::of::<#states>()),*],
            signature: __p::SignatureDef { tokens: #signature, trace: __CODEC.1 },
            read: |__decoder| (__CODEC.0)(__decoder).map(::core::mem::drop),
            ..__p::JobDef::#base(#stored_name, ::core::file!(), #line, __start)
        };
        __p::inventory::submit! { __p::Registered(&__JOB) }
    }
}

// Input:  (user_id: u64, template: &str)
// Output: const __CODEC: (decode, trace, encode) = (|…| Ok((…)), |…| { … }, |…, user_id, template| { … });
//
// One body for all that needs a type to be an argument: rustc then reports a type that is none only once.
fn codec(job: &Job<'_>) -> TokenStream {
    let arguments = || job.item.arguments();
    let owned = arguments().map(|argument| &argument.owned);
    let taken = arguments().map(|argument| &argument.ty);
    let idents = arguments().map(|argument| &argument.ident);
    let (next, trace, push) = (
        arguments().map(next),
        arguments().map(trace),
        arguments().map(push),
    );
    quote! {
        const __CODEC: (
            fn(&mut __p::Decoder<'_>) -> ::core::result::Result<(#(#owned,)*), __p::DecodeError>,
            fn(&mut __p::Tracer),
            fn(&mut __p::Encoder, #(&#taken),*),
        ) = (
            |__decoder| ::core::result::Result::Ok((#(#next,)*)),
            |__tracer| { #(#trace;)* },
            |__encoder, #(#idents),*| { #(#push;)* },
        );
    }
}

fn next(argument: &Argument) -> TokenStream {
    let Argument { owned, label, .. } = argument;
    let next = quote_spanned!(owned.span()=> next::<#owned>);
    quote!(__decoder.#next(#label)?)
}

fn trace(argument: &Argument) -> TokenStream {
    let owned = &argument.owned;
    let trace = quote_spanned!(owned.span()=> argument::<#owned>);
    quote!(__tracer.#trace())
}

fn push(argument: &Argument) -> TokenStream {
    let Argument {
        ident,
        label,
        ty,
        owned,
        ..
    } = argument;
    let pushed = match ty {
        Type::Reference(reference) => &*reference.elem,
        ty => ty,
    };
    let push = quote_spanned!(owned.span()=> push::<#pushed>);
    quote!(__encoder.#push(#label, #ident))
}

// Input:  async fn send_email(#[state] mailer: &Mailer, user_id: u64, template: &str) -> Result<Receipt>
// Output: fn __start(…) { let (__arg1, __arg2,) = decode()?; let __arg0 = state()?; Ok(Attempt::future(…)) }
fn start(job: &Job<'_>) -> TokenStream {
    let params = || job.item.params.iter().enumerate();
    let arguments = params()
        .filter(|(_, param)| matches!(param, Param::Argument(_)))
        .map(|(at, _)| local(at));
    let provided = params().filter_map(|(at, param)| provided(at, param));
    let lent = params().map(|(at, param)| lent(at, param));
    let name = job.item.name();
    let output = job.item.output();
    // The trait is named as in the helpers' return types: rustc reports one mistake in one wording once.
    let outcome = Ends::of(&output).around(
        quote!(<),
        quote!(#output as __p::JobReturn),
        quote!(>::outcome),
    );
    let owner = job.item.owner.as_ref().map(|owner| quote!(<#owner>::));
    let call = quote!(#owner #name(#(#lent),*));
    // Spanned at the name, which is what a future that cannot be sent underlines.
    let attempt = if job.item.is_async() {
        quote_spanned!(name.span()=> __p::Attempt::future(async move { #outcome(#call.await) }))
    } else {
        quote_spanned!(name.span()=> __p::Attempt::blocking(move || #outcome(#call)))
    };
    let decoded = decoded(job);
    quote! {
        fn __start(__call: __p::Call) -> ::core::result::Result<__p::Attempt, __p::StartError> {
            let (#(#arguments,)*) = #decoded?;
            #(#provided)*
            ::core::result::Result::Ok(#attempt)
        }
    }
}

// Input:  upgrade = from_version_1
// Output: __call.decode_or_upgrade(__CODEC.0, |__old| from_version_1(__old).map_err(Into::into))
fn decoded(job: &Job<'_>) -> TokenStream {
    let Some(upgrade) = &job.upgrade else {
        return quote!(__call.decode(__CODEC.0));
    };
    // Spanned at the path, which is what a function of another type underlines.
    let upgrade = quote_spanned! {upgrade.span()=>
        |__old| #upgrade(__old).map_err(::core::convert::Into::into)
    };
    quote!(__call.decode_or_upgrade(__CODEC.0, #upgrade))
}

/// A local of `__start`: no name of the user can be this one.
fn local(at: usize) -> Ident {
    format_ident!("__arg{at}", span = Span::mixed_site())
}

/// Fetches what the worker provides. A type that is not the context, or cannot be a state, is underlined here.
fn provided(at: usize, param: &Param) -> Option<TokenStream> {
    let local = local(at);
    match param {
        Param::Context(ty) => {
            let context = context_of(ty);
            Some(quote!(let #local = __call.context::<#context>();))
        }
        Param::State(ty) => Some(quote!(let #local = __call.state::<#ty>()?;)),
        Param::Argument(_) => None,
    }
}

/// A local as the function takes it.
fn lent(at: usize, param: &Param) -> TokenStream {
    let local = local(at);
    match param {
        Param::Context(_) => quote!(&#local),
        Param::State(_) => quote!(&*#local),
        Param::Argument(argument) => match argument.lend {
            Lend::Owned | Lend::Text => quote!(#local),
            Lend::Ref | Lend::Receiver => quote!(&#local),
            Lend::OptionRef => quote!(::core::option::Option::as_ref(&#local)),
            Lend::OptionDeref => quote!(::core::option::Option::as_deref(&#local)),
        },
    }
}

// Output: impl send_email { NAME, JOB, perform_async, perform_in, perform_at, prepare, handle }
fn api(job: &Job<'_>) -> TokenStream {
    let Job { item, runtime, .. } = job;
    let name = item.name();
    let stored_name = stored_name(job);
    let helpers = Helpers::new(item);
    let Helpers {
        params,
        idents,
        delay,
        when,
    } = &helpers;
    let [perform, prepared, handle] =
        ["Perform", "Prepared", "Handle"].map(|name| returned(item, runtime, name));
    let prepare = prepare(item, idents);
    let run = call(item, quote!(Self::prepare), quote!((#(#idents),*)));
    let find = find(item);
    quote! {
        #[automatically_derived]
        impl #name {
            /// The name under which runs are stored.
            pub const NAME: &'static ::core::primitive::str = #stored_name;
            /// The job itself, for the builder of a worker.
            pub const JOB: #runtime::Job = __p::job(&__JOB);

            /// Enqueues a run that is due now.
            pub fn perform_async(#(#params),*) -> #perform { #run.enqueue() }

            /// Enqueues a run that is due after a delay.
            pub fn perform_in(#delay: __p::Duration, #(#params),*) -> #perform { #run.delay(#delay).enqueue() }

            /// Enqueues a run that is due at a moment.
            pub fn perform_at(
                #when: impl ::core::convert::Into<__p::SystemTime>,
                #(#params),*
            ) -> #perform { #run.at(#when).enqueue() }

            /// Encodes the arguments of a run, to set its options before it is enqueued.
            pub fn prepare(#(#params),*) -> #prepared { #prepare }

            /// The handle of a run whose id is known.
            pub fn handle(id: #runtime::RunId) -> #handle { #find }
        }
    }
}

// Input:  (user_id: u64, name: String)
// Output: let name: String = name.into(); let mut __encoder = …; (__CODEC.2)(…, &user_id, &name);
//         prepare(&__JOB, __CODEC.0, __encoder)
//
// Without a closure, because a generic function that takes one is compiled anew for each job.
pub(crate) fn prepare(item: &Item, idents: &[Ident]) -> TokenStream {
    let texts = item
        .arguments()
        .filter(|argument| argument.lend == Lend::Text)
        .map(into_text);
    let enqueue = call(
        item,
        quote!(__p::prepare),
        quote!((&__JOB, __CODEC.0, __encoder)),
    );
    quote! {
        #(#texts)*
        let mut __encoder = __p::Encoder::new(__JOB.codec);
        (__CODEC.2)(&mut __encoder, #(&#idents),*);
        #enqueue
    }
}

// Output: __p::handle(&__JOB, id)
pub(crate) fn find(item: &Item) -> TokenStream {
    call(item, quote!(__p::handle), quote!((&__JOB, id)))
}

/// A call that stands where the return type does, so that a wrong one is reported once, and there.
fn call(item: &Item, path: TokenStream, arguments: TokenStream) -> TokenStream {
    Ends::of(&item.output()).around(path, TokenStream::new(), arguments)
}

/// `module::path::f`, or what `name = "…"` says.
fn stored_name(job: &Job<'_>) -> TokenStream {
    let name = job.item.name().unraw();
    let default = match &job.item.owner {
        Some(owner) => format!("{}::{name}", show(owner)),
        None => name.to_string(),
    };
    job.name.as_ref().map_or_else(
        || quote!(::core::concat!(::core::module_path!(), "::", #default)),
        ToTokens::to_token_stream,
    )
}

/// What the helpers return: `Perform<T>`, with the `T` of the function's `Result<T, E>`.
pub(crate) fn returned(item: &Item, runtime: &Runtime, name: &str) -> TokenStream {
    let output = item.output();
    let ends = Ends::of(&output);
    let name = Ident::new(name, Span::call_site());
    let value = ends.around(
        quote!(<),
        quote!(#output as __p::JobReturn),
        quote!(>::Value),
    );
    ends.around(quote!(#runtime::#name<), value, quote!(>))
}

/// As [`returned`], also for a function whose result no helper can name.
pub(crate) fn returned_or_nothing(item: &Item, runtime: &Runtime, name: &str) -> TokenStream {
    if item.returns {
        return returned(item, runtime, name);
    }
    let name = format_ident!("{name}");
    quote!(#runtime::#name<()>)
}

/// The parameters of the helpers, with names of ours that step aside for the user's.
pub(crate) struct Helpers {
    pub(crate) params: Vec<TokenStream>,
    pub(crate) idents: Vec<Ident>,
    pub(crate) delay: Ident,
    pub(crate) when: Ident,
}

impl Helpers {
    pub(crate) fn new(item: &Item) -> Self {
        let idents: Vec<Ident> = item
            .arguments()
            .map(|argument| argument.ident.clone())
            .collect();
        let params = item.arguments().map(Argument::helper_param);
        Self {
            params: params.collect(),
            delay: free("delay", &idents),
            when: free("when", &idents),
            idents,
        }
    }
}

/// `wanted`, with underscores until no argument has that name.
fn free(wanted: &str, taken: &[Ident]) -> Ident {
    let mut name = format_ident!("{wanted}");
    while taken.contains(&name) {
        name = format_ident!("{name}_");
    }
    name
}

fn into_text(argument: &Argument) -> TokenStream {
    let Argument { ident, ty, .. } = argument;
    quote!(let #ident: #ty = ::core::convert::Into::into(#ident);)
}
