//! The worker in another process: this program again, with another role. It says when it is ready and how long each
//! job was on its way, and ends when its parent closes its input or ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;

use crate::handled::{IS_CHILD, started};
use crate::{Error, Result};

pub(crate) const WORK: &str = "work";
const READY: &str = "ready";

/// A worker in another process, until it is dropped.
#[derive(Debug)]
pub struct OtherProcess(Child);

impl OtherProcess {
    /// Starts it, and returns when it is ready to work.
    pub fn start(store: &Path) -> Result<Self> {
        let child = Command::new(std::env::current_exe()?)
            .arg(WORK)
            .arg(store)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut this = Self(child);
        let output = this.0.stdout.take().ok_or("no output")?;
        let mut lines = BufReader::new(output).lines();
        if lines.next().transpose()?.as_deref() != Some(READY) {
            return Err("the worker process has ended too early".into());
        }
        std::thread::spawn(move || {
            for line in lines {
                started(line?.parse()?);
            }
            Ok::<_, Error>(())
        });
        Ok(this)
    }
}

impl Drop for OtherProcess {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // Whether it ends well changes nothing that was measured.
        let _ = self.0.wait();
    }
}

/// In the child: tells that the worker is ready, and blocks until it is no longer needed.
pub fn work_until_parent_ends() -> Result {
    IS_CHILD.store(true, Ordering::Relaxed);
    let mut output = std::io::stdout().lock();
    writeln!(output, "{READY}")?;
    drop(output);
    std::io::stdin().lock().read_to_end(&mut Vec::new())?;
    Ok(())
}
