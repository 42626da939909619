//! What a job of an `impl` block adds to its type: `confirm` gets `CONFIRM_JOB` and `confirm_job`.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::Type;
use syn::ext::IdentExt as _;

use crate::argument::Lend;
use crate::expand::{Helpers, prepare, returned};
use crate::item::Item;
use crate::model::Job;
use crate::paths::Runtime;

// Input:  impl Order { pub async fn confirm(&self, note: &str) -> Result }
// Output: impl Order { pub const CONFIRM_JOB: Job; pub fn confirm_job(&self, note: &str) -> Prepared<()> }
pub(crate) fn api(job: &Job<'_>, owner: &Type) -> TokenStream {
    let item = job.item;
    let prepare = prepare(item, &Helpers::new(item).idents);
    let has_self = item
        .arguments()
        .any(|argument| argument.lend == Lend::Receiver);
    let this = has_self.then(|| quote!(let __self = self;));
    let added = added(
        item,
        owner,
        &job.runtime,
        &quote!(__p::job(&__JOB)),
        &quote!(#this #prepare),
    );
    quote!(#[automatically_derived] #added)
}

/// The two with these bodies.
pub(crate) fn added(
    item: &Item,
    owner: &Type,
    runtime: &Runtime,
    job: &TokenStream,
    prepare: &TokenStream,
) -> TokenStream {
    let vis = &item.function.vis;
    let Names { constant, function } = Names::of(item);
    let params = Helpers::new(item).params;
    let (generics, _, bounds) = item.function.sig.generics.split_for_impl();
    let generics = quote!(#generics);
    let prepared = if item.returns {
        returned(item, runtime, "Prepared")
    } else {
        quote!(#runtime::Prepared<()>)
    };
    let shared: Vec<_> = item.shared_attrs().collect();
    let name = item.name();
    let [of_constant, of_function] = [
        format!(" The job [`{name}`](Self::{name}), for the builder of a worker."),
        format!(
            " Encodes the arguments of a run of [`{name}`](Self::{name}), to be enqueued as it is or with options."
        ),
    ];
    quote! {
        impl #owner {
            #(#shared)*
            #[doc = #of_constant]
            #vis const #constant: #runtime::Job = #job;

            #(#shared)*
            #[doc = #of_function]
            #vis fn #function #generics (#(#params),*) -> #prepared #bounds { #prepare }
        }
    }
}

/// What the helpers of `confirm` are called.
struct Names {
    /// `CONFIRM_JOB`
    constant: Ident,
    /// `confirm_job`
    function: Ident,
}

impl Names {
    fn of(item: &Item) -> Self {
        let name = item.name().unraw();
        let upper = name.to_string().to_uppercase();
        Self {
            constant: format_ident!("{upper}_JOB", span = name.span()),
            function: format_ident!("{name}_job", span = name.span()),
        }
    }
}
