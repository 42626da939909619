//! The SQLite store under test, in a file and in memory.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::time::UNIX_EPOCH;

use rusqlite::Connection;
use rusqlite::types::Value;
use tempfile::TempDir;

use super::{Fixture, Trial};
use crate::clock::{Clock, ManualClock, Now};
use crate::error::Error;
use crate::run::RunId;
use crate::store::sqlite::{Core, Location, Settings, check_file, open_writer, with_suffix};
use crate::store::{Effects, Store};

pub(super) const SETTINGS: Settings = Settings {
    full: false,
    mmap: false,
    busy_timeout: Duration::from_secs(30),
    max_payload: crate::sizes::PAYLOAD,
};
const TABLES: [&str; 6] = [
    "kinds",
    "runs",
    "attempts",
    "workers",
    "schedules",
    "unique",
];

pub(super) fn file() -> Trial {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    let core = open(&path, &clock()).unwrap().0;
    Trial::new(InFile {
        folder,
        path,
        core: Some(core),
        crashes: 0,
    })
}

pub(super) fn memory() -> Trial {
    let (core, _) = open_writer(&Location::Memory, SETTINGS, &clock()).unwrap();
    Trial::new(InMemory(core))
}

/// Opens as a client does.
pub(super) fn open(path: &Path, clock: &Clock) -> Result<(Core, i64), Error> {
    check_file(path, SETTINGS)?;
    open_writer(&Location::File(path.to_owned()), SETTINGS, clock)
}

pub(super) fn clock() -> Clock {
    Clock::Manual(ManualClock::starting_at(UNIX_EPOCH))
}

/// Everything in these tables, a line for each row.
pub(super) fn dump(conn: &Connection, tables: &[&str]) -> Vec<String> {
    let mut lines = Vec::new();
    for table in tables {
        let mut rows = conn
            .prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2"))
            .unwrap();
        let columns = rows.column_count();
        let line = rows.query_map([], |row| {
            let values: Result<Vec<Value>, _> = (0..columns).map(|at| row.get(at)).collect();
            Ok(format!("{table} {:?}", values?))
        });
        lines.extend(line.unwrap().map(Result::unwrap));
    }
    lines
}

struct InFile {
    folder: TempDir,
    path: PathBuf,
    core: Option<Core>,
    crashes: u32,
}

impl InFile {
    fn core(&mut self) -> &mut Core {
        self.core.as_mut().unwrap()
    }
}

impl Fixture for InFile {
    fn store(&mut self) -> &mut dyn Store {
        self.core()
    }

    fn begin(&mut self) {
        self.core().begin().unwrap();
    }

    fn commit(&mut self) -> Effects {
        self.core().commit().unwrap()
    }

    fn rollback(&mut self) {
        self.core().rollback();
    }

    /// Copied while it is open: what a killed process leaves, with no last checkpoint and no clean close.
    fn crash(&mut self) {
        self.crashes += 1;
        let path = self.folder.path().join(format!("left-{}.db", self.crashes));
        for suffix in ["", "-wal"] {
            std::fs::copy(with_suffix(&self.path, suffix), with_suffix(&path, suffix)).unwrap();
        }
        self.core = Some(open(&path, &clock()).unwrap().0);
        self.path = path;
    }

    fn survives_by_reopening(&self) -> bool {
        true
    }

    fn contents(&mut self) -> Vec<String> {
        let conn = Connection::open(&self.path).unwrap();
        dump(
            &conn,
            &TABLES
                .map(|table| format!("afterhours_{table}"))
                .each_ref()
                .map(String::as_str),
        )
    }
}

struct InMemory(Core);

impl Fixture for InMemory {
    fn store(&mut self) -> &mut dyn Store {
        &mut self.0
    }

    fn begin(&mut self) {
        self.0.begin().unwrap();
    }

    fn commit(&mut self) -> Effects {
        self.0.commit().unwrap()
    }

    fn rollback(&mut self) {
        self.0.rollback();
    }

    fn crash(&mut self) {
        self.0.rollback();
    }

    fn survives_by_reopening(&self) -> bool {
        false
    }

    /// Only the one connection sees the store, so this is what the verbs show.
    fn contents(&mut self) -> Vec<String> {
        let now = Now { wall: 0, store: 0 };
        let mut lines: Vec<_> = (1..=64)
            .map(|id| {
                let [run, attempts] = [
                    format!("{:?}", self.0.run(RunId(id), now).unwrap()),
                    format!("{:?}", self.0.attempts(RunId(id)).unwrap()),
                ];
                format!("{id} {run} {attempts}")
            })
            .collect();
        lines.push(format!("{:?}", self.0.workers().unwrap()));
        lines
    }
}

/// A clock that shows these times.
pub(super) fn clock_at(wall: i64, boot: i64) -> Clock {
    let manual = ManualClock::starting_at(UNIX_EPOCH);
    manual.advance(Duration::from_millis(boot.unsigned_abs()));
    manual.set_wall(crate::clock::from_millis(wall));
    Clock::Manual(Arc::clone(&manual))
}
