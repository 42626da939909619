//! What a program is started for: a scenario, or to be the worker of another process.

use std::path::PathBuf;

use crate::Result;

/// What the arguments ask for.
#[derive(Debug)]
pub enum Role {
    /// `<scenario> <path of a fresh database> <count>`
    Measure(Run),
    /// `work <path>`: the child of a run that measures [`Scenario::StartOther`].
    Work(PathBuf),
}

/// One measurement.
#[derive(Debug)]
pub struct Run {
    /// What is measured.
    pub scenario: Scenario,
    /// Where the database shall be; its folder is empty.
    pub store: PathBuf,
    /// How many jobs.
    pub count: u64,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// One task awaits each enqueue.
    One,
    /// 64 tasks, each of which awaits its enqueue.
    Tasks64,
    /// The library's call for many jobs, with 1,000 of them.
    Batch,
    /// No-op jobs that wait are executed and recorded as done.
    Drain,
    /// From the call of enqueue to the start of the handler, in one process.
    Start,
    /// The same with the worker in another process.
    StartOther,
}

impl Scenario {
    pub(crate) const ALL: [(&str, Self); 6] = [
        ("one", Self::One),
        ("tasks64", Self::Tasks64),
        ("batch", Self::Batch),
        ("drain", Self::Drain),
        ("start", Self::Start),
        ("start-other", Self::StartOther),
    ];
}

impl Role {
    /// Reads this process's arguments.
    pub fn from_arguments() -> Result<Self> {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        match &arguments[..] {
            [role, store] if role == crate::other::WORK => Ok(Self::Work(store.into())),
            [name, store, count] => {
                let scenario = Scenario::ALL.iter().find(|(word, _)| word == name);
                let (_, scenario) = scenario.ok_or_else(|| format!("no scenario `{name}`"))?;
                Ok(Self::Measure(Run {
                    scenario: *scenario,
                    store: store.into(),
                    count: count.parse()?,
                }))
            }
            _ => Err("usage: <scenario> <path of a fresh database> <count>".into()),
        }
    }
}
