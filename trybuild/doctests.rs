//! The example in a job's documentation is one test: the type beside the function must not repeat its documentation.

use std::error::Error;
use std::process::Command;

#[test]
fn an_example_runs_once() -> Result<(), Box<dyn Error>> {
    let listed = Command::new(env!("CARGO"))
        .args([
            "test",
            "--doc",
            "--package",
            env!("CARGO_PKG_NAME"),
            "--",
            "--list",
        ])
        .output()?;
    let text = String::from_utf8(listed.stdout)?;
    let tests: Vec<&str> = text
        .lines()
        .filter(|line| line.ends_with(": test"))
        .collect();
    let stderr = String::from_utf8_lossy(&listed.stderr);
    assert!(listed.status.success(), "{stderr}");
    assert!(
        matches!(tests.as_slice(), [one] if one.contains("strict.rs - documented")),
        "{tests:#?}"
    );
    Ok(())
}
