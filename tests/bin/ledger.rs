//! The ledger: a file to which every attempt appends a line, so that a test sees what happened in other processes.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use afterhours::Context;

/// Where this process writes; the state of its jobs.
#[derive(Debug)]
pub(crate) struct Ledger(pub(crate) PathBuf);

impl Ledger {
    /// Appends `run attempt what pid time` in one write, which `O_APPEND` keeps whole.
    pub(crate) fn note(&self, ctx: &Context, what: &str) {
        let time = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let line = format!(
            "{} {} {what} {} {}\n",
            ctx.id(),
            ctx.attempt(),
            std::process::id(),
            time.as_micros()
        );
        let file = OpenOptions::new().append(true).create(true).open(&self.0);
        // Without its line the test that waits for it fails, and names it.
        let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
    }
}
