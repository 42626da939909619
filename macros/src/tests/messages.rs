//! One check per message.

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;

use super::TestResult;
use crate::expanded;

/// The messages of an expansion, in the order of their discovery.
pub(super) fn messages(args: &str, item: &str) -> Result<Vec<String>, syn::Error> {
    let mut messages = Vec::new();
    collect(
        expanded(syn::parse_str(args)?, syn::parse_str(item)?),
        &mut messages,
    );
    Ok(messages)
}

pub(super) fn collect(tokens: TokenStream, messages: &mut Vec<String>) {
    let mut after_name = false;
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => after_name |= ident == "compile_error",
            TokenTree::Group(group) if after_name => {
                after_name = false;
                let text = syn::parse2::<syn::LitStr>(group.stream());
                messages.extend(text.map(|text| text.value()));
            }
            TokenTree::Group(group) => collect(group.stream(), messages),
            _ => {}
        }
    }
}

/// A mistake in the attribute of `async fn f()`.
#[track_caller]
pub(super) fn check(args: &str, expected: &[&str]) {
    check_item(args, "async fn f() -> Result { Ok(()) }", expected);
}

/// A mistake in `#[job]` with these parameters.
#[track_caller]
fn check_params(params: &str, expected: &[&str]) {
    check_item(
        "",
        &format!("async fn f({params}) -> Result {{ Ok(()) }}"),
        expected,
    );
}

#[track_caller]
pub(super) fn check_item(args: &str, item: &str, expected: &[&str]) {
    assert_eq!(messages(args, item).expect("the input is tokens"), expected);
}

mod options {
    use super::*;

    const ALL: &str = "the options are name, every, cron, timezone, timeout, queue, priority, retry, retry_delay, \
                       backoff, jitter, worker, overlap, missed, missed_limit, missed_window, concurrency, unique, \
                       unique_for, keep, version, upgrade, alias, accepts, codec, crate";

    #[test]
    fn all_are_read() {
        check("", &[]);
        check("queue = \"mail\",", &[]);
        check(
            "name = \"a\", queue = \"mail\", priority = -5, timeout = \"1h30m\", retry = 3, retry_delay = 0, \
             backoff = \"fixed\", jitter = 1, crate = ::my::runtime",
            &[],
        );
        check(
            "cron = \"@daily\", timezone = \"Europe/Paris\", timeout = 1_000",
            &[],
        );
        check(
            "every = \"250ms\", retry = 2, retry_delay = \"5s\", jitter = 0.5",
            &[],
        );
    }

    #[test]
    fn unknown() {
        check(
            "tiemout = 5",
            &[&format!(
                "unknown option `tiemout`, did you mean `timeout`? {ALL}"
            )],
        );
        check(
            "retries = 5",
            &[&format!(
                "unknown option `retries`, did you mean `retry`? {ALL}"
            )],
        );
        // Half a word is the option it begins.
        check(
            "prio = 5",
            &[&format!(
                "unknown option `prio`, did you mean `priority`? {ALL}"
            )],
        );
        check(
            "time = 5",
            &[&format!(
                "unknown option `time`, did you mean `timeout`? {ALL}"
            )],
        );
        check("colour = 5", &[&format!("unknown option `colour`; {ALL}")]);
        check(
            "Queue = \"mail\"",
            &[&format!(
                "unknown option `Queue`, did you mean `queue`? {ALL}"
            )],
        );
    }

    #[test]
    fn given_twice() {
        check(
            "retry = 1, retry = 2",
            &["`retry` given twice: keep one of them"],
        );
        check(
            "retry = true, retry = 2",
            &[
                "`retry` takes a whole number from 0 to 4294967295, not `true`",
                "`retry` given twice: keep one of them",
            ],
        );
    }

    #[test]
    fn half_typed() {
        check(
            "every =",
            &["expected a value after this, as in `every = 60`"],
        );
        check(
            "every",
            &["`every` needs a value after an equals sign: `every = 60`"],
        );
        check(
            "every(60)",
            &["`every` needs a value after an equals sign: `every = 60`"],
        );
        check("\"mail\"", &["expected an option, such as `every = 60`"]);
        check(", retry = 1", &["expected an option before this comma"]);
        check("retry = 1 priority = 2", &["expected a comma before this"]);
    }

    #[test]
    fn all_mistakes_at_once() {
        check(
            "retry = -1, priority = \"high\", jitter = 1.5",
            &[
                "`retry` takes a whole number from 0 to 4294967295, not `-1`",
                "`priority` takes a whole number from -2147483648 to 2147483647, not `\"high\"`",
                "`jitter` takes a number from 0.0 to 1.0, not `1.5`",
            ],
        );
    }

    #[test]
    fn texts() {
        check(
            "name = mail",
            &["`name` takes a text in quotes, not `mail`"],
        );
        check("name = \"\"", &["`name` must not be empty"]);
        check(
            "queue = \" mail\"",
            &["`queue` must not begin or end with a space"],
        );
        check(
            "backoff = \"exponental\"",
            &[
                "`backoff` takes \"fixed\", \"linear\" or \"exponential\"; did you mean \"exponential\"?",
            ],
        );
        check(
            "backoff = 2",
            &["`backoff` takes \"fixed\", \"linear\" or \"exponential\", not `2`"],
        );
        check(
            "crate = \"a::b\"",
            &["`crate` takes a path without quotes: `crate = a::b`"],
        );
        check(
            "crate = 5",
            &["`crate` takes a path such as `::my_afterhours`, not `5`"],
        );
    }

    #[test]
    fn durations() {
        check(
            "timeout = 0",
            &["`timeout` must be above 0; leave it out for 120 s (30 s for a job on a schedule)"],
        );
        check(
            "timeout = 30s",
            &["`timeout` takes a unit only in quotes: \"30s\""],
        );
        check(
            "timeout = 0.5",
            &["`timeout` takes seconds or a text such as \"90s\" or \"1h30m\", not `0.5`"],
        );
        check(
            "retry_delay = -1",
            &["`retry_delay` takes seconds or a text such as \"90s\" or \"1h30m\", not `-1`"],
        );
        check(
            "timeout = \"5min\"",
            &[
                "`timeout` cannot be read: unknown unit `min` in `5min`: the units are d, h, m, s and ms",
            ],
        );
        check(
            "every = \"0s\"",
            &["`every` cannot be used: an interval must be above 0"],
        );
    }
}

mod rules {
    use super::*;

    #[test]
    fn one_schedule() {
        check(
            "every = 60, cron = \"0 3 * * *\"",
            &[
                "`every` and `cron` together: a job has one schedule, keep one of them",
                "the other schedule is here",
            ],
        );
    }

    #[test]
    fn time_zones() {
        check(
            "timezone = \"UTC\"",
            &[
                "`timezone` belongs to `cron`, which follows that clock: add `cron`, or leave it out",
            ],
        );
        check(
            "every = 60, timezone = \"UTC\"",
            &["`timezone` belongs to `cron`; the ticks of `every` follow no clock: leave it out"],
        );
        check(
            "cron = \"0 3 * * *\", timezone = \"Europe/Pariss\"",
            &[
                "`timezone` cannot be used: unknown time zone `Europe/Pariss`; did you mean `Europe/Paris`?",
            ],
        );
    }

    #[test]
    fn cron_draws_the_wrong_field() {
        check(
            "cron = \"0 24 * * *\"",
            &["`cron` cannot be used: hour `24` is out of range: 0 to 23\n  0 24 * * *\n    ^^"],
        );
        // A tab is drawn as one space, or the carets would stand elsewhere.
        check(
            "cron = \"0\\t24 * * *\"",
            &["`cron` cannot be used: hour `24` is out of range: 0 to 23\n  0 24 * * *\n    ^^"],
        );
    }

    #[test]
    fn a_schedule_has_no_arguments() {
        check_item(
            "every = 60",
            "async fn f(ctx: &Context, #[state] db: &Db, user_id: u64) {}",
            &[
                "a job on a schedule takes no arguments, nobody is there to give `user_id`: \
               use `#[state]`, or enqueue another job from it",
            ],
        );
    }

    #[test]
    fn retry_options_need_retries() {
        check(
            "every = 60, retry_delay = 5",
            &[
                "`retry_delay` has no effect: a job on a schedule is not retried; say how often with `retry = 3`",
            ],
        );
        check(
            "retry = 0, jitter = 0.1",
            &[
                "`jitter` has no effect: with `retry = 0` nothing is retried; say how often with `retry = 3`",
            ],
        );
        check(
            "retry_delay = 0, backoff = \"linear\"",
            &["`backoff` cannot grow from `retry_delay = 0`: give a delay, or leave `backoff` out"],
        );
    }
}

mod functions {
    use super::*;

    #[test]
    fn qualifiers() {
        check_item(
            "",
            "const fn f() {}",
            &["a job cannot be a `const fn`: it runs in a worker; leave `const` out"],
        );
        check_item(
            "",
            "unsafe fn f() {}",
            &["a job cannot be an `unsafe fn`: a worker calls it; put the `unsafe` block inside"],
        );
        check_item(
            "",
            "extern \"C\" fn f() {}",
            &["a job cannot be an `extern fn`: a worker calls it as Rust; leave `extern` out"],
        );
    }

    #[test]
    fn generics() {
        check_item(
            "",
            "fn f<T>(x: T) {}",
            &[
                "a job cannot be generic: its stored arguments need one known type each; \
               write a job per type that calls a generic function",
            ],
        );
        check_item(
            "",
            "fn f<'a>(x: &'a str) {}",
            &[
                "a job needs no lifetimes: what it borrows lives as long as the attempt; leave them out, as in `&str`",
            ],
        );
    }

    #[test]
    fn methods() -> TestResult {
        let message = "a job cannot take `self` here: put `#[jobs]` on the `impl` block, or make it a free function and \
                       pass what it needs as arguments or as `#[state]`";
        check_item("", "async fn f(&self) {}", &[message]);
        // No type beside it, or rustc would complain about that as well.
        let tokens = expanded(
            TokenStream::new(),
            quote!(
                async fn f(&self) {}
            ),
        );
        assert!(
            tokens.to_string().ends_with("async fn f (& self) { }"),
            "{tokens}"
        );
        Ok(())
    }

    #[test]
    fn names_of_built_in_types() {
        check_item(
            "",
            "fn u64() {}",
            &[
                "a job is also a type of its name, and `u64` would hide the built-in type: give it another name",
            ],
        );
    }

    #[test]
    fn returns() {
        check_item(
            "",
            "fn f() -> impl Future {}",
            &["a job returns nothing or a `Result`; to return a future, write `async fn`"],
        );
        check_item(
            "",
            "fn f() -> Result<impl Clone> {}",
            &["a job's result is stored, so it needs one known type instead of `impl Trait`"],
        );
        check_item(
            "",
            "fn f(x: &str) -> Result<&str> {}",
            &["a job's result is stored, so it cannot borrow: return an owned type"],
        );
        check_item("", "fn f() -> Result<(), &'static str> {}", &[]);
    }

    #[test]
    fn not_a_function() -> TestResult {
        check_item(
            "",
            "struct S;",
            &["`#[job]` goes on a function: `#[job] async fn name() -> Result { … }`"],
        );
        let tokens = expanded(
            TokenStream::new(),
            quote!(
                struct S;
            ),
        );
        assert!(tokens.to_string().ends_with("struct S ;"), "{tokens}");
        Ok(())
    }

    #[test]
    fn half_typed() -> TestResult {
        check_item("", "fn f();", &["a job needs a body in braces"]);
        let tokens = expanded(TokenStream::new(), quote!(fn f(x: ) {}));
        assert!(tokens.to_string().ends_with("fn f (x :) { }"), "{tokens}");
        // A body is never parsed, so it may be anything.
        let tokens = expanded(TokenStream::new(), quote!(fn f(x: u8) { let y = ; x. }));
        assert!(
            tokens
                .to_string()
                .starts_with("fn f (x : u8) { let y = ; x . }"),
            "{tokens}"
        );
        Ok(())
    }
}

mod parameters {
    use super::*;

    #[test]
    fn good_ones() {
        check_params(
            "a: u64, b: &str, c: &[u8], d: &Order, e: &Path, f: String, g: Vec<Vec<u8>>",
            &[],
        );
        check_params(
            "a: Option<&str>, b: Option<&[u8]>, c: Option<&Order>, d: std::option::Option<&str>",
            &[],
        );
        check_params(
            "mut a: u8, (b, c): (u8, u8), _d: u8, _: u8, r#type: u8, e: [u8; 4]",
            &[],
        );
        check_params(
            "ctx: &afterhours::Context, #[state] a: &A, #[state] b: &(dyn B + Send)",
            &[],
        );
        check_params("#[context] ctx: &Ctx, a: Cow<'static, str>", &[]);
    }

    #[test]
    fn borrows_inside_a_type() {
        check_params(
            "xs: Vec<&str>",
            &["`Vec<&str>` cannot be stored: take `Vec<String>`"],
        );
        check_params(
            "xs: &[&str]",
            &["`&[&str]` cannot be stored: take `&[String]`"],
        );
        check_params(
            "xs: Option<&[&str]>",
            &["`Option<&[&str]>` cannot be stored: take `Option<&[String]>`"],
        );
        check_params(
            "xs: HashMap<&str, (u8, &[&Order])>",
            &[
                "`HashMap<&str, (u8, &[&Order])>` cannot be stored: take `HashMap<String, (u8, Vec<Order>)>`",
            ],
        );
        check_params(
            "x: Cow<'_, str>",
            &["`Cow<'_, str>` borrows, so it cannot be stored: take an owned type"],
        );
    }

    #[test]
    fn references_of_other_kinds() {
        check_params(
            "x: &mut u8",
            &["a job cannot take `&mut u8`: nobody would see the change; take `&u8`"],
        );
        check_params(
            "x: &'static str",
            &["a stored argument does not live for `'static`: take `&str`"],
        );
        check_params(
            "x: &dyn Mail",
            &[
                "`dyn Mail` cannot be stored: if the worker provides it, mark the parameter `#[state]`, \
               else take a known type",
            ],
        );
        check_params(
            "x: impl Mail",
            &["a job cannot take `impl Trait`: a stored argument needs one known type, so name it"],
        );
        check_params(
            "x: Vec<impl Mail>",
            &["a job cannot take `impl Trait`: a stored argument needs one known type, so name it"],
        );
    }

    #[test]
    fn context() {
        let by_reference = |name: &str| {
            format!(
                "a job takes its context by shared reference: `&{name}`; if this is another type that is called \
                 `Context`, give it another name here, as in `use path::Context as OtherContext`"
            )
        };
        check_params("ctx: Context", &[&by_reference("Context")]);
        check_params("ctx: &mut Context", &[&by_reference("Context")]);
        check_params("#[context] ctx: Ctx", &[&by_reference("Ctx")]);
        check_params(
            "a: &Context, #[context] b: &Ctx",
            &["a job takes its context once: remove this parameter"],
        );
    }

    #[test]
    fn state() {
        check_params(
            "#[state] db: Arc<Db>",
            &["state is shared by all attempts: take it by reference, `&Arc<Db>`"],
        );
        check_params(
            "#[state] db: &mut Db",
            &["state is shared by all attempts: take `&T`, and put what changes in a `Mutex`"],
        );
        check_params(
            "#[state] db: &impl Db",
            &["the worker finds state by its type, so it needs a known one: `&dyn Trait`"],
        );
        check_params(
            "#[state(shared)] db: &Db, #[context = 1] ctx: &Ctx",
            &[
                "`#[state]` takes nothing more: leave the rest out",
                "`#[context]` takes nothing more: leave the rest out",
            ],
        );
        check_params(
            "#[state] #[context] x: &Db",
            &["a parameter is either `#[state]` or `#[context]`: keep one of them"],
        );
        check_params(
            "#[cfg(unix)] x: u8",
            &["a job's parameters cannot depend on `cfg`: put it on two versions of the job"],
        );
    }
}
