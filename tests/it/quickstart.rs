//! The first program that people run: what it counts, and that it goes on where it was, however it ended.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use std::{env, fs, io, thread};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

const TEXTS: u64 = 300;
const OTHERS: u64 = 3;

#[test]
fn the_summary_agrees_with_wc() -> Result<()> {
    let tree = Tree::new()?;
    let output = Quickstart::start(&tree, Pace::Full)?.finish()?;
    assert_eq!(output.summary, tree.expected()?);
    if let Some(wc) = tree.wc()? {
        let Summary {
            lines,
            words,
            bytes,
            ..
        } = output.summary;
        assert_eq!((lines, words, bytes), wc);
    }

    // A complete index is forgotten: the next run reads the files again.
    tree.append_a_line_to_every_text()?;
    let output = Quickstart::start(&tree, Pace::Full)?.finish()?;
    assert_eq!(output.resumed, None);
    assert_eq!(output.summary, tree.expected()?);
    Ok(())
}

#[test]
fn killed_half_way_it_counts_every_file_once() -> Result<()> {
    let tree = Tree::new()?;
    let seen = Quickstart::start(&tree, Pace::Slow)?
        .end_half_way(Signal::SIGKILL)?
        .0;
    let output = Quickstart::start(&tree, Pace::Full)?.finish()?;
    assert_eq!(output.summary, tree.expected()?);
    let resumed = output.resumed.context("it did not resume")?;
    assert!(
        (seen..TEXTS + OTHERS).contains(&resumed),
        "saw {seen}, resumed at {resumed}"
    );
    Ok(())
}

#[test]
fn killed_twice_it_still_counts_every_file_once() -> Result<()> {
    let tree = Tree::new()?;
    Quickstart::start(&tree, Pace::Slow)?.end_half_way(Signal::SIGKILL)?;
    Quickstart::start(&tree, Pace::Slow)?.end_half_way(Signal::SIGKILL)?;
    assert_eq!(
        Quickstart::start(&tree, Pace::Full)?.finish()?.summary,
        tree.expected()?
    );
    Ok(())
}

#[test]
fn what_was_done_before_the_kill_is_not_done_again() -> Result<()> {
    let tree = Tree::new()?;
    tree.remove_the_others()?;
    let before = tree.expected()?;
    Quickstart::start(&tree, Pace::Slow)?.end_half_way(Signal::SIGKILL)?;
    // Only the files that are read from now on count with their new line.
    tree.append_a_line_to_every_text()?;
    let output = Quickstart::start(&tree, Pace::Full)?.finish()?;
    let resumed = output.resumed.context("it did not resume")?;
    assert_eq!(output.summary.texts, TEXTS);
    assert_eq!(output.summary.lines, before.lines + TEXTS - resumed);
    Ok(())
}

#[test]
fn interrupted_it_ends_cleanly_and_goes_on() -> Result<()> {
    let tree = Tree::new()?;
    let (seen, status) = Quickstart::start(&tree, Pace::Slow)?.end_half_way(Signal::SIGINT)?;
    assert_eq!(status.code(), Some(0));
    let output = Quickstart::start(&tree, Pace::Full)?.finish()?;
    let resumed = output.resumed.context("it did not resume")?;
    assert!(
        (seen..TEXTS + OTHERS).contains(&resumed),
        "saw {seen}, resumed at {resumed}"
    );
    assert_eq!(output.summary, tree.expected()?);
    Ok(())
}

/// The last line that the program prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Summary {
    texts: u64,
    lines: u64,
    words: u64,
    bytes: u64,
    crc32: u32,
}

impl Summary {
    /// Reads `3 text files: 14 lines, 15 words, 92 bytes, crc32 0123abcd`.
    fn parse(line: &str) -> Option<Self> {
        let (texts, rest) = line.split_once(" text files: ")?;
        let (lines, rest) = rest.split_once(" lines, ")?;
        let (words, rest) = rest.split_once(" words, ")?;
        let (bytes, crc32) = rest.split_once(" bytes, crc32 ")?;
        Some(Self {
            texts: texts.parse().ok()?,
            lines: lines.parse().ok()?,
            words: words.parse().ok()?,
            bytes: bytes.parse().ok()?,
            crc32: u32::from_str_radix(crc32, 16).ok()?,
        })
    }
}

/// A folder with texts and files that are none, and beside it the folder that the program is started in.
struct Tree {
    folder: TempDir,
    start: TempDir,
}

impl Tree {
    fn new() -> Result<Self> {
        let tree = Self {
            folder: TempDir::new()?,
            start: TempDir::new()?,
        };
        for n in 0..TEXTS {
            let folder = tree.folder.path().join(format!("{}/{}", n % 7, n % 3));
            fs::create_dir_all(&folder)?;
            // From none to 299 lines; the last one without its end, words at the edges, letters of two bytes.
            let mut text = format!("\tline  {n} of été\n").repeat(usize::try_from(n)?);
            text.push_str(if n % 2 == 0 { "the end" } else { "" });
            fs::write(folder.join(format!("{n}.txt")), text)?;
        }
        fs::write(tree.folder.path().join("latin1.txt"), b"caf\xe9\n")?;
        fs::write(tree.folder.path().join("binary"), [0, 159, 146, 150])?;
        fs::write(
            tree.folder.path().join("3/half"),
            "é".as_bytes().split_at(1).0,
        )?;
        for skipped in ["target", ".git"] {
            fs::create_dir(tree.folder.path().join(skipped))?;
            fs::write(
                tree.folder.path().join(skipped).join("skipped.txt"),
                "not counted\n",
            )?;
        }
        Ok(tree)
    }

    /// The texts in the order of their paths.
    fn texts(&self) -> Result<Vec<(PathBuf, String)>> {
        let root = fs::canonicalize(&self.folder)?;
        let mut folders = vec![root];
        let mut texts = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                if path.ends_with("target") || path.ends_with(".git") {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                } else if let Ok(text) = String::from_utf8(fs::read(&path)?) {
                    texts.push((path, text));
                }
            }
        }
        texts.sort_by(|(a, _), (b, _)| a.as_os_str().cmp(b.as_os_str()));
        Ok(texts)
    }

    /// Counted here and now, over all the texts put together.
    fn expected(&self) -> Result<Summary> {
        let texts = self.texts()?;
        let count = |of: fn(&str) -> usize| texts.iter().map(|(_, text)| of(text) as u64).sum();
        let together: String = texts.iter().map(|(_, text)| text.as_str()).collect();
        Ok(Summary {
            texts: texts.len() as u64,
            lines: count(|text| text.split('\n').count() - 1),
            words: count(|text| text.split_ascii_whitespace().count()),
            bytes: count(str::len),
            crc32: crc32(together.as_bytes()),
        })
    }

    /// Lines, words and bytes according to `wc`, where there is one.
    fn wc(&self) -> Result<Option<(u64, u64, u64)>> {
        let output = Command::new("wc")
            .args(["-l", "-w", "-c"])
            .args(self.texts()?.into_iter().map(|(path, _)| path))
            .env("LC_ALL", "C.UTF-8")
            .output();
        let output = match output {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            output => output?,
        };
        ensure!(output.status.success(), "wc: {}", output.status);
        let output = String::from_utf8(output.stdout)?;
        let total = output.lines().last().context("wc is silent")?;
        let mut numbers = total.split_whitespace().map(str::parse);
        let mut next = || numbers.next().context("wc says too little");
        Ok(Some((next()??, next()??, next()??)))
    }

    fn append_a_line_to_every_text(&self) -> Result<()> {
        for (path, text) in self.texts()? {
            fs::write(path, format!("{text}\n"))?;
        }
        Ok(())
    }

    fn remove_the_others(&self) -> Result<()> {
        for path in ["latin1.txt", "binary", "3/half"] {
            fs::remove_file(self.folder.path().join(path))?;
        }
        Ok(())
    }
}

/// The one of gzip and zlib; bit by bit, so that it owes nothing to what it checks.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

#[derive(Clone, Copy)]
enum Pace {
    Full,
    /// More than ten seconds for the whole tree: half-way is long enough to be met.
    Slow,
}

struct Output {
    resumed: Option<u64>,
    summary: Summary,
}

/// The program at work; killed when this is dropped.
struct Quickstart {
    child: Child,
    lines: Receiver<String>,
    deadline: Instant,
}

impl Quickstart {
    fn start(tree: &Tree, pace: Pace) -> Result<Self> {
        let pause = match pace {
            Pace::Full => "0",
            Pace::Slow => "300",
        };
        let mut child = Command::new(program())
            .arg(tree.folder.path())
            .current_dir(&tree.start)
            .env("QUICKSTART_PAUSE_MS", pause)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().context("it was piped")?;
        let (sender, lines) = channel();
        // Ends with the program, or with the test that reads no more.
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            child,
            lines,
            deadline: Instant::now() + Duration::from_secs(120),
        })
    }

    /// The next line, or `None` when the program has closed its output.
    fn line(&self) -> Result<Option<String>> {
        use std::sync::mpsc::RecvTimeoutError::{Disconnected, Timeout};
        let left = self.deadline.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(left) {
            Ok(line) => Ok(Some(line)),
            Err(Disconnected) => Ok(None),
            Err(Timeout) => anyhow::bail!("it takes longer than two minutes"),
        }
    }

    fn finish(mut self) -> Result<Output> {
        let mut resumed = None;
        let mut summaries = Vec::new();
        while let Some(line) = self.line()? {
            ensure!(!line.starts_with("left out"), "{line}");
            resumed = resumed.or(done_in(line.strip_prefix("resuming: ").unwrap_or_default()));
            summaries.extend(Summary::parse(&line));
        }
        ensure!(self.child.wait()?.success(), "it failed");
        ensure!(summaries.len() == 1, "{} summaries", summaries.len());
        Ok(Output {
            resumed,
            summary: summaries[0],
        })
    }

    /// Sends a signal when some files are done and some are not; tells how many were done by then.
    fn end_half_way(mut self, signal: Signal) -> Result<(u64, ExitStatus)> {
        let done = loop {
            let line = self.line()?.context("it ended before it was half-way")?;
            if let Some(done) = done_in(&line).filter(|done| *done > 0) {
                break done;
            }
        };
        ensure!(
            done < TEXTS,
            "it was not slow enough: {done} files are done"
        );
        kill(Pid::from_raw(self.child.id().try_into()?), signal)?;
        while let Some(line) = self.line()? {
            ensure!(Summary::parse(&line).is_none(), "it went on to the end");
        }
        Ok((done, self.child.wait()?))
    }
}

impl Drop for Quickstart {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads the first number of `12 of 303 files are done`.
fn done_in(line: &str) -> Option<u64> {
    let (done, _) = line.strip_suffix(" files are done")?.split_once(" of ")?;
    done.parse().ok()
}

/// Builds the program once, and tells where it is.
fn program() -> &'static Path {
    static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
        // This test is `<target>/<profile>/deps/it-<hash>`, the program `<target>/<profile>/examples/quickstart`.
        let test = env::current_exe().expect("a test knows where it is");
        let profile = test.ancestors().nth(2).expect("it lies in `deps`");
        let target = profile.parent().expect("a profile lies in a target folder");
        let name = match profile.file_name().and_then(|name| name.to_str()) {
            Some("debug") | None => "dev",
            Some(name) => name,
        };
        // Of the whole workspace, so that the features of its crates, and with them what `cargo test` has built, stay.
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--workspace", "--example", "quickstart"])
            .args(["--profile", name, "--target-dir"])
            .arg(target)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .expect("cargo starts");
        assert!(built.success(), "the program does not build");
        profile
            .join("examples/quickstart")
            .with_extension(env::consts::EXE_EXTENSION)
    });
    &PROGRAM
}
