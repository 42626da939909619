//! The SQLite store under test, in a file and in memory.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use std::time::UNIX_EPOCH;

use rusqlite::Connection;
use rusqlite::types::Value;
use tempfile::TempDir;

use super::{Fixture, Trial};
use crate::clock::{Clock, ManualClock};
use crate::error::Error;
use crate::store::sqlite::{Core, Location, Settings, check_file, open_writer, with_suffix};
use crate::store::{Effects, Store};

pub(super) const SETTINGS: Settings = Settings {
    full: false,
    mmap: false,
    busy_timeout: Duration::from_secs(30),
    max_payload: crate::sizes::PAYLOAD,
};
pub(super) fn file() -> Trial {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    let core = open(&path, &clock()).unwrap().0;
    Trial::new(InFile {
        folder,
        path,
        core: Some(core),
        waits: true,
        crashes: 0,
    })
}

pub(super) fn memory() -> Trial {
    let (core, _) = open_writer(&Location::Memory, SETTINGS, &clock()).unwrap();
    Trial::new(InMemory(core))
}

thread_local! {
    /// A store in memory that nobody uses at the moment.
    static USED: RefCell<Option<Core>> = const { RefCell::new(None) };
}

/// For many short lives: an empty store, in which those before have left their compiled statements.
pub(super) fn memory_again() -> Trial {
    let used = USED.with(RefCell::take);
    let mut core = used.unwrap_or_else(|| {
        open_writer(&Location::Memory, SETTINGS, &clock())
            .unwrap()
            .0
    });
    core.empty();
    Trial::new(Again(Some(InMemory(core))))
}

/// For many short lives: a file that was migrated before. Nothing waits for the disk: what is copied here, or read by
/// the next connection, is there without.
pub(super) fn file_again() -> Trial {
    static MIGRATED: OnceLock<Vec<u8>> = OnceLock::new();
    let migrated = MIGRATED.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jobs.db");
        drop(open(&path, &clock()).unwrap());
        std::fs::read(path).unwrap()
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    std::fs::write(&path, migrated).unwrap();
    let mut file = InFile {
        folder,
        path,
        core: None,
        waits: false,
        crashes: 0,
    };
    file.open();
    Trial::new(file)
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

/// Every row of every table of ours. What it remembers of its clock is no news.
fn dump_all(conn: &Connection) -> Vec<String> {
    let named = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 'afterhours_*' ORDER BY 1";
    let mut tables = conn.prepare(named).unwrap();
    let tables = tables.query_map([], |row| row.get(0)).unwrap();
    let tables: Vec<String> = tables.map(Result::unwrap).collect();
    let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
    assert!(tables.len() >= 7, "{tables:?}");
    let mut lines = dump(conn, &tables);
    lines.retain(|line| !line.contains("clock_"));
    lines
}

struct InFile {
    folder: TempDir,
    path: PathBuf,
    core: Option<Core>,
    /// Whether it waits for the disk, as a store does.
    waits: bool,
    crashes: u32,
}

impl InFile {
    fn open(&mut self) {
        let core = open(&self.path, &clock()).unwrap().0;
        if !self.waits {
            let off = core.connection().pragma_update(None, "synchronous", "OFF");
            off.unwrap();
        }
        self.core = Some(core);
    }

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
        self.path = path;
        self.open();
    }

    fn reopen(&mut self) {
        self.core = None;
        self.open();
    }

    fn survives_by_reopening(&self) -> bool {
        true
    }

    fn contents(&mut self) -> Vec<String> {
        dump_all(&Connection::open(&self.path).unwrap())
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

    fn reopen(&mut self) {}

    fn survives_by_reopening(&self) -> bool {
        false
    }

    fn contents(&mut self) -> Vec<String> {
        dump_all(self.0.connection())
    }
}

/// A store that others use again.
struct Again(Option<InMemory>);

impl Again {
    fn inner(&mut self) -> &mut InMemory {
        self.0.as_mut().unwrap()
    }
}

impl Drop for Again {
    fn drop(&mut self) {
        USED.set(self.0.take().map(|memory| memory.0));
    }
}

impl Fixture for Again {
    fn store(&mut self) -> &mut dyn Store {
        self.inner().store()
    }

    fn begin(&mut self) {
        self.inner().begin();
    }

    fn commit(&mut self) -> Effects {
        self.inner().commit()
    }

    fn rollback(&mut self) {
        self.inner().rollback();
    }

    fn crash(&mut self) {
        self.inner().crash();
    }

    fn reopen(&mut self) {
        self.inner().reopen();
    }

    fn survives_by_reopening(&self) -> bool {
        false
    }

    fn contents(&mut self) -> Vec<String> {
        self.inner().contents()
    }
}

/// A clock that shows these times.
pub(super) fn clock_at(wall: i64, boot: i64) -> Clock {
    let manual = ManualClock::starting_at(UNIX_EPOCH);
    manual.advance(Duration::from_millis(boot.unsigned_abs()));
    manual.set_wall(crate::clock::from_millis(wall));
    Clock::Manual(Arc::clone(&manual))
}
