//! What a call site sets for one run, and what then holds: call site over attribute over default.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::duration_millis;
use crate::job::JobDef;
use crate::retry::Backoff;
use crate::run::KEEP_FAILED;

/// What the call site set. Stored as JSON, so that older and newer builds read each other's, and people too.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Options {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timeout_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_delay_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) backoff: Option<Backoff>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) jitter: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) keep_ms: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<String>,
    /// What hooks and the call site let travel with the run.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) metadata: BTreeMap<String, String>,
}

impl Options {
    pub(crate) fn keep(&self) -> Option<Duration> {
        self.keep_ms.map(Duration::from_millis)
    }

    /// The stored form; nothing at all when the call site set nothing.
    pub(crate) fn to_stored(&self) -> Option<String> {
        if *self == Self::default() {
            return None;
        }
        // Numbers and unit variants always serialise.
        serde_json::to_string(self).ok()
    }

    /// Reads the stored form. Text that a stranger wrote counts as nothing set: the attribute then holds.
    pub(crate) fn from_stored(stored: Option<&str>) -> Self {
        stored
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default()
    }
}

/// What holds for one run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Policy {
    pub(crate) timeout: Option<Duration>,
    pub(crate) max_attempts: u32,
    pub(crate) retry_delay: Duration,
    pub(crate) backoff: Backoff,
    pub(crate) jitter: f64,
    pub(crate) keep_done: Duration,
    pub(crate) keep_failed: Duration,
}

/// How long a run stays that is done or cancelled, unless its job or its call site says otherwise.
pub(crate) const KEEP_DONE: Duration = Duration::from_secs(60 * 60);

impl Policy {
    pub(crate) fn of(job: &JobDef, options: &Options) -> Self {
        let backoff = options.backoff.unwrap_or(job.backoff);
        let keep = options.keep().or(job.keep);
        let jitter = options
            .jitter
            .or(job.jitter)
            .filter(|jitter| (0.0..=1.0).contains(jitter));
        Self {
            timeout: options
                .timeout_ms
                .map(Duration::from_millis)
                .or(job.timeout),
            max_attempts: options.retry.unwrap_or(job.retry).saturating_add(1),
            retry_delay: options
                .retry_delay_ms
                .map_or(job.retry_delay, Duration::from_millis),
            backoff,
            jitter: jitter.unwrap_or_else(|| backoff.default_jitter()),
            keep_done: keep.unwrap_or(KEEP_DONE),
            keep_failed: keep.unwrap_or(KEEP_FAILED),
        }
    }
}

/// A duration in the unit of the stored options.
pub(crate) fn option_millis(duration: Duration) -> u64 {
    duration_millis(duration).unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    static JOB: JobDef = JobDef::new("job", "file.rs", 1, |_| unreachable!("never started"));

    #[test]
    fn the_call_site_wins_over_the_attribute() {
        let options = Options {
            retry: Some(0),
            timeout_ms: Some(5),
            ..Options::default()
        };
        let policy = Policy::of(&JOB, &Options::from_stored(options.to_stored().as_deref()));
        assert_eq!(policy.max_attempts, 1);
        assert_eq!(policy.timeout, Some(Duration::from_millis(5)));
        assert_eq!(policy.retry_delay, Duration::from_secs(10));
    }

    #[test]
    fn jitter_follows_the_backoff_that_holds() {
        assert!((Policy::of(&JOB, &Options::default()).jitter - 0.5).abs() < f64::EPSILON);
        let fixed = Options {
            backoff: Some(Backoff::Fixed),
            ..Options::default()
        };
        assert!(Policy::of(&JOB, &fixed).jitter.abs() < f64::EPSILON);
    }

    #[test]
    fn nothing_set_stores_nothing_and_strangers_texts_are_harmless() {
        assert_eq!(Options::default().to_stored(), None);
        for text in ["", "{", "7", r#"{"retry":"x"}"#] {
            assert_eq!(Options::from_stored(Some(text)), Options::default());
        }
        let newer = r#"{"retry":2,"of_a_newer_build":true}"#;
        assert_eq!(Options::from_stored(Some(newer)).retry, Some(2));
    }
}
