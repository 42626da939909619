//! The jobs a worker can run, found at link time or listed by hand, and the checks that need all of them.

use std::collections::{BTreeMap, HashMap};

use crate::codec::Envelope;
use crate::error::Error;
use crate::job::{Job, JobDef, Registered};

/// A job with what is computed once at start-up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) job: &'static JobDef,
    pub(crate) envelope: Envelope,
}

/// The jobs of one worker by stored name.
#[derive(Debug)]
pub(crate) struct Registry {
    entries: HashMap<&'static str, Entry>,
}

impl Registry {
    /// All jobs that are linked into the program.
    pub(crate) fn linked() -> Result<Self, Error> {
        Self::new(
            inventory::iter::<Registered>
                .into_iter()
                .map(|registered| registered.0),
        )
    }

    /// Only these jobs.
    pub(crate) fn listed(jobs: &[Job]) -> Result<Self, Error> {
        // A job listed twice is one job, not two of one name.
        let unique: BTreeMap<*const JobDef, &'static JobDef> = jobs
            .iter()
            .map(|job| (std::ptr::from_ref(job.0), job.0))
            .collect();
        Self::new(unique.into_values())
    }

    fn new(jobs: impl Iterator<Item = &'static JobDef>) -> Result<Self, Error> {
        let mut entries: HashMap<&'static str, Entry> = HashMap::new();
        for job in jobs {
            if let Some(other) = entries.insert(
                job.name,
                Entry {
                    job,
                    envelope: job.envelope(),
                },
            ) {
                return Err(duplicate(other.job, job));
            }
        }
        if entries.is_empty() {
            return Err(Error::NoJobs);
        }
        Ok(Self { entries })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    pub(crate) fn jobs(&self) -> impl Iterator<Item = &'static JobDef> {
        self.entries.values().map(|entry| entry.job)
    }
}

fn duplicate(one: &JobDef, other: &JobDef) -> Error {
    // The order of registration is the linker's; the message should not depend on it.
    let mut places = [one.place(), other.place()];
    places.sort();
    let [first, second] = places;
    Error::DuplicateJob {
        name: one.name.to_owned(),
        first,
        second,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static ONE: JobDef = JobDef::new("mail", "a.rs", 1, |_| unreachable!("never started"));
    static TWO: JobDef = JobDef::new("mail", "b.rs", 2, |_| unreachable!("never started"));

    #[test]
    fn two_jobs_of_one_name_are_refused_with_both_places() {
        for pair in [[Job(&ONE), Job(&TWO)], [Job(&TWO), Job(&ONE)]] {
            let message = Registry::listed(&pair).unwrap_err().to_string();
            assert!(message.contains("`mail`: a.rs:1 and b.rs:2"), "{message}");
        }
        assert!(Registry::listed(&[Job(&ONE), Job(&ONE)]).is_ok());
    }

    #[test]
    fn an_empty_registry_says_what_to_do() {
        let message = Registry::listed(&[]).unwrap_err().to_string();
        assert!(message.contains("use my_jobs as _;"), "{message}");
    }
}
