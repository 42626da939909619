//! Snapshots of whole expansions; messages and signatures have files of their own.

mod jobs;
mod messages;
mod options;
mod signatures;

use std::path::PathBuf;

use proc_macro2::TokenStream;
use quote::quote;

use crate::expanded;

type TestResult = Result<(), Box<dyn std::error::Error>>;

/// Compares the expansion with `snapshots/<name>.rs`; `UPDATE_SNAPSHOTS=1` renews the file.
fn snapshot(name: &str, args: TokenStream, item: TokenStream) -> TestResult {
    compare(name, expanded(args, item))
}

fn compare(name: &str, expanded: TokenStream) -> TestResult {
    let actual = prettyplease::unparse(&syn::parse2(expanded)?);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("src/snapshots/{name}.rs"));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, &actual)?;
    }
    let expected = std::fs::read_to_string(&path)?;
    assert_eq!(
        actual, expected,
        "{name}: if the change is meant, run with UPDATE_SNAPSHOTS=1"
    );
    Ok(())
}

mod snapshots {
    use super::*;

    #[test]
    fn borrowed_arguments() -> TestResult {
        snapshot(
            "send_email",
            quote!(
                queue = "mail",
                timeout = 30,
                retry = 5,
                retry_delay = 10,
                backoff = "exponential"
            ),
            quote! {
                /// Mails one user.
                pub async fn send_email(
                    #[state] mailer: &Mailer,
                    ctx: &Context,
                    user_id: u64,
                    template: &str,
                    name: String,
                    note: Option<&str>,
                    order: &Order,
                ) -> Result<Receipt> {
                    mailer.send(user_id, template).await
                }
            },
        )
    }

    #[test]
    fn on_a_schedule() -> TestResult {
        snapshot(
            "daily_report",
            quote!(
                cron = "0 3 * * *",
                timezone = "Europe/Paris",
                name = "report",
                crate = my::afterhours
            ),
            quote! {
                #[cfg(feature = "reports")]
                fn daily_report() {}
            },
        )
    }

    #[test]
    fn many_options() -> TestResult {
        snapshot(
            "import_orders",
            quote!(
                name = "orders.import",
                alias = ["import", "jobs::import"],
                version = 3,
                upgrade = older::import_orders,
                accepts = ["9f3c11aa", "00000001"],
                codec = "json",
                concurrency = 3,
                unique = "args",
                unique_for = "1h",
                keep = 0
            ),
            quote! {
                fn import_orders(shop: &str, pages: u32) -> Result<u64, Problem> {
                    import(shop, pages)
                }
            },
        )
    }

    #[test]
    fn missed_ticks() -> TestResult {
        snapshot(
            "bill",
            quote!(
                every = "1h",
                worker = 2,
                overlap = "allow",
                missed = "run_all",
                missed_limit = 24,
                missed_window = "1d",
                unique = "billing"
            ),
            quote! {
                async fn bill() {}
            },
        )
    }

    #[test]
    fn functions_of_a_type() -> TestResult {
        let block = quote! {
            #[cfg(feature = "orders")]
            impl Order {
                const LIMIT: u8 = 3;

                /// Confirms one order.
                #[job(queue = "mail")]
                pub async fn confirm(&self, #[state] mailer: &Mailer, note: String) -> Result<Self> {
                    mailer.confirm(self, note).await
                }

                #[job]
                fn forget(id: u64) {}

                fn total(&self) -> u64 { 0 }
            }
        };
        compare("order", crate::jobs::expanded(TokenStream::new(), block))
    }

    #[test]
    fn mistakes_keep_the_function_and_its_helpers() -> TestResult {
        snapshot(
            "fallback",
            quote!(timeout = 0),
            quote! {
                /// Mails one user.
                pub(crate) async fn send_email(#[state] mailer: &Mailer, tags: Vec<&str>) -> Result<Receipt> {
                    mailer.send(tags)
                }
            },
        )
    }
}
