//! The jobs as the next release has them. The comment above each says what has changed since `old.rs`, and what
//! becomes of the runs that cross over.

use afterhours::{Handle, OldArgs, Prepared, Result, RunId, job};
use serde::{Deserialize, Serialize};

/// A run for each job, under the name of its case.
pub(crate) fn prepared() -> Vec<(&'static str, Prepared<String>)> {
    let transfer = Transfer { to: 2, from: 1 };
    let profile = Profile {
        name: "Ada".into(),
        language: "fr".into(),
    };
    vec![
        (
            "reformatted",
            reformatted::prepare("ab", vec![Some(2), None]),
        ),
        ("swapped", swapped::prepare(transfer)),
        ("inserted", inserted::prepare(Size::Large)),
        ("renamed-parameter", renamed_parameter::prepare(-3)),
        ("renamed-function", after_the_rename::prepare(4)),
        ("upgraded", upgraded::prepare("Ada", 3)),
        ("json", json::prepare(&profile)),
        ("json-accepted", json_accepted::prepare(&profile)),
        ("added", added::prepare(5)),
    ]
}

/// A run that was found again.
pub(crate) fn handle(case: &str, id: RunId) -> Option<Handle<String>> {
    Some(match case {
        "reformatted" => reformatted::handle(id),
        "swapped" => swapped::handle(id),
        "inserted" => inserted::handle(id),
        "renamed-parameter" => renamed_parameter::handle(id),
        "renamed-function" => after_the_rename::handle(id),
        "upgraded" => upgraded::handle(id),
        "json" => json::handle(id),
        "json-accepted" => json_accepted::handle(id),
        "added" => added::handle(id),
        _ => return None,
    })
}

/// A run that both releases can execute.
pub(crate) fn fence() -> Prepared<String> {
    reformatted::prepare("fence", vec![])
}

// The arguments are owned now and laid out differently, and the attribute of another crate, which reads the function
// and writes it anew, stands above the job: the signature is the same, so either release executes both runs.
#[tokio::main(flavor = "current_thread")]
#[job]
#[rustfmt::skip]
async fn reformatted(
    text : String , times:Vec< Option<usize> >,) -> Result< String >
{
    let times = times.into_iter().flatten().sum();
    Ok(format!("new: {}", vec![text; times].concat()))
}

// Two fields of one type have changed places. postcard would put each number into the other field, so the runs wait
// for their own release.
#[derive(Serialize, Deserialize)]
struct Transfer {
    to: u32,
    from: u32,
}

#[job]
async fn swapped(transfer: Transfer) -> Result<String> {
    Ok(format!("new: from {} to {}", transfer.from, transfer.to))
}

// A variant has come in between. postcard would read the old `Large` as `Medium`, and not know the new `Large` at all.
#[derive(Debug, Serialize, Deserialize)]
enum Size {
    Small,
    Medium,
    Large,
}

#[job]
async fn inserted(size: Size) -> Result<String> {
    Ok(format!("new: {size:?}"))
}

// Only the parameter's name has changed, from `celsius`: the old runs are accepted. The old release does not know the
// new signature and leaves the new runs alone.
#[job(accepts = "75ad8fba")]
async fn renamed_parameter(degrees: i64) -> Result<String> {
    Ok(format!("new: {degrees} degrees"))
}

// The function was called `before_the_rename`: the old runs are found by that name.
#[job(alias = "afterhours_deploy::jobs::before_the_rename")]
async fn after_the_rename(number: u64) -> Result<String> {
    Ok(format!("new: number {number}"))
}

// An argument was added, and the old runs get a value for it. The old release leaves runs of version 2 alone.
#[job(version = 2, upgrade = with_times)]
async fn upgraded(name: &str, times: usize) -> Result<String> {
    Ok(format!("new: {}", vec![name; times].join(" ")))
}

fn with_times(old: OldArgs<'_>) -> Result<(String, usize)> {
    let (name,) = old.decode()?;
    Ok((name, 2))
}

// The type has gained a field with a default. JSON could decode the old runs, but the signature counts the fields
// whatever the codec is: they wait, as they would with postcard.
#[derive(Serialize, Deserialize)]
struct Profile {
    name: String,
    #[serde(default = "english")]
    language: String,
}

fn english() -> String {
    "en".to_owned()
}

#[job(codec = "json")]
async fn json(profile: &Profile) -> Result<String> {
    Ok(format!("new: {} ({})", profile.name, profile.language))
}

// The same with the line that accepts the old runs: they are executed with the default.
#[job(codec = "json", accepts = "6e4d375e")]
async fn json_accepted(profile: &Profile) -> Result<String> {
    Ok(format!("new: {} ({})", profile.name, profile.language))
}

// Only this release has it: its runs wait for a worker of this release.
#[job]
async fn added(number: u64) -> Result<String> {
    Ok(format!("new: number {number}"))
}
