//! The jobs as they are before the deploy. `new.rs` says of each what the next release changes.

use afterhours::{Handle, Prepared, Result, RunId, job};
use serde::{Deserialize, Serialize};

/// A run for each job, under the name of its case.
pub(crate) fn prepared() -> Vec<(&'static str, Prepared<String>)> {
    let transfer = Transfer { from: 1, to: 2 };
    let profile = Profile { name: "Ada".into() };
    vec![
        ("reformatted", reformatted::prepare("ab", &[Some(2), None])),
        ("swapped", swapped::prepare(transfer)),
        ("inserted", inserted::prepare(Size::Large)),
        ("renamed-parameter", renamed_parameter::prepare(-3)),
        ("renamed-function", before_the_rename::prepare(4)),
        ("upgraded", upgraded::prepare("Ada")),
        ("json", json::prepare(&profile)),
        ("json-accepted", json_accepted::prepare(&profile)),
    ]
}

/// A run that was found again.
pub(crate) fn handle(case: &str, id: RunId) -> Option<Handle<String>> {
    Some(match case {
        "reformatted" => reformatted::handle(id),
        "swapped" => swapped::handle(id),
        "inserted" => inserted::handle(id),
        "renamed-parameter" => renamed_parameter::handle(id),
        "renamed-function" => before_the_rename::handle(id),
        "upgraded" => upgraded::handle(id),
        "json" => json::handle(id),
        "json-accepted" => json_accepted::handle(id),
        _ => return None,
    })
}

/// A run that both releases can execute.
pub(crate) fn fence() -> Prepared<String> {
    reformatted::prepare("fence", &[])
}

#[job]
async fn reformatted(text: &str, times: &[Option<usize>]) -> Result<String> {
    let times = times.iter().flatten().sum();
    Ok(format!("old: {}", text.repeat(times)))
}

#[derive(Serialize, Deserialize)]
struct Transfer {
    from: u32,
    to: u32,
}

#[job]
async fn swapped(transfer: Transfer) -> Result<String> {
    Ok(format!("old: from {} to {}", transfer.from, transfer.to))
}

#[derive(Debug, Serialize, Deserialize)]
enum Size {
    Small,
    Large,
}

#[job]
async fn inserted(size: Size) -> Result<String> {
    Ok(format!("old: {size:?}"))
}

#[job]
async fn renamed_parameter(celsius: i64) -> Result<String> {
    Ok(format!("old: {celsius} degrees"))
}

#[job]
async fn before_the_rename(number: u64) -> Result<String> {
    Ok(format!("old: number {number}"))
}

#[job]
async fn upgraded(name: &str) -> Result<String> {
    Ok(format!("old: {name}"))
}

#[derive(Serialize, Deserialize)]
struct Profile {
    name: String,
}

#[job(codec = "json")]
async fn json(profile: &Profile) -> Result<String> {
    Ok(format!("old: {}", profile.name))
}

#[job(codec = "json")]
async fn json_accepted(profile: &Profile) -> Result<String> {
    Ok(format!("old: {}", profile.name))
}
