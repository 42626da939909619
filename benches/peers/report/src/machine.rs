//! What it was measured on: the same code is ten times as fast on another disk.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::{Map, Value};

use crate::Result;

const SYNCS: usize = 50;

/// Names and values, for people.
pub(crate) fn facts(databases: &Path, date: &str) -> Result<Map<String, Value>> {
    let cores = std::thread::available_parallelism()?;
    let facts = [
        ("date", date.to_owned()),
        ("cores", cores.to_string()),
        ("processor", processor()),
        ("system", system()),
        ("compiler", compiler()?),
        ("profile", "release, as cargo has it".to_owned()),
        (
            "SQLite",
            "compiled in by each library, in WAL mode".to_owned(),
        ),
        ("fsync", format!("{:.0} µs, median", fsync(databases)?)),
    ];
    let facts = facts.map(|(name, fact)| (name.to_owned(), Value::String(fact)));
    Ok(facts.into_iter().collect())
}

/// Of a page that was written, in microseconds, where the databases were.
fn fsync(databases: &Path) -> Result<f64> {
    let path = databases.join("fsync");
    let mut file = File::create(&path)?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        file.write_all(&[1; 4096])?;
        let since = Instant::now();
        file.sync_data()?;
        times.push(since.elapsed().as_secs_f64() * 1e6);
    }
    std::fs::remove_file(path)?;
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    name.map_or(std::env::consts::ARCH, |name| {
        name.trim_matches([' ', '\t', ':'])
    })
    .to_owned()
}

fn system() -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{} {}", std::env::consts::OS, kernel.trim())
}

fn compiler() -> Result<String> {
    let said = Command::new("rustc").arg("--version").output()?;
    Ok(String::from_utf8_lossy(&said.stdout).trim().to_owned())
}
