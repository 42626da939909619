//! Checkpoint: what is committed moves from the WAL into the file, and the WAL begins anew. Most of it moves on a
//! connection of its own while others write; the writer adds the little that came meanwhile, between two transactions.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use super::open::{Settings, configure};
use crate::error::Error;

/// The WAL is checkpointed when so many of its pages are in it alone: 32 MiB.
const MOST_PAGES: i64 = 8192;
/// From here on, 64 MiB, the writer waits for the disk: others can write faster than it does.
const TOO_MANY_PAGES: i64 = 2 * MOST_PAGES;
/// How long it waits for the checkpoint of another process. In tests the disk may be as slow as it likes.
const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 60 } else { 1 });
/// So few, 2 MiB, are left to the writer.
const FEW_PAGES: i64 = 512;
/// Rounds in which to come so far.
const ROUNDS: u32 = 6;
/// How often the writer tries to be the only one for a moment; a tenth of a millisecond lies between.
const TRIES: i32 = 200;
const PAUSE: Duration = Duration::from_micros(100);

/// The pages in the WAL, and how many of them are in the file too. Takes no lock.
const LOOK: &str = "PRAGMA wal_checkpoint(NOOP)";
const MOVE: &str = "PRAGMA wal_checkpoint(PASSIVE)";
const BEGIN_ANEW: &str = "PRAGMA wal_checkpoint(RESTART)";

/// How a checkpoint went.
#[derive(Debug, Clone, Copy)]
struct Outcome {
    /// Somebody was in the way.
    was_busy: bool,
    /// The pages of the WAL.
    in_wal: i64,
    /// Those that are not in the file too.
    left: i64,
}

/// How soon the WAL should be checkpointed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Haste {
    No,
    /// While others write.
    Soon,
    /// Before anything else is written.
    First,
}

pub(super) fn haste(conn: &Connection) -> Haste {
    match run(conn, LOOK) {
        // Most of a large WAL can be in the file and yet nobody came to begin it anew. If nothing at all is left, the next
        // transaction does.
        Ok(found) if found.in_wal > TOO_MANY_PAGES && found.left > 0 => Haste::First,
        Ok(found) if found.left > MOST_PAGES => Haste::Soon,
        _ => Haste::No,
    }
}

/// Moves most of the WAL into the file while others write. False if another process is at it already.
pub(crate) fn move_most(path: &Path, settings: Settings) -> Result<bool, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    configure(&conn, settings)?;
    for _ in 0..ROUNDS {
        if run(&conn, MOVE)?.was_busy {
            return Ok(false);
        }
        // What is in the file already goes from the WAL only when it begins anew, which must not come too late either.
        let found = run(&conn, LOOK)?;
        if found.left <= FEW_PAGES || found.in_wal > TOO_MANY_PAGES {
            break;
        }
    }
    Ok(true)
}

/// Moves all of it before this process writes on. False if the WAL cannot begin anew, because somebody reads.
pub(super) fn catch_up(conn: &mut Connection) -> Result<bool, Error> {
    let since = Instant::now();
    loop {
        let outcome = begin_anew(conn)?;
        if !outcome.is_of_another_process() || since.elapsed() > PATIENCE {
            return Ok(!outcome.was_busy);
        }
        std::thread::sleep(10 * PAUSE);
    }
}

/// Moves the rest while nobody can write, so that the next transaction begins the WAL anew. False if somebody reads; who
/// is at a checkpoint of another process begins it anew instead.
pub(super) fn end(conn: &mut Connection) -> Result<bool, Error> {
    let outcome = begin_anew(conn)?;
    Ok(!outcome.was_busy || outcome.is_of_another_process())
}

fn begin_anew(conn: &mut Connection) -> Result<Outcome, Error> {
    conn.busy_handler(Some(|tries| {
        std::thread::sleep(PAUSE);
        tries < TRIES
    }))?;
    let outcome = run(conn, BEGIN_ANEW);
    // The writer waits by itself, where it may.
    conn.busy_timeout(Duration::ZERO)?;
    tracing::debug!(target: "afterhours", ?outcome, "checkpointed the WAL");
    outcome
}

impl Outcome {
    /// SQLite then says -1 of both numbers.
    fn is_of_another_process(self) -> bool {
        self.was_busy && self.in_wal < 0
    }
}

fn run(conn: &Connection, checkpoint: &str) -> Result<Outcome, Error> {
    let mut checkpoint = conn.prepare_cached(checkpoint)?;
    Ok(checkpoint.query_row([], |row| {
        let (in_wal, in_file): (i64, i64) = (row.get(1)?, row.get(2)?);
        Ok(Outcome {
            was_busy: row.get(0)?,
            in_wal,
            left: in_wal - in_file,
        })
    })?)
}
