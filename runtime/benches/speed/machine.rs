//! What it was measured on: the same code is ten times as fast on another disk.

use std::io::Write;
use std::time::Instant;

use afterhours::Result;
use serde_json::{Map, Value};

const SYNCS: u32 = 50;

/// Names and values, for people.
pub(crate) fn facts() -> Result<Map<String, Value>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let facts = [
        ("cores", cores.to_string()),
        ("processor", processor()),
        ("system", system()),
        ("sqlite", rusqlite::version().to_owned()),
        ("afterhours", env!("CARGO_PKG_VERSION").to_owned()),
        (
            "mode",
            "WAL, synchronous=NORMAL unless a line says otherwise".to_owned(),
        ),
        ("fsync", format!("{:.0} us, median", fsync()?)),
    ];
    Ok(facts
        .into_iter()
        .map(|(name, fact)| (name.to_owned(), Value::String(fact)))
        .collect())
}

/// Of a page that was written, in microseconds; where the databases of this run are.
pub(crate) fn fsync() -> Result<f64> {
    let mut file = tempfile::tempfile()?;
    let mut times = Vec::new();
    for _ in 0..SYNCS {
        file.write_all(&[1; 4096])?;
        let since = Instant::now();
        file.sync_data()?;
        times.push(since.elapsed().as_secs_f64() * 1e6);
    }
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
