//! What came out, as one line of JSON.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::{Result, Run, Scenario};

/// What is the same for all scenarios of a library.
#[derive(Debug)]
pub struct Library {
    /// As on the registry.
    pub name: &'static str,
    /// The program's `Cargo.lock`, which says the version.
    pub lock: &'static str,
    /// The version of the SQLite that is compiled in.
    pub sqlite: String,
    /// How the library keeps what it accepted.
    pub durability: &'static str,
}

/// What came out of a scenario. What does not apply is not set.
#[derive(Debug, Default)]
pub struct Measured {
    count: Option<u64>,
    seconds: Option<f64>,
    times: Option<Vec<Duration>>,
    note: Option<String>,
}

impl Measured {
    /// So many jobs in so long.
    pub fn rate(count: u64, took: Duration) -> Self {
        Self {
            count: Some(count),
            seconds: Some(took.as_secs_f64()),
            ..Self::default()
        }
    }

    /// The same, and how long each call took.
    pub fn calls(count: u64, took: Duration, times: Vec<Duration>) -> Self {
        Self {
            times: Some(times),
            ..Self::rate(count, took)
        }
    }

    /// How long something took each time.
    pub fn times(times: Vec<Duration>) -> Self {
        Self {
            times: Some(times),
            ..Self::default()
        }
    }

    /// The library cannot do that.
    pub fn impossible(reason: &str) -> Self {
        Self::default().with_note(reason)
    }

    /// What a reader should know beside the figures.
    pub fn with_note(self, note: &str) -> Self {
        Self {
            note: Some(note.to_owned()),
            ..self
        }
    }

    /// Prints the line.
    pub fn print(mut self, library: &Library, run: &Run) -> Result {
        if self.count.is_some() || self.times.is_some() {
            check_wal(&run.store)?;
        }
        if let Some(times) = &mut self.times {
            times.sort_unstable();
        }
        let line = json!({
            "library": library.name,
            "version": version(library)?,
            "sqlite": library.sqlite,
            "scenario": run.scenario.name(),
            "count": self.count.unwrap_or(run.count),
            "seconds": self.seconds,
            "rate": self.seconds.zip(self.count).map(|(seconds, count)| count as f64 / seconds),
            "p50_us": self.percentile(50),
            "p99_us": self.percentile(99),
            "durability": library.durability,
            "note": self.note,
        });
        println!("{line}");
        Ok(())
    }

    fn percentile(&self, percent: usize) -> Option<f64> {
        let times = self.times.as_ref()?;
        let last = times.len().checked_sub(1)?;
        let time = times.get((last * percent).div_ceil(100))?;
        Some(time.as_secs_f64() * 1e6)
    }
}

impl Scenario {
    fn name(self) -> Value {
        let named = Self::ALL.iter().find(|(_, scenario)| *scenario == self);
        json!(named.map(|(name, _)| name))
    }
}

/// Fails unless so many jobs are recorded as done: what is not recorded was not drained.
pub fn check_done(done: u64, count: u64) -> Result {
    if done == count {
        return Ok(());
    }
    Err(format!("{done} of {count} jobs are recorded as done").into())
}

/// Fails unless the file is in WAL mode, which is what all are compared in: the two bytes that say so are both 2.
fn check_wal(store: &Path) -> Result {
    let mut bytes = [0; 2];
    let mut file = File::open(store)?;
    file.seek(SeekFrom::Start(18))?;
    file.read_exact(&mut bytes)?;
    match bytes {
        [2, 2] => Ok(()),
        _ => Err("the database is not in WAL mode".into()),
    }
}

fn version(library: &Library) -> Result<String> {
    let package = format!("name = \"{}\"\nversion = \"", library.name);
    let after = library.lock.split_once(&package).map(|(_, after)| after);
    let version = after.and_then(|after| after.split_once('"'));
    let (version, _) = version.ok_or_else(|| format!("no `{}` in Cargo.lock", library.name))?;
    Ok(version.to_owned())
}
