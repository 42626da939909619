//! Strict lints, shadowed names, and jobs inside functions.

#![forbid(unsafe_code)]
#![deny(warnings, missing_docs)]

use afterhours::job;

/// Shadows what generated code might name.
pub struct Result;
/// As above.
pub struct Option;
/// As above.
pub struct String;
/// As above.
pub struct Box;

/// Documented, as everything here must be.
#[job]
pub async fn documented(id: u64, text: &str) -> ::core::result::Result<u64, ::std::string::String> {
    Ok(id + text.len() as u64)
}

fn main() {
    #[job(name = "inside")]
    async fn inside(delay: u64, when: u64, id: u64) {
        let _ = (delay, when, id);
    }
    let _ = inside::prepare(1, 2, 3);
    let _ = documented::prepare(1, "a");
}
