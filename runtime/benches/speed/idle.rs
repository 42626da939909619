//! What a worker process costs that has nothing to do. Read from `/proc`, so on Linux alone.

use std::time::Duration;

use afterhours::Result;
use tokio::runtime::Runtime;

use crate::child::Child;
use crate::report::Report;
use crate::stage::Store;

/// Until it has settled.
const SETTLES: Duration = Duration::from_secs(5);
const LOOKED_AT: Duration = Duration::from_secs(15);

pub(crate) fn part(runtime: &Runtime, report: &mut Report) -> Result {
    if !cfg!(target_os = "linux") {
        return Ok(());
    }
    let store = runtime.block_on(Store::new())?;
    let child = Child::spawn("arrive", &store.path(), &[])?;
    std::thread::sleep(SETTLES);
    let before = Spent::of(child.id())?;
    std::thread::sleep(LOOKED_AT);
    let after = Spent::of(child.id())?;
    let seconds = LOOKED_AT.as_secs_f64();
    let cpu = 100.0 * (after.nanos - before.nanos) / 1e9 / seconds;
    report.at_most("idle worker: processor", "%", cpu, 0.1);
    let wakes = (after.wakes - before.wakes) / seconds;
    report.at_most("idle worker: wake-ups of its threads", "/s", wakes, 10.0);
    let written = after.written - before.written;
    report.at_most("idle worker: bytes written", "B", written, 0.0);
    report.value("idle worker: memory", "MiB", after.resident);
    child.end()?;
    Ok(())
}

/// By all threads of a process since it began.
pub(crate) struct Spent {
    nanos: f64,
    /// How often a thread has gone to sleep by itself.
    wakes: f64,
    written: f64,
    /// Now, in MiB.
    pub(crate) resident: f64,
}

impl Spent {
    pub(crate) fn of(process: u32) -> Result<Self> {
        let folder = format!("/proc/{process}");
        let (mut nanos, mut wakes) = (0.0, 0.0);
        for task in std::fs::read_dir(format!("{folder}/task"))? {
            let task = task?.path();
            // A thread may end meanwhile.
            let Ok(spent) = std::fs::read_to_string(task.join("schedstat")) else {
                continue;
            };
            nanos += spent.split(' ').next().unwrap_or("0").parse::<f64>()?;
            wakes += number(&task.join("status"), "voluntary_ctxt_switches:")?;
        }
        Ok(Self {
            nanos,
            wakes,
            written: number(format!("{folder}/io").as_ref(), "write_bytes:")?,
            resident: number(format!("{folder}/status").as_ref(), "VmRSS:")? / 1024.0,
        })
    }
}

/// What stands behind this word in a file of `/proc`.
fn number(file: &std::path::Path, word: &str) -> Result<f64> {
    let text = std::fs::read_to_string(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix(word));
    let line = line.ok_or_else(|| format!("`{}` has no `{word}`", file.display()))?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
