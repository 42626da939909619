//! What must compile, and what must not, with the message it gives.
//!
//! `TRYBUILD=overwrite cargo test -p afterhours-ui` renews the messages. One case alone:
//! `cargo test -p afterhours-ui -- ui trybuild=cron`.

use std::error::Error;
use std::fs;
use std::path::Path;

#[test]
fn ui() {
    let cases = trybuild::TestCases::new();
    cases.pass("pass/*.rs");
    cases.compile_fail("fail/*.rs");
}

/// README's table is the list: an option that it names has its mistakes in a file of its name, and a use.
#[test]
fn each_option_has_its_cases() -> Result<(), Box<dyn Error>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let options = options(&fs::read_to_string(here.join("../README.md"))?);
    assert!(options.len() > 20, "{options:?}");
    let used = fs::read_to_string(here.join("pass/options.rs"))?;
    for option in &options {
        for extension in ["rs", "stderr"] {
            let case = here.join(format!("fail/{option}.{extension}"));
            assert!(case.exists(), "{} is missing", case.display());
        }
        assert!(
            uses(&used, option),
            "pass/options.rs does not use `{option}`"
        );
    }
    Ok(())
}

/// The words before `=` in the first column of the table "Options of `#[job]`".
fn options(readme: &str) -> Vec<String> {
    let table = readme
        .split("## Options of `#[job]`")
        .nth(1)
        .unwrap_or_default();
    let table = table.split("\n## ").next().unwrap_or_default();
    let columns = table
        .lines()
        .filter_map(|row| row.strip_prefix("| ")?.split(" | ").next());
    let words = columns.flat_map(|column| column.split('`').skip(1).step_by(2));
    let mut options: Vec<String> = words
        .map(|said| said.split(" = ").next().unwrap_or(said).to_owned())
        .collect();
    options.dedup();
    options
}

/// Whether `option = …` stands in this text, and not as the end of a longer name.
fn uses(text: &str, option: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(&format!("{option} = "))
        .any(|(at, _)| !text[..at].ends_with(word))
}
