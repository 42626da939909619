//! The job crate of an application in two releases. The feature `new` puts the next release in the place of the old
//! one: both are the same module, so the jobs have the same stored names.

#[cfg_attr(not(feature = "new"), path = "old.rs")]
#[cfg_attr(feature = "new", path = "new.rs")]
mod jobs;

use std::io::Write;

use afterhours::{Client, Handle, Result, RunId};

/// Enqueues a run of each job this release has, and tells which run belongs to which case.
///
/// # Errors
/// If a run was not accepted.
pub async fn enqueue(client: &Client) -> Result<Vec<(&'static str, RunId)>> {
    let mut runs = Vec::new();
    for (case, prepared) in jobs::prepared() {
        runs.push((case, client.enqueue(prepared).await?.id()));
    }
    Ok(runs)
}

/// The run of a case, as this release sees it.
///
/// # Errors
/// If this release has no such job, or the id is none.
pub fn handle(client: &Client, case: &str, id: &str) -> Result<Handle<String>> {
    let handle = jobs::handle(case, id.parse()?).ok_or("this release has no such job")?;
    Ok(handle.on(client))
}

/// Returns once a worker of either release has looked for runs: it executes one that goes after all others.
///
/// # Errors
/// If that run failed.
pub async fn fence(client: &Client) -> Result<String> {
    let last = jobs::fence().priority(i32::MIN);
    Ok(client.enqueue(last).await?.join().await?)
}

/// Writes a line for the test to read.
///
/// # Errors
/// If nobody reads any more.
pub fn say(what: impl std::fmt::Display) -> Result {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{what}")?;
    Ok(out.flush()?)
}
