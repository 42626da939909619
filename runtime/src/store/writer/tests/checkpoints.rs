//! The WAL stays bounded, whoever writes and whoever is in the way, and nothing is lost on its way into the file.

use std::path::PathBuf;

use super::*;

const MIB: u64 = 1024 * 1024;
/// Larger than what waits in the WAL at most.
const RUNS: i64 = 600;
const PAYLOAD: usize = 256 * 1024;
/// 64 MiB, and what 64 commits of each of two processes add before they look.
const LARGEST: u64 = (64 + 2 * 64 / 4) * MIB;

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
    let reader = rusqlite::Connection::open(&path).unwrap();
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM afterhours_runs")
        .unwrap();
    let runs = 130 * MIB / u64::try_from(PAYLOAD).unwrap();
    for _ in 0..runs {
        in_time(writer.call(1, insert_large())).await.unwrap();
    }
    assert!(wal(&path) > 128 * MIB, "it keeps what the reader sees");
    reader.execute_batch("COMMIT").unwrap();
    // What is small does not grow it further; it shrinks at the next look.
    let since = Instant::now();
    while wal(&path) > 33 * MIB {
        assert!(since.elapsed() < FORGOTTEN, "{} MiB", wal(&path) / MIB);
        in_time(writer.call(1, insert("small"))).await.unwrap();
    }
}
