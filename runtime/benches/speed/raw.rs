//! The limit: one connection, one thread, prepared statements, the least a queue could store, one partial index.

use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use afterhours::Result;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use crate::stage::{BATCH, micros};

/// Does something with a new database; returns what it returns.
pub(crate) fn raw(
    synchronous: &str,
    work: impl FnOnce(&mut Connection) -> rusqlite::Result<f64>,
) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let mut conn = open(&folder.path().join("raw.db"), synchronous)?;
    Ok(work(&mut conn)?)
}

fn open(path: &Path, synchronous: &str) -> rusqlite::Result<Connection> {
    let conn = Connection::open(path)?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", synchronous)?;
    conn.busy_timeout(Duration::from_secs(10))?;
    conn.execute_batch(
        "CREATE TABLE IF NOT EXISTS runs (id INTEGER PRIMARY KEY, state INTEGER NOT NULL, priority INTEGER NOT NULL, payload BLOB NOT NULL);
         CREATE INDEX IF NOT EXISTS ready ON runs (priority) WHERE state = 0;",
    )?;
    Ok(conn)
}

/// Rows a second.
pub(crate) fn inserts(conn: &mut Connection, rows: usize, batch: usize) -> rusqlite::Result<f64> {
    let payload = [0_u8; 20];
    let since = Instant::now();
    for _ in 0..rows / batch {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut insert =
            tx.prepare_cached("INSERT INTO runs (state, priority, payload) VALUES (0, 10, ?1)")?;
        for _ in 0..batch {
            insert.execute(params![payload])?;
        }
        drop(insert);
        tx.commit()?;
    }
    Ok(rows as f64 / since.elapsed().as_secs_f64())
}

/// Rows a second, claimed and marked done a thousand at a time.
pub(crate) fn drain(conn: &mut Connection, rows: usize) -> rusqlite::Result<f64> {
    inserts(conn, rows, BATCH)?;
    let since = Instant::now();
    for _ in 0..rows / BATCH {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let ids = claim_in(&tx, BATCH)?;
        let mut done = tx.prepare_cached("UPDATE runs SET state = 3 WHERE id = ?1")?;
        for id in ids {
            done.execute([id])?;
        }
        drop(done);
        tx.commit()?;
    }
    Ok(rows as f64 / since.elapsed().as_secs_f64())
}

const WARM: usize = 100_000;

/// How soon a second thread has claimed what the first one has inserted, one row at a time with pauses, in
/// microseconds: the least that enqueueing to an idle worker can take.
pub(crate) fn handed_over(rows: usize, pause: Duration) -> Result<Vec<f64>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("raw.db");
    let (mut here, mut there) = (open(&path, "NORMAL")?, open(&path, "NORMAL")?);
    // As in a file that is in use: the WAL has its pages, and begins anew.
    inserts(&mut here, WARM, 100)?;
    here.execute_batch("UPDATE runs SET state = 3; PRAGMA wal_checkpoint(RESTART)")?;
    let (word, words) = mpsc::channel::<Instant>();
    let (answer, answers) = mpsc::channel();
    let worker = std::thread::spawn(move || {
        for sent in words {
            let claimed = claim(&mut there, 1).map(|_| sent.elapsed());
            if answer.send(claimed).is_err() {
                break;
            }
        }
    });
    let mut times = Vec::new();
    for _ in 0..rows {
        let sent = Instant::now();
        inserts(&mut here, 1, 1)?;
        word.send(sent)?;
        times.push(micros(answers.recv()??));
        std::thread::sleep(pause);
    }
    drop(word);
    worker.join().map_err(|_| "the raw worker has panicked")?;
    Ok(times)
}

fn claim(conn: &mut Connection, rows: usize) -> rusqlite::Result<Vec<i64>> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let ids = claim_in(&tx, rows)?;
    tx.commit()?;
    Ok(ids)
}

fn claim_in(tx: &Transaction<'_>, rows: usize) -> rusqlite::Result<Vec<i64>> {
    let mut claim = tx.prepare_cached(
        "UPDATE runs SET state = 2 WHERE id IN (SELECT id FROM runs WHERE state = 0 ORDER BY priority LIMIT ?1) RETURNING id",
    )?;
    claim.query_map([rows as i64], |row| row.get(0))?.collect()
}
