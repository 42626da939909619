//! The jobs a worker can run, found at link time or listed by hand, and the checks that need all of them.

use std::collections::{BTreeMap, HashMap};

use crate::error::Error;
use crate::job::{Job, JobDef, Registered};

/// The jobs of one worker, and under which names their runs are stored.
#[derive(Debug)]
pub(crate) struct Registry {
    jobs: Vec<&'static JobDef>,
    names: HashMap<&'static str, &'static JobDef>,
}

impl Registry {
    /// All jobs that are linked into the program.
    pub(crate) fn linked() -> Result<Self, Error> {
        Self::new(linked_jobs())
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
        let jobs: Vec<_> = jobs.collect();
        if jobs.is_empty() {
            return Err(Error::NoJobs);
        }
        let mut names = HashMap::new();
        for job in &jobs {
            for name in std::iter::once(&job.name).chain(job.aliases) {
                if let Some(other) = names.insert(*name, *job) {
                    return Err(duplicate(name, other, job));
                }
            }
        }
        Ok(Self { jobs, names })
    }

    /// The job whose runs are stored under this name.
    pub(crate) fn get(&self, name: &str) -> Option<&'static JobDef> {
        self.names.get(name).copied()
    }

    pub(crate) fn jobs(&self) -> impl Iterator<Item = &'static JobDef> {
        self.jobs.iter().copied()
    }
}

/// All jobs that are linked into the program, by each of their names. For looking only: of two with one name, with
/// which no worker can be built, it has either.
pub(crate) fn linked_by_name() -> HashMap<&'static str, &'static JobDef> {
    let names = linked_jobs().flat_map(|job| {
        let names = std::iter::once(job.name).chain(job.aliases.iter().copied());
        names.map(move |name| (name, job))
    });
    names.collect()
}

/// Whether this is the name of a schedule that a job's attribute makes.
pub(crate) fn is_schedule_of_a_job(name: &str) -> bool {
    linked_jobs().any(|job| job.name == name && job.schedule.is_some())
}

fn linked_jobs() -> impl Iterator<Item = &'static JobDef> {
    inventory::iter::<Registered>
        .into_iter()
        .map(|registered| registered.0)
}

fn duplicate(name: &str, one: &JobDef, other: &JobDef) -> Error {
    // The order of registration is the linker's; the message should not depend on it.
    let mut places = [one.place(), other.place()];
    places.sort();
    let [first, second] = places;
    Error::DuplicateJob {
        name: name.to_owned(),
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
    fn an_alias_is_a_name_too() {
        static RENAMED: JobDef = JobDef {
            aliases: &["mail", "post"],
            ..JobDef::new("letter", "c.rs", 3, |_| unreachable!("never started"))
        };
        let registry = Registry::listed(&[Job(&RENAMED)]).unwrap();
        assert_eq!(registry.get("post").map(|job| job.name), Some("letter"));
        assert_eq!(registry.jobs().count(), 1);
        let message = Registry::listed(&[Job(&RENAMED), Job(&ONE)])
            .unwrap_err()
            .to_string();
        assert!(message.contains("`mail`: a.rs:1 and c.rs:3"), "{message}");
    }

    #[test]
    fn an_empty_registry_says_what_to_do() {
        let message = Registry::listed(&[]).unwrap_err().to_string();
        assert!(message.contains("use my_jobs as _;"), "{message}");
    }
}
