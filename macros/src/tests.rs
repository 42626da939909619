//! Snapshots of whole expansions; messages and signatures have files of their own.

mod messages;
mod signatures;

use std::path::PathBuf;

use proc_macro2::TokenStream;
use quote::quote;

use crate::expanded;

type TestResult = Result<(), Box<dyn std::error::Error>>;

/// Compares the expansion with `snapshots/<name>.rs`; `UPDATE_SNAPSHOTS=1` renews the file.
fn snapshot(name: &str, args: TokenStream, item: TokenStream) -> TestResult {
    let actual = prettyplease::unparse(&syn::parse2(expanded(args, item))?);
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
