//! Processes that a test starts and signals, and the ledger they write. None outlives its test.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::{Folder, LIMIT};

/// A running process.
pub(crate) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    said: Receiver<String>,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> std::io::Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (say, said) = channel();
        let (stdin, out) = (child.stdin.take(), child.stdout.take());
        std::thread::spawn(move || {
            let lines = out.into_iter().flat_map(|out| BufReader::new(out).lines());
            for line in lines.map_while(Result::ok) {
                let _ = say.send(line);
            }
        });
        Ok(Self { child, stdin, said })
    }

    /// A worker process on the store of this folder, once it works.
    pub(crate) fn worker(
        folder: &Folder,
        concurrency: u32,
        grace: Duration,
    ) -> std::io::Result<Self> {
        Self::worker_of("work", folder, concurrency, grace)
    }

    /// The same, for the jobs that this word stands for.
    pub(crate) fn worker_of(
        what: &str,
        folder: &Folder,
        concurrency: u32,
        grace: Duration,
    ) -> std::io::Result<Self> {
        let process = Self::start(
            worker()
                .arg(what)
                .args([folder.store(), ledger_path(folder)])
                .arg(concurrency.to_string())
                .arg(grace.as_millis().to_string())
                .env("AFTERHOURS_TEST_LOG", log_path(folder)),
        )?;
        assert_eq!(process.line(), "ready");
        Ok(process)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Says a line to it.
    pub(crate) fn tell(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("it was piped");
        writeln!(stdin, "{line}").expect("the process listens");
    }

    /// Says a line to it, and hears its answer.
    pub(crate) fn ask(&mut self, line: &str) -> String {
        self.tell(line);
        self.line()
    }

    /// The next line of its output.
    pub(crate) fn line(&self) -> String {
        self.said
            .recv_timeout(LIMIT)
            .expect("a line from the process")
    }

    /// Lines that came and were not read.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.said.iter().collect()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().expect("a pid is a pid_t"));
        kill(pid, signal).expect("the process is a child that was not waited for");
    }

    /// Kills it and waits until it is gone.
    pub(crate) fn kill(&mut self) -> std::io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Kills it, and waits for nothing.
    pub(crate) fn begin_kill(&mut self) -> std::io::Result<()> {
        self.child.kill()
    }

    pub(crate) fn has_ended(&mut self) -> std::io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Waits for the end.
    pub(crate) fn end(&mut self) -> std::io::Result<ExitStatus> {
        let mut end = None;
        wait_until("the end of the process", || {
            end = self.child.try_wait().ok().flatten();
            end.is_some()
        });
        end.ok_or_else(|| std::io::Error::other("no end"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Stops the process at a moment when it holds up nobody: a frozen writer would keep SQLite's lock.
pub(crate) fn freeze(process: &Process, folder: &Folder) -> afterhours::Result {
    const TRY_LOCK: &str = "BEGIN IMMEDIATE; ROLLBACK";
    let pid = Pid::from_raw(process.id().try_into()?);
    let store = folder.outsider()?;
    store.busy_timeout(Duration::from_millis(200))?;
    loop {
        process.signal(Signal::SIGSTOP);
        let stopped = waitpid(pid, Some(WaitPidFlag::WUNTRACED))?;
        assert!(matches!(stopped, WaitStatus::Stopped(..)), "{stopped:?}");
        if store.execute_batch(TRY_LOCK).is_ok() {
            return Ok(());
        }
        process.signal(Signal::SIGCONT);
        // Stopped again at once, it would still be where it was.
        wait_until("the lock", || store.execute_batch(TRY_LOCK).is_ok());
    }
}

/// The worker program, to be told what to do.
pub(crate) fn worker() -> Command {
    Command::new(env!("CARGO_BIN_EXE_worker"))
}

pub(crate) fn wait_until(what: &str, is_so: impl FnMut() -> bool) {
    wait_patiently(what, LIMIT, is_so);
}

pub(crate) fn wait_patiently(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < limit, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) fn ledger_path(folder: &Folder) -> PathBuf {
    folder.path().join("ledger")
}

/// What the worker processes have logged so far.
pub(crate) fn log(folder: &Folder) -> String {
    std::fs::read_to_string(log_path(folder)).unwrap_or_default()
}

fn log_path(folder: &Folder) -> PathBuf {
    folder.path().join("log")
}

/// A line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) run: String,
    pub(crate) attempt: u32,
    pub(crate) what: String,
    pub(crate) pid: u32,
    /// Microseconds.
    pub(crate) time: u64,
}

/// What the processes have written so far.
pub(crate) fn ledger(folder: &Folder) -> Vec<Entry> {
    read(&ledger_path(folder))
}

fn read(path: &Path) -> Vec<Entry> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(entry).collect()
}

fn entry(line: &str) -> Option<Entry> {
    let mut words = line.split(' ');
    Some(Entry {
        run: words.next()?.to_owned(),
        attempt: words.next()?.parse().ok()?,
        what: words.next()?.to_owned(),
        pid: words.next()?.parse().ok()?,
        time: words.next()?.parse().ok()?,
    })
}

/// Waits until the ledger is as wanted.
pub(crate) fn wait_for_ledger(
    folder: &Folder,
    what: &str,
    wanted: impl Fn(&[Entry]) -> bool,
) -> Vec<Entry> {
    let mut entries = Vec::new();
    wait_until(what, || {
        entries = ledger(folder);
        wanted(&entries)
    });
    entries
}

/// How many lines say this.
pub(crate) fn count(entries: &[Entry], what: &str) -> usize {
    entries.iter().filter(|entry| entry.what == what).count()
}

/// The moment on the clock of the ledger.
pub(crate) fn now() -> u64 {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    now.as_micros().try_into().unwrap_or(u64::MAX)
}

/// Attempts that started although an earlier one of the same run has not ended, each after that one.
pub(crate) fn restarts(lines: &[Entry]) -> Vec<(&Entry, &Entry)> {
    let mut active: BTreeMap<&str, &Entry> = BTreeMap::new();
    let mut restarts = Vec::new();
    for line in lines {
        if line.what == "start" {
            let earlier = active.insert(&line.run, line);
            restarts.extend(earlier.map(|earlier| (earlier, line)));
        } else {
            active.remove(line.run.as_str());
        }
    }
    restarts
}

/// Each run has at most one attempt at a time; a worker's attempts end with it.
pub(crate) fn assert_no_overlap(lines: &[Entry], deaths: &BTreeMap<u32, u64>) {
    for (earlier, later) in restarts(lines) {
        let died = deaths.get(&earlier.pid).copied().unwrap_or(u64::MAX);
        assert!(later.time > died, "{later:?} started beside {earlier:?}");
    }
}

/// An attempt that was lost has used up its number, also if it was claimed and did not start.
pub(crate) fn assert_counted(lines: &[Entry]) {
    for (earlier, later) in restarts(lines) {
        assert!(
            later.attempt > earlier.attempt,
            "{later:?} after {earlier:?}"
        );
    }
}
