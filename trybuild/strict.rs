//! Jobs under the strictest lints, in a library. Clippy reads no case in `pass/`, so what it says about generated code
//! shows here, where `cargo clippy --workspace --all-targets` comes by. `doctests.rs` counts the example below.

#![forbid(unsafe_code)]
#![deny(
    warnings,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::pedantic,
    clippy::nursery,
    clippy::exhaustive_enums,
    clippy::impl_trait_in_params
)]

use std::path::PathBuf;

use afterhours::{Context, JobError, OldArgs, job, jobs};
use serde::{Deserialize, Serialize};
use tokio::task::yield_now;

/// Shadows what generated code might name.
#[derive(Debug)]
pub struct Result;
/// As above.
#[derive(Debug)]
pub struct Option;
/// As above.
#[derive(Debug)]
pub struct String;
/// As above.
#[derive(Debug)]
pub struct Vec;
/// As above.
#[derive(Debug)]
pub struct Box;

/// Documented, as everything here must be.
///
/// ```
/// let run = afterhours_ui::documented::prepare(1, "a");
/// assert!(afterhours_ui::documented::NAME.ends_with("::documented"));
/// # drop(run);
/// ```
///
/// # Errors
/// Never.
#[job]
pub async fn documented(id: usize, text: &str) -> core::result::Result<usize, JobError> {
    yield_now().await;
    Ok(id + text.len())
}

/// Nothing but options.
///
/// # Errors
/// Never.
#[job(
    name = "strict.options",
    alias = ["strict.old", "strict.older"],
    queue = "strict",
    priority = -5,
    timeout = 30,
    retry = 3,
    retry_delay = "1s",
    backoff = "linear",
    jitter = 0.25,
    concurrency = 3,
    unique = "args",
    unique_for = "1h",
    keep = 0,
    version = 2,
    upgrade = from_version_1,
    accepts = "9f3c11aa",
    codec = "json",
    crate = ::afterhours
)]
pub fn options(id: u64, paths: &[PathBuf]) -> core::result::Result<usize, JobError> {
    Ok(paths.len() + usize::from(id > 0))
}

type Arguments = (u64, std::vec::Vec<PathBuf>);

fn from_version_1(old: OldArgs<'_>) -> core::result::Result<Arguments, JobError> {
    let (id,): (u64,) = old.decode()?;
    Ok((id, std::vec::Vec::new()))
}

/// On a schedule, with all that is provided.
#[job(
    every = "1h",
    worker = 2,
    overlap = "allow",
    missed = "run_all",
    missed_limit = 2,
    missed_window = "1d"
)]
pub async fn hourly(ctx: &Context, #[state] limit: &u32, #[state] lock: &(dyn Lock + Send + Sync)) {
    yield_now().await;
    lock.lock(ctx.attempt().min(*limit));
}

/// A state that is any type of a trait.
pub trait Lock {
    /// Locks.
    fn lock(&self, times: u32);
}

/// Raw names, patterns, and a cfg below.
#[job]
#[cfg(not(any()))]
pub async fn r#match(
    r#type: u64,
    mut total: u64,
    (left, right): (u64, u64),
    _: u8,
    Order { id }: Order,
) {
    yield_now().await;
    total += r#type + left + right + id;
    drop(total.to_string());
}

/// Nobody calls it any more, but runs may be waiting.
#[deprecated = "call `documented`"]
#[job]
pub async fn outdated() {
    yield_now().await;
}

/// Traced, with the attribute below.
///
/// # Errors
/// Never.
#[job]
#[tracing::instrument]
pub async fn traced_below(id: u64, text: &str) -> core::result::Result<usize, JobError> {
    yield_now().await;
    Ok(text.len() + usize::from(id > 0))
}

/// Traced, with the attribute above.
///
/// # Errors
/// Never.
#[tracing::instrument(skip(ctx, limit))]
#[job]
pub async fn traced_above(
    ctx: &Context,
    #[state] limit: &u32,
    text: &str,
) -> core::result::Result<u32, JobError> {
    yield_now().await;
    Ok(ctx.attempt().min(*limit).min(u32::from(text.is_empty())))
}

/// What the shop sells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    id: u64,
}

#[jobs]
impl Order {
    /// Confirms it.
    ///
    /// # Errors
    /// Never.
    #[job]
    pub async fn confirm(&self, note: &str) -> core::result::Result<usize, JobError> {
        yield_now().await;
        Ok(note.len() + usize::from(self.id > 0))
    }

    /// Traced, and no method.
    #[job]
    #[tracing::instrument]
    pub fn forget(id: u64, other: &Self) {
        tracing::info!(id, other.id);
    }
}

/// Inside a function, with names that the helpers also have.
#[must_use]
pub fn inside() -> &'static str {
    #[job(name = "inside")]
    async fn inside(delay: u64, when: u64, id: u64) {
        yield_now().await;
        drop((delay, when, id).0.to_string());
    }
    drop(inside::prepare(1, 2, 3));
    inside::NAME
}

/// Every visibility.
pub mod places {
    use super::{job, yield_now};

    #[job]
    async fn private(_id: u64) {
        yield_now().await;
    }

    #[job]
    pub(super) async fn of_the_parent(_id: u64) {
        yield_now().await;
    }

    #[job]
    pub(crate) async fn of_the_crate(_id: u64) {
        yield_now().await;
    }

    #[job]
    pub(in crate::places) async fn of_a_path(_id: u64) {
        yield_now().await;
    }

    /// For all.
    #[job]
    pub async fn of_all(_id: u64) {
        yield_now().await;
    }

    pub(super) const fn names() -> [&'static str; 5] {
        [
            private::NAME,
            of_the_parent::NAME,
            of_the_crate::NAME,
            of_a_path::NAME,
            of_all::NAME,
        ]
    }
}

/// The names of jobs of every visibility.
#[must_use]
pub fn names() -> [&'static str; 5] {
    use places::{of_all, of_the_crate, of_the_parent};
    drop(of_the_parent::prepare(1));
    drop(of_the_crate::prepare(1));
    drop(of_all::prepare(1));
    places::names()
}
