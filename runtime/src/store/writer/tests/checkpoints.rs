//! The WAL stays bounded, whoever writes and whoever is in the way, and nothing is lost on its way into the file.

use std::path::PathBuf;

use super::*;

const MIB: u64 = 1024 * 1024;
/// Larger than what waits in the WAL at most.
const RUNS: i64 = 600;
const PAYLOAD: usize = 256 * 1024;
/// 64 MiB, and what 16 commits of each of two processes add before they look, and each of them once more while it is
/// told.
const LARGEST: u64 = (64 + 2 * 20 / 4) * MIB;

fn insert_large() -> impl Work<RunId> {
    let new = NewRun {
        payload: vec![7; PAYLOAD],
        ..new("large")
    };
    move |store| Ok(store.insert(&new, NOW)?.id)
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    (folder, path)
}

fn wal(path: &Path) -> u64 {
    std::fs::metadata(path.with_extension("db-wal"))
        .unwrap()
        .len()
}

fn count(path: &Path) -> i64 {
    let conn = rusqlite::Connection::open(path).unwrap();
    let sound: String = conn
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(sound, "ok");
    conn.query_row("SELECT count(*) FROM afterhours_runs", [], |row| row.get(0))
        .unwrap()
}

fn reading(path: &Path) -> rusqlite::Connection {
    let reader = rusqlite::Connection::open(path).unwrap();
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM afterhours_runs")
        .unwrap();
    reader
}

/// Moves what can be moved: how many pages are in the WAL, and how many of them in the file too.
fn moved(conn: &rusqlite::Connection) -> (i64, i64) {
    loop {
        let outcome = conn
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
                Ok((row.get(1)?, row.get(2)?))
            })
            .unwrap();
        // Another one is under way, and ends by itself.
        if outcome != (-1, -1) {
            return outcome;
        }
    }
}

/// It shrinks by what is small: far less than what would ask for a checkpoint by itself.
async fn shrinks(writer: &Writer, path: &Path) {
    for _ in 0..1000 {
        in_time(writer.call(1, insert("small"))).await.unwrap();
        if wal(path) <= 33 * MIB {
            return;
        }
        // After checkpoints in vain it rests for a second at most.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{} MiB", wal(path) / MIB);
}

#[tokio::test]
async fn the_wal_stays_bounded_while_two_processes_write() {
    let (_folder, path) = place();
    let writers = [in_file(&path), in_file(&path)];
    let mut largest = 0;
    for _ in 0..RUNS / 2 {
        for writer in &writers {
            in_time(writer.call(1, insert_large())).await.unwrap();
        }
        largest = largest.max(wal(&path));
    }
    assert!(largest <= LARGEST, "{} MiB", largest / MIB);
    assert!(largest > 16 * MIB, "nothing to checkpoint");
    assert_eq!(count(&path), RUNS);
}

#[tokio::test]
async fn a_reader_holds_back_the_wal_only_as_long_as_it_reads() {
    let (_folder, path) = place();
    let writer = in_file(&path);
    let reader = reading(&path);
    let runs = 130 * MIB / u64::try_from(PAYLOAD).unwrap();
    for _ in 0..runs {
        in_time(writer.call(1, insert_large())).await.unwrap();
    }
    assert!(wal(&path) > 128 * MIB, "it keeps what the reader sees");
    drop(reader);
    shrinks(&writer, &path).await;
}

#[tokio::test]
async fn a_wal_of_which_most_is_in_the_file_begins_anew_too() {
    let (_folder, path) = place();
    let writer = in_file(&path);
    let look = rusqlite::Connection::open(&path).unwrap();
    // Somebody reads at each moment, and nobody for long: pages move into the file, yet the WAL cannot begin anew.
    let mut reader = reading(&path);
    for _ in 0..100 * MIB / u64::try_from(PAYLOAD).unwrap() {
        in_time(writer.call(1, insert_large())).await.unwrap();
        reader = reading(&path);
    }
    // What the last reader does not see stays behind.
    in_time(writer.call(1, insert("small"))).await.unwrap();
    assert!(wal(&path) > 100 * MIB, "it keeps what a reader may see");
    let (in_wal, in_file) = moved(&look);
    assert!(
        (1..1000).contains(&(in_wal - in_file)),
        "{in_file} of {in_wal} pages"
    );
    drop(reader);
    shrinks(&writer, &path).await;
}
