//! What a job of an `impl` block adds to its type: `confirm` gets `CONFIRM_JOB`, `confirm_job` and `confirm_handle`.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::Type;
use syn::ext::IdentExt as _;

use crate::argument::Lend;
use crate::expand::{Helpers, find, prepare, returned_or_nothing};
use crate::item::Item;
use crate::model::Job;
use crate::paths::Runtime;

// Input:  impl Order { pub async fn confirm(&self, note: &str) -> Result }
// Output: impl Order { pub const CONFIRM_JOB: Job; pub fn confirm_job(&self, note: &str) -> Prepared<()>;
//         pub fn confirm_handle(id: RunId) -> Handle<()> }
pub(crate) fn api(job: &Job<'_>, owner: &Type) -> TokenStream {
    let item = job.item;
    let prepare = prepare(item, &Helpers::new(item).idents);
    let has_self = item
        .arguments()
        .any(|argument| argument.lend == Lend::Receiver);
    let this = has_self.then(|| quote!(let __self = self;));
    let bodies = Bodies {
        job: quote!(__p::job(&__JOB)),
        prepare: quote!(#this #prepare),
        handle: find(item),
    };
    let added = added(item, owner, &job.runtime, &bodies);
    quote!(#[automatically_derived] #added)
}

/// What stands behind each of the three.
pub(crate) struct Bodies {
    pub(crate) job: TokenStream,
    pub(crate) prepare: TokenStream,
    pub(crate) handle: TokenStream,
}

/// The three with these bodies.
pub(crate) fn added(item: &Item, owner: &Type, runtime: &Runtime, bodies: &Bodies) -> TokenStream {
    let vis = &item.function.vis;
    let Bodies {
        job,
        prepare,
        handle,
    } = bodies;
    let Names {
        constant,
        function,
        finder,
    } = Names::of(item);
    let params = Helpers::new(item).params;
    let (generics, _, bounds) = item.function.sig.generics.split_for_impl();
    let generics = quote!(#generics);
    let [prepared, handled] =
        ["Prepared", "Handle"].map(|name| returned_or_nothing(item, runtime, name));
    let shared: Vec<_> = item.shared_attrs().collect();
    let name = item.name();
    let [of_constant, of_function, of_finder] = [
        format!(" The job [`{name}`](Self::{name}), for the builder of a worker."),
        format!(
            " Encodes the arguments of a run of [`{name}`](Self::{name}), to be enqueued as it is or with options."
        ),
        format!(" The handle of a run of [`{name}`](Self::{name}) whose id is known."),
    ];
    quote! {
        impl #owner {
            #(#shared)*
            #[doc = #of_constant]
            #vis const #constant: #runtime::Job = #job;

            #(#shared)*
            #[doc = #of_function]
            #vis fn #function #generics (#(#params),*) -> #prepared #bounds { #prepare }

            #(#shared)*
            #[doc = #of_finder]
            #vis fn #finder(id: #runtime::RunId) -> #handled { #handle }
        }
    }
}

/// What the helpers of `confirm` are called.
struct Names {
    /// `CONFIRM_JOB`
    constant: Ident,
    /// `confirm_job`
    function: Ident,
    /// `confirm_handle`
    finder: Ident,
}

impl Names {
    fn of(item: &Item) -> Self {
        let name = item.name().unraw();
        let upper = name.to_string().to_uppercase();
        Self {
            constant: format_ident!("{upper}_JOB", span = name.span()),
            function: format_ident!("{name}_job", span = name.span()),
            finder: format_ident!("{name}_handle", span = name.span()),
        }
    }
}
