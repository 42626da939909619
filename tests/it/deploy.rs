//! Two releases of one job crate on one store. Both are built here from `tests/deploy`, so what meets are the names,
//! signatures and bytes of two real builds. The comments in its `new.rs` say what has changed in each case.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use afterhours::Result;
use nix::sys::signal::Signal;

use crate::support::Folder;
use crate::support::process::{Process, wait_until};

/// The programs of a release.
struct Release {
    name: &'static str,
    producer: PathBuf,
    worker: PathBuf,
}

/// A run, and which change between the releases it stands for.
struct Run {
    case: String,
    id: String,
}

/// The two releases, built once for all tests. Cargo has let go of its lock when tests run.
fn releases() -> [&'static Release; 2] {
    static BUILT: OnceLock<[Release; 2]> = OnceLock::new();
    BUILT
        .get_or_init(|| [build("old", &[]), build("new", &["--features", "new"])])
        .each_ref()
}

fn build(name: &'static str, features: &[&str]) -> Release {
    let mut cargo = Command::new(env!("CARGO"));
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    cargo
        .args(["build", "--locked", "--message-format", "json"])
        .args(["--package", "afterhours-deploy", "--profile", profile()])
        // The folder of the build that made this test, whose dependencies are reused.
        .arg("--target-dir")
        .arg(target.expect("it lies in the target folder"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(features);
    let built = cargo.output().expect("cargo can be started");
    let messages = String::from_utf8_lossy(&built.stdout);
    let errors = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{errors}\n{messages}");
    let program = |program| keep(program, name, &messages);
    Release {
        name,
        producer: program("deploy-producer"),
        worker: program("deploy-worker"),
    }
}

/// As this test was built: the profile's folder has its name, but for `dev`.
fn profile() -> &'static str {
    let folder = Path::new(env!("CARGO_BIN_EXE_worker")).parent();
    let name = folder.and_then(Path::file_name);
    match name.and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    }
}

/// Moves a program away from where the other release's will be. A copy would not do: a file that was open for writing
/// while another test started a process may be too busy to be executed.
fn keep(program: &str, release: &str, messages: &str) -> PathBuf {
    let built = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == program)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .unwrap_or_else(|| panic!("cargo has built no {program}"));
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{program}-{release}"));
    std::fs::rename(built, &kept).expect("both are in the target folder");
    kept
}

impl Release {
    /// Has the producer do something, and gives back the lines it says.
    fn ask(&self, folder: &Folder, what: &str, run: Option<&Run>) -> Result<Vec<String>> {
        let mut command = Command::new(&self.producer);
        command.arg(what).arg(folder.store());
        command.args(run.into_iter().flat_map(|run| [&run.case, &run.id]));
        let mut process = Process::start(&mut command)?;
        let case = run.map_or("", |run| &run.case);
        let asked = format!("`{what} {case}` of the {} release", self.name);
        let mut end = None;
        wait_until(&asked, || {
            end = process.has_ended().ok().flatten();
            end.is_some()
        });
        assert!(end.is_some_and(|end| end.success()), "{asked}");
        Ok(process.lines())
    }

    /// A run of each job it has.
    fn enqueue(&self, folder: &Folder) -> Result<Vec<Run>> {
        let lines = self.ask(folder, "enqueue", None)?;
        let runs = lines.iter().filter_map(|line| line.split_once(' '));
        Ok(runs
            .map(|(case, id)| Run {
                case: case.to_owned(),
                id: id.to_owned(),
            })
            .collect())
    }

    /// A worker, once it works.
    fn work(&self, folder: &Folder) -> Result<Process> {
        let worker = Process::start(Command::new(&self.worker).arg(folder.store()))?;
        assert_eq!(worker.line(), "ready");
        Ok(worker)
    }

    /// Waits until the one worker there is has looked for runs.
    fn looked(&self, folder: &Folder) -> Result {
        self.ask(folder, "fence", None).map(drop)
    }

    /// How it sees a run.
    fn status(&self, folder: &Folder, run: &Run) -> Result<String> {
        Ok(self.ask(folder, "status", Some(run))?.concat())
    }

    /// The runs of these cases end with these results.
    fn gets(&self, folder: &Folder, runs: &[Run], expected: &[(&str, &str)]) -> Result {
        for (case, result) in expected {
            let run = the(case, runs);
            assert_eq!(self.ask(folder, "join", Some(run))?, [*result], "{case}");
        }
        Ok(())
    }
}

fn the<'a>(case: &str, runs: &'a [Run]) -> &'a Run {
    let run = runs.iter().find(|run| run.case == case);
    run.unwrap_or_else(|| panic!("no run of the case {case}"))
}

/// These runs, and no others of the list, lie in the file as they were enqueued: nobody has claimed one, ever.
fn untouched(folder: &Folder, runs: &[Run], expected: &[&str]) -> Result {
    let store = folder.outsider()?;
    let mut found = Vec::new();
    for run in runs {
        let is_untouched: bool = store.query_row(
            "SELECT state = 0 AND attempts = 0 AND started_at IS NULL AND note IS NULL
                    AND EXISTS (SELECT 1 FROM afterhours_ready WHERE run = id)
               FROM afterhours_runs WHERE id = ?1",
            [&run.id],
            |row| row.get(0),
        )?;
        found.extend(is_untouched.then_some(run.case.as_str()));
    }
    assert_eq!(found, expected);
    Ok(())
}

/// Another build's run reads as such, with the signature to accept if the version is the same.
fn foreign(status: &str) -> Option<&str> {
    status.strip_prefix("incompatible: it was stored with ")
}

/// SIGTERM, and the end that a deploy waits for.
fn stop(mut worker: Process) -> Result {
    worker.signal(Signal::SIGTERM);
    assert!(worker.end()?.success());
    Ok(())
}

#[test]
fn a_new_release_works_off_what_it_understands_and_keeps_the_rest_for_the_old_one() -> Result {
    let [old, new] = releases();
    let folder = Folder::new()?;
    let runs = old.enqueue(&folder)?;
    let new_worker = new.work(&folder)?;
    let executed = [
        ("reformatted", "new: abab"),
        ("renamed-parameter", "new: -3 degrees"),
        ("renamed-function", "new: number 4"),
        ("upgraded", "new: Ada Ada"),
        ("json-accepted", "new: Ada (en)"),
    ];
    new.gets(&folder, &runs, &executed)?;
    new.looked(&folder)?;
    let kept = ["swapped", "inserted", "json"];
    untouched(&folder, &runs, &kept)?;
    for case in kept {
        let run = the(case, &runs);
        let seen = new.status(&folder, run)?;
        assert!(foreign(&seen).is_some(), "{case}: {seen}");
        assert!(seen.contains("say `accepts = \""), "{case}: {seen}");
        assert_eq!(old.status(&folder, run)?, "Ready", "{case}");
    }

    // A worker of the old release comes up beside the new one, as after a rollback of one machine.
    let old_worker = old.work(&folder)?;
    let executed = [
        ("swapped", "old: from 1 to 2"),
        ("inserted", "old: Large"),
        ("json", "old: Ada"),
    ];
    old.gets(&folder, &runs, &executed)?;
    stop(old_worker)?;
    stop(new_worker)
}

#[test]
fn an_old_release_leaves_alone_what_the_new_one_has_changed() -> Result {
    let [old, new] = releases();
    let folder = Folder::new()?;
    let runs = new.enqueue(&folder)?;
    let old_worker = old.work(&folder)?;
    old.gets(&folder, &runs, &[("reformatted", "old: abab")])?;
    old.looked(&folder)?;
    let kept = [
        "swapped",
        "inserted",
        "renamed-parameter",
        "renamed-function",
        "upgraded",
        "json",
        "json-accepted",
        "added",
    ];
    untouched(&folder, &runs, &kept)?;
    for case in kept {
        assert_eq!(new.status(&folder, the(case, &runs))?, "Ready", "{case}");
    }
    for case in [
        "swapped",
        "inserted",
        "renamed-parameter",
        "json",
        "json-accepted",
    ] {
        let seen = old.status(&folder, the(case, &runs))?;
        assert!(foreign(&seen).is_some(), "{case}: {seen}");
        assert!(seen.contains("say `accepts = \""), "{case}: {seen}");
    }
    // No signature is as good as another when the version is a later one.
    let seen = old.status(&folder, the("upgraded", &runs))?;
    let reason = foreign(&seen).unwrap_or_default();
    assert!(reason.starts_with("version 2 and signature "), "{seen}");
    assert!(!reason.contains("accepts"), "{seen}");

    let new_worker = new.work(&folder)?;
    new.gets(&folder, &runs, &NEW_RESULTS)?;
    stop(old_worker)?;
    stop(new_worker)
}

/// What only the new release can do with its own runs.
const NEW_RESULTS: [(&str, &str); 8] = [
    ("swapped", "new: from 1 to 2"),
    ("inserted", "new: Large"),
    ("renamed-parameter", "new: -3 degrees"),
    ("renamed-function", "new: number 4"),
    ("upgraded", "new: Ada Ada Ada"),
    ("json", "new: Ada (fr)"),
    ("json-accepted", "new: Ada (fr)"),
    ("added", "new: number 5"),
];

/// The rolling deploy: both releases enqueue and work at once, then the old one goes.
#[test]
fn both_releases_share_a_store_until_the_old_one_is_gone() -> Result {
    const ROUNDS: usize = 5;
    let [old, new] = releases();
    let folder = Folder::new()?;
    let old_worker = old.work(&folder)?;
    let new_worker = new.work(&folder)?;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push((old.enqueue(&folder)?, new.enqueue(&folder)?));
    }
    for (of_old, of_new) in &rounds {
        for (release, runs) in [(old, of_old), (new, of_new)] {
            for run in runs {
                let result = release.ask(&folder, "join", Some(run))?.concat();
                assert!(
                    may_be(release, &run.case, &result),
                    "{}: {result}",
                    run.case
                );
            }
        }
    }
    once_each(&folder)?;

    // The last old producer enqueues after the last old worker has gone.
    stop(old_worker)?;
    let late = old.enqueue(&folder)?;
    new.gets(&folder, &late, &[("reformatted", "new: abab")])?;
    new.looked(&folder)?;
    untouched(&folder, &late, &["swapped", "inserted", "json"])?;
    stop(new_worker)
}

/// Whether a run that this release has enqueued may end so while workers of both are there: whoever understands it
/// executes it.
fn may_be(release: &Release, case: &str, result: &str) -> bool {
    let by_both = match (release.name, case) {
        (_, "reformatted") => ["old: abab", "new: abab"],
        ("old", "renamed-parameter") => ["old: -3 degrees", "new: -3 degrees"],
        ("old", "renamed-function") => ["old: number 4", "new: number 4"],
        ("old", "upgraded") => ["old: Ada", "new: Ada Ada"],
        ("old", "json-accepted") => ["old: Ada", "new: Ada (en)"],
        ("old", "swapped") => ["old: from 1 to 2"; 2],
        ("old", "inserted") => ["old: Large"; 2],
        ("old", "json") => ["old: Ada"; 2],
        _ => return NEW_RESULTS.contains(&(case, result)),
    };
    by_both.contains(&result)
}

/// All runs are done, at the first attempt.
fn once_each(folder: &Folder) -> Result {
    let others: u32 = folder.outsider()?.query_row(
        "SELECT count(*) FROM afterhours_runs WHERE finished_at IS NULL OR attempts <> 1",
        [],
        |row| row.get(0),
    )?;
    assert_eq!(others, 0);
    Ok(())
}
