//! What must compile, and what must not, with the message it gives.
//!
//! `TRYBUILD=overwrite cargo test -p afterhours-ui` renews the messages. One case alone:
//! `cargo test -p afterhours-ui -- ui trybuild=cron`.

#[test]
fn ui() {
    let cases = trybuild::TestCases::new();
    cases.pass("pass/*.rs");
    cases.compile_fail("fail/*.rs");
}
