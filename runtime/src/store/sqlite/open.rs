//! Opening connections: the checks before anything is written, and the settings every connection gets.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::mounted::is_mounted_alone;
use super::{Core, Kinds, lock_holder, schema};
use crate::clock::Clock;
use crate::error::Error;
use crate::place::Place;
use crate::store::Effects;

/// Where a store lives.
#[derive(Debug, Clone)]
pub(crate) enum Location {
    File(PathBuf),
    Memory,
}

/// How the connections are set up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// fsync at each commit.
    pub(crate) full: bool,
    pub(crate) mmap: bool,
    /// How long to wait for another process's write transaction.
    pub(crate) busy_timeout: Duration,
    /// How many bytes the arguments of a run may have.
    pub(crate) max_payload: usize,
}

/// Readers wait this long; in WAL mode only recovery after a crash makes them wait at all.
const READER_WAITS: Duration = Duration::from_secs(5);

/// Opens the writing connection, creates and migrates the file, and returns the offset of the store's clock.
pub(crate) fn open_writer(
    location: &Location,
    settings: Settings,
    clock: &Clock,
) -> Result<(Core, i64), Error> {
    let (conn, path) = match location {
        Location::Memory => (Connection::open_in_memory()?, None),
        Location::File(path) => (open_file(path, settings)?, Some(path.clone())),
    };
    prepare(conn, path, settings, clock).map_err(|error| match (error, location) {
        (Error::Store(error), Location::File(path)) => explain(path, settings, &error),
        (error, _) => error,
    })
}

fn prepare(
    mut conn: Connection,
    path: Option<PathBuf>,
    settings: Settings,
    clock: &Clock,
) -> Result<(Core, i64), Error> {
    configure(&conn, settings)?;
    conn.pragma_update(None, "wal_autocheckpoint", 0)?;
    schema::migrate(&mut conn)?;
    let offset = schema::clock_offset(&mut conn, clock)?;
    // From here on the writer waits by itself, where it may.
    conn.busy_timeout(Duration::ZERO)?;
    conn.set_prepared_statement_cache_capacity(64);
    let place = path.as_deref().map(|path| place(path, &conn)).transpose()?;
    let core = Core {
        conn,
        place,
        looked: Instant::now(),
        kinds: Kinds::default(),
        held_up: false,
        effects: Effects::default(),
        path,
        commits: 0,
        resting: None,
        max_payload: settings.max_payload,
    };
    Ok((core, offset))
}

/// The database at the path that was given, and its WAL where SQLite has it: these differ if there is a link.
fn place(path: &Path, conn: &Connection) -> Result<Place, Error> {
    let wal = with_suffix(conn.path().map_or(path, Path::new), "-wal");
    let files = std::path::absolute(path).and_then(|path| Place::of([path, wal]));
    files.map_err(|source| Error::Io {
        what: format!(
            "`{}` or its `-wal` file cannot be looked at",
            path.display()
        ),
        source,
    })
}

/// Opens a reading connection on a file that the writer has created.
pub(crate) fn open_reader(path: &Path, settings: Settings) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(READER_WAITS)?;
    keep_plans(&conn)?;
    map_memory(&conn, settings)?;
    Ok(conn)
}

/// The path of a file beside the database.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Refuses a file that cannot be used, before anything is created or written beside it.
pub(crate) fn check_file(path: &Path, settings: Settings) -> Result<(), Error> {
    check_path(path)?;
    check_folder(path)?;
    if is_mounted_alone(path) {
        return Err(Error::Open {
            path: path.to_owned(),
            reason: "it is mounted by itself, without the files that SQLite and this library keep beside it: mount its folder instead".to_owned(),
        });
    }
    let is_new = std::fs::metadata(path).map_or(true, |file| file.len() == 0);
    if is_new {
        return Ok(());
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let explain = |error: rusqlite::Error| explain(path, settings, &error);
    let conn = Connection::open_with_flags(path, flags).map_err(explain)?;
    conn.busy_timeout(settings.busy_timeout).map_err(explain)?;
    if conn.is_readonly("main").map_err(explain)? {
        return Err(Error::ReadOnly {
            path: path.to_owned(),
        });
    }
    // SQLite looks into the file only when something is read from it.
    match schema::check(&conn) {
        Err(Error::Store(error)) => Err(explain(error)),
        checked => checked.map(drop),
    }
}

/// Opens the file, and makes it a WAL database if it is none yet.
fn open_file(path: &Path, settings: Settings) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let explain = |error: rusqlite::Error| explain(path, settings, &error);
    let conn = Connection::open_with_flags(path, flags).map_err(explain)?;
    conn.busy_timeout(settings.busy_timeout).map_err(explain)?;
    match use_wal(&conn).map_err(explain)?.as_str() {
        "wal" => Ok(conn),
        mode => Err(Error::Open {
            path: path.to_owned(),
            reason: format!(
                "it stays in journal mode `{mode}`, and WAL is needed: is it on a network file system?"
            ),
        }),
    }
}

fn use_wal(conn: &Connection) -> rusqlite::Result<String> {
    let pages: i64 = conn.query_row("PRAGMA page_count", [], |row| row.get(0))?;
    if pages == 0 {
        // Only before the first table exists; pruning gives the space back in small steps.
        conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
}

/// Names that SQLite would not take for a file.
fn check_path(path: &Path) -> Result<(), Error> {
    let reason = match path.to_str() {
        Some("") => "the path is empty: name a file",
        Some(":memory:") => "for a store in memory, call `Client::open_in_memory()`",
        _ => return Ok(()),
    };
    Err(Error::Open {
        path: path.to_owned(),
        reason: reason.to_owned(),
    })
}

/// The folder must exist and must not be open to strangers, who could replace the file.
fn check_folder(path: &Path) -> Result<(), Error> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let refuse = |reason: String| {
        Err(Error::Open {
            path: path.to_owned(),
            reason,
        })
    };
    if path.is_dir() {
        return refuse("it is a folder: name a file".to_owned());
    }
    match std::fs::metadata(folder) {
        Err(error) => refuse(format!(
            "its folder `{}` cannot be used ({error}): create it first",
            folder.display()
        )),
        Ok(found) if !found.is_dir() => refuse(format!("`{}` is no folder", folder.display())),
        Ok(found) if open_to_others(&found) => refuse(format!(
            "everybody can write to its folder `{}`: take the right away (`chmod o-w`)",
            folder.display()
        )),
        Ok(_) => Ok(()),
    }
}

/// Whether anybody may replace files there. The sticky bit, as on `/tmp`, forbids just that.
#[cfg(unix)]
fn open_to_others(folder: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    folder.permissions().mode() & 0o1002 == 0o0002
}

#[cfg(not(unix))]
fn open_to_others(_: &std::fs::Metadata) -> bool {
    false
}

fn explain(path: &Path, settings: Settings, error: &rusqlite::Error) -> Error {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => Error::NotADatabase { path },
        Some(ErrorCode::ReadOnly) => Error::ReadOnly { path },
        Some(ErrorCode::DatabaseBusy) => Error::Busy {
            waited: settings.busy_timeout,
            holder: lock_holder::of(&path),
        },
        Some(ErrorCode::DiskFull) => Error::DiskFull,
        Some(ErrorCode::DatabaseCorrupt) => {
            Error::Open { path, reason: "the file is damaged (`sqlite3 FILE .recover` saves what can be read)".to_owned() }
        }
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            Error::Open { path, reason: "this process may not read and write it: check the owner and mode of the file and its folder".to_owned() }
        }
        _ => Error::Open { path, reason: error.to_string() },
    }
}

/// Settings that SQLite keeps for each connection alone.
pub(super) fn configure(conn: &Connection, settings: Settings) -> Result<(), Error> {
    conn.pragma_update(
        None,
        "synchronous",
        if settings.full { "FULL" } else { "NORMAL" },
    )?;
    rusqlite::vtab::array::load_module(conn)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    keep_plans(conn)?;
    // After a checkpoint the WAL file keeps this much: room in which runs can still finish on a full disk, and which the
    // file system need not find again.
    conn.pragma_update(None, "journal_size_limit", 32 * 1024 * 1024)?;
    map_memory(conn, settings)
}

/// Else SQLite compiles many a statement anew whenever other values are bound to it, to plan by them. Our plans do not
/// depend on the values: what a partial index is for stands in the statement.
fn keep_plans(conn: &Connection) -> Result<(), Error> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

fn map_memory(conn: &Connection, settings: Settings) -> Result<(), Error> {
    let bytes: i64 = if settings.mmap { 256 * 1024 * 1024 } else { 0 };
    Ok(conn.pragma_update(None, "mmap_size", bytes)?)
}
