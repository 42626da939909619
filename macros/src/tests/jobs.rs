//! The messages of `#[jobs]`, and what a block with mistakes still expands to.

use proc_macro2::TokenStream;
use quote::quote;

use super::TestResult;
use super::messages::collect;
use crate::jobs::expanded;

#[track_caller]
fn check_args(args: &str, block: &str, expected: &[&str]) {
    let tokens = |text: &str| -> TokenStream { syn::parse_str(text).expect("the input is tokens") };
    let mut messages = Vec::new();
    collect(expanded(tokens(args), tokens(block)), &mut messages);
    assert_eq!(messages, expected);
}

/// A mistake in this block.
#[track_caller]
fn check(block: &str, expected: &[&str]) {
    check_args("", block, expected);
}

/// A mistake in `impl Order` with these functions.
#[track_caller]
fn check_functions(functions: &str, expected: &[&str]) {
    check(&format!("impl Order {{ {functions} }}"), expected);
}

#[test]
fn good_ones() {
    check_functions("#[job] async fn f(&self) {}", &[]);
    check_functions("#[job] fn f(self: &Self, a: &str) {}", &[]);
    check_functions("#[job] fn f(self: &Order, a: &str) {}", &[]);
    check_functions(
        "#[job(every = 60)] async fn f(#[state] db: &Db, ctx: &Context) {} const A: u8 = 1; fn g(self) {}",
        &[],
    );
    check_functions(
        "#[afterhours::job(version = 2, upgrade = Self::g)] fn u64(id: u64) {} fn g(old: OldArgs<'_>) {}",
        &[],
    );
    check_functions("#![allow(unused)] #[job] fn f() -> Result<Self> {}", &[]);
    check("impl Order<u64> { #[job] fn f(&self) {} }", &[]);
    check_args("crate = later", "impl Order { #[job] fn f() {} }", &[]);
}

#[test]
fn goes_on_a_block() {
    let message = "`#[jobs]` goes on an `impl` block: `#[jobs] impl Order { … }`";
    check("struct Order;", &[message]);
    check("struct Order {}", &[message]);
    check("#[job] async fn f() {}", &[message]);
}

#[test]
fn of_one_type() {
    check(
        "impl Confirm for Order { #[job] fn f(&self) {} }",
        &[
            "`#[jobs]` cannot stand on an `impl` of a trait, which has no room for more functions: make the jobs \
             functions of `impl Order`, and call the trait's from there",
        ],
    );
    check(
        "impl<T: Clone> Order<T> where T: Copy { #[job] fn f(&self) {} }",
        &[
            "`#[jobs]` needs an `impl` without parameters, because stored arguments need one known type each: \
             write it for one type, such as `impl Order<u64>`",
        ],
    );
    check(
        "impl Order<'_> { #[job] fn f(&self) {} }",
        &["`Order<'_>` borrows, so it cannot be stored: `#[jobs]` needs an owned type"],
    );
}

#[test]
fn self_by_shared_reference() {
    for receiver in ["self", "mut self", "&mut self", "self: Box<Self>"] {
        let shown = receiver.replace("Self", "Order");
        check_functions(
            &format!("#[job] fn f({receiver}) {{}}"),
            &[&format!(
                "a job takes `self` by shared reference, because its run works on a stored copy: \
                 `&self`, not `{shown}`"
            )],
        );
    }
}

#[test]
fn no_one_gives_self_to_a_schedule() {
    check_functions(
        "#[job(every = 60)] fn f(&self) {}",
        &[
            "a job on a schedule takes no `self`, nobody is there to give it: leave `&self` out, and find what it \
             needs by `#[state]`",
        ],
    );
}

#[test]
fn marks() {
    check_functions(
        "fn f(&self) {}",
        &["no `#[job]` in this block: put it on the functions that are jobs"],
    );
    check_functions(
        "#[job] #[job(retry = 1)] fn f() {}",
        &["`#[job]` given twice: put all options into one"],
    );
    check_functions(
        "#[job = 5] fn f() {}",
        &["`#[job]` takes its options in parentheses: `#[job(every = 60)]`"],
    );
    check_functions(
        "#[job] const A: u8 = 1;",
        &["`#[job]` goes on a function: `#[job] async fn name() -> Result { … }`"],
    );
    check_args(
        "queue = \"mail\", crate = later, urgent",
        "impl Order { #[job] fn f() {} }",
        &[
            "`#[jobs]` takes only `crate = path`: say `queue` in the `#[job(…)]` of each function it is for",
            "`#[jobs]` takes only `crate = path`: say `urgent` in the `#[job(…)]` of each function it is for",
        ],
    );
}

#[test]
fn all_mistakes_at_once() {
    check_functions(
        "#[job(timeout = 0)] fn f(&self) {} #[job] fn g(self) {} #[job] fn h(names: Vec<&str>) {}",
        &[
            "`timeout` must be above 0; leave it out for 120 s (30 s for a job on a schedule)",
            "a job takes `self` by shared reference, because its run works on a stored copy: `&self`, not `self`",
            "`Vec<&str>` cannot be stored: take `Vec<String>`",
        ],
    );
}

#[test]
fn mistakes_keep_the_block_and_its_helpers() -> TestResult {
    let block = quote! {
        impl Order {
            #[job(timeout = 0)]
            async fn confirm(&self, #[state] db: &Db, note: &str) -> Result<Self> { let x = ; }
        }
    };
    let tokens = expanded(TokenStream::new(), block).to_string();
    let kept = quote! {
        impl Order {
            async fn confirm(&self, db: &Db, note: &str) -> Result<Self> { let x = ; }
        }
    };
    assert!(tokens.contains(&kept.to_string()), "{tokens}");
    assert!(tokens.contains("const CONFIRM_JOB"), "{tokens}");
    assert!(
        tokens.contains("fn confirm_job (& self , note : & str)"),
        "{tokens}"
    );
    Ok(())
}
