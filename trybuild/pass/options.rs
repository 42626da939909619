//! Every option.

use afterhours::{Job, JobError, OldArgs, Result, job};

mod older {
    use super::*;

    pub fn with_locale(old: OldArgs<'_>) -> Result<(u64, String)> {
        let (user_id,): (u64,) = old.decode()?;
        Ok((user_id, "en".to_owned()))
    }
}

#[job(
    name = "mail.welcome",
    alias = ["mail.hello", "mail.greet"],
    queue = "mail",
    priority = -5,
    timeout = "1m30s",
    retry = 3,
    retry_delay = 10,
    backoff = "linear",
    jitter = 0.25,
    concurrency = 3,
    unique = "args",
    unique_for = "1h",
    keep = 0,
    version = 2,
    upgrade = older::with_locale,
    accepts = ["9f3c11aa", "00000001"],
    codec = "json",
    crate = ::afterhours
)]
async fn welcome(_user_id: u64, _locale: &str) -> Result {
    Ok(())
}

/// The error of an upgrade is any error.
fn one(old: OldArgs<'_>) -> std::result::Result<(u64,), String> {
    Err(format!("no way from version {}", old.version()))
}

#[job(version = 3, upgrade = one, alias = "count", accepts = "9F3C11AA", codec = "postcard", unique = "counting", keep = "7d")]
fn count_up(_to: u64) -> std::result::Result<u64, JobError> {
    Ok(1)
}

#[job(every = "1h", worker = 2, overlap = "allow", missed = "run_all", missed_limit = 24, missed_window = "1d", concurrency = 1)]
async fn bill() {}

#[job(cron = "0 3 * * *", timezone = "Europe/Paris", overlap = "skip", missed = "run_once", missed_window = 3600)]
async fn report() {}

#[job(every = 60, missed = "skip")]
async fn tidy() {}

fn main() {
    let _ = welcome::prepare(1, "fr");
    let _ = count_up::prepare(1);
    let _all: [Job; 3] = [bill::JOB, report::JOB, tidy::JOB];
    assert_eq!(welcome::NAME, "mail.welcome");
}
