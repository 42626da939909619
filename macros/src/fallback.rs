//! The expansion of a job with mistakes: the function and the signatures of its helpers, so that only the mistakes
//! show and editors keep working.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Type;

use crate::expand::{Helpers, allowed, marker, private, returned_or_nothing};
use crate::item::Item;
use crate::methods::{Bodies, added};
use crate::paths::Runtime;

/// The user's function, and helpers that compile but never run.
pub(crate) fn job(item: &Item, runtime: &Runtime) -> TokenStream {
    let function = &item.function;
    if !item.has_type() {
        return quote!(#function);
    }
    let marker = marker(item);
    let helpers = helpers(item, runtime);
    quote!(#function #marker #helpers)
}

// Output: impl send_email { NAME, JOB, perform_async, perform_in, perform_at, prepare, handle }, none of which runs
fn helpers(item: &Item, runtime: &Runtime) -> TokenStream {
    let (name, cfgs, allowed) = (item.name(), item.cfgs(), allowed());
    let (generics, _, bounds) = item.function.sig.generics.split_for_impl();
    let generics = quote!(#generics);
    let Helpers {
        params,
        delay,
        when,
        ..
    } = Helpers::new(item);
    let (import, definition) = (private(runtime), definition());
    let [perform, prepared, handle] =
        ["Perform", "Prepared", "Handle"].map(|name| returned_or_nothing(item, runtime, name));
    quote! {
        #(#cfgs)*
        #allowed
        #[allow(missing_docs, unused_variables)]
        const _: () = {
            #import
            impl #name {
                pub const NAME: &'static ::core::primitive::str = "";
                pub const JOB: #runtime::Job = #definition;
                pub fn perform_async #generics (#(#params),*) -> #perform #bounds { loop {} }
                pub fn perform_in #generics (#delay: __p::Duration, #(#params),*) -> #perform #bounds { loop {} }
                pub fn perform_at #generics (
                    #when: impl ::core::convert::Into<__p::SystemTime>,
                    #(#params),*
                ) -> #perform #bounds { loop {} }
                pub fn prepare #generics (#(#params),*) -> #prepared #bounds { loop {} }
                pub fn handle(id: #runtime::RunId) -> #handle { loop {} }
            }
        };
    }
}

/// Helpers of a function in an `impl` block that compile but never run; the block itself is emitted by others.
pub(crate) fn method(item: &Item, owner: &Type, runtime: &Runtime) -> TokenStream {
    let (cfgs, allowed, import) = (item.cfgs(), allowed(), private(runtime));
    let bodies = Bodies {
        job: definition(),
        prepare: quote!(loop {}),
        handle: quote!(loop {}),
    };
    let helpers = added(item, owner, runtime, &bodies);
    quote! {
        #(#cfgs)*
        #allowed
        #[allow(missing_docs, unused_variables)]
        const _: () = {
            #import
            #helpers
        };
    }
}

/// A job that no worker knows.
fn definition() -> TokenStream {
    quote! {
        {
            static __JOB: __p::JobDef = __p::JobDef::new("", "", 0, |_| loop {});
            __p::job(&__JOB)
        }
    }
}
