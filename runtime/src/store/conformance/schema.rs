//! The SQLite file: what opening does to it, and the clock that it keeps.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, StatementStatus};
use tempfile::TempDir;

use super::sqlite::{SETTINGS, clock, clock_at, dump, open};
use super::{HOUR, NO_CAPS, Store, run};
use crate::clock::{Clock, Millis, Now};
use crate::error::Error;
use crate::store::sqlite::open_reader;
use crate::store::sqlite::schema::VERSION;
use crate::store::{Due, NewRun};

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    (folder, path)
}

fn pragma(path: &Path, name: &str) -> i64 {
    let conn = Connection::open(path).unwrap();
    conn.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))
        .unwrap()
}

fn sql(path: &Path, statements: &str) {
    Connection::open(path)
        .unwrap()
        .execute_batch(statements)
        .unwrap();
}

#[test]
fn a_newer_schema_is_refused_and_the_file_left_as_it_was() {
    let (_folder, path) = place();
    drop(open(&path, &clock()).unwrap());
    for newer in [VERSION + 1, VERSION + 99] {
        sql(
            &path,
            &format!("UPDATE afterhours_meta SET value = {newer} WHERE key = 'schema'"),
        );
        let before = std::fs::read(&path).unwrap();
        let error = open(&path, &clock()).unwrap_err();
        assert!(
            matches!(error, Error::SchemaTooNew { found, known: VERSION } if found == newer),
            "{error}"
        );
        assert!(std::fs::read(&path).unwrap() == before);
    }
}

#[test]
fn a_newer_schema_in_another_journal_mode_is_left_as_it_was() {
    let (_folder, path) = place();
    drop(open(&path, &clock()).unwrap());
    sql(
        &path,
        "PRAGMA journal_mode = DELETE; UPDATE afterhours_meta SET value = 99 WHERE key = 'schema'",
    );
    let before = std::fs::read(&path).unwrap();
    open(&path, &clock()).unwrap_err();
    assert!(std::fs::read(&path).unwrap() == before);
}

#[test]
fn migrating_twice_changes_nothing() {
    let (_folder, path) = place();
    drop(open(&path, &clock()).unwrap());
    let tables = ["sqlite_schema", "afterhours_meta"];
    let before = dump(&Connection::open(&path).unwrap(), &tables);
    drop(open(&path, &clock()).unwrap());
    assert_eq!(dump(&Connection::open(&path).unwrap(), &tables), before);
}

#[test]
fn the_tables_of_an_application_stay_as_they_are() {
    let (_folder, path) = place();
    sql(
        &path,
        "PRAGMA user_version = 42; PRAGMA application_id = 7;
         CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO users VALUES (1, 'Ada');",
    );
    drop(open(&path, &clock()).unwrap());
    drop(open(&path, &clock()).unwrap());
    let conn = Connection::open(&path).unwrap();
    assert_eq!(
        dump(&conn, &["users"]),
        ["users [Integer(1), Text(\"Ada\")]"]
    );
    assert_eq!(pragma(&path, "user_version"), 42);
    assert_eq!(pragma(&path, "application_id"), 7);
    let others: i64 = conn
        .query_row(
            "SELECT count(*) FROM sqlite_schema WHERE tbl_name NOT LIKE 'afterhours\\_%' ESCAPE '\\'
             AND name NOT IN ('users', 'sqlite_sequence')",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(others, 0, "all that is ours carries our name");
}

#[test]
fn a_fresh_file_can_give_its_pages_back_and_waits_in_wal_mode() {
    const INCREMENTAL: i64 = 2;
    let (_folder, path) = place();
    drop(open(&path, &clock()).unwrap());
    assert_eq!(pragma(&path, "auto_vacuum"), INCREMENTAL);
    let mode: String = Connection::open(&path)
        .unwrap()
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "wal");
}

/// So many rows that are of no use.
const PADDING: &str = "
    CREATE TABLE padding (bytes BLOB);
    WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 6000)
        INSERT INTO padding SELECT zeroblob(4000) FROM number;
    DROP TABLE padding;";

#[test]
fn a_file_with_many_unused_pages_shrinks_in_steps_and_keeps_some() {
    let (_folder, path) = place();
    let (mut core, _) = open(&path, &clock()).unwrap();
    sql(&path, PADDING);
    let pages = pragma(&path, "page_count");
    assert!(pages > 6000, "{pages}");
    let mut steps = 0;
    loop {
        core.begin().unwrap();
        let goes_on = core.shrink().unwrap();
        core.commit().unwrap();
        if !goes_on {
            break;
        }
        steps += 1;
    }
    let unused = pragma(&path, "freelist_count");
    assert!((1024 - 256..=1024).contains(&unused), "{unused}");
    assert!(steps > 10, "{steps} steps");
    assert!(pragma(&path, "page_count") < pages / 2);
}

#[test]
fn a_file_that_was_made_by_others_does_not_shrink() {
    let (_folder, path) = place();
    sql(&path, "CREATE TABLE users (id INTEGER PRIMARY KEY)");
    let (mut core, _) = open(&path, &clock()).unwrap();
    sql(&path, PADDING);
    core.begin().unwrap();
    assert!(!core.shrink().unwrap());
}

/// Opens, and tells what the store's clock shows.
fn show(path: &Path, clock: &Clock) -> Millis {
    open(path, clock).unwrap().1 + clock.boot()
}

/// Another boot: the time since it starts again, and it has another name.
fn reboot(path: &Path) {
    sql(
        path,
        "UPDATE afterhours_meta SET value = 'an earlier boot' WHERE key = 'clock_boot'",
    );
}

const START: Millis = 1_700_000_000_000;

#[test]
fn the_store_clock_stands_still_while_the_wall_clock_is_set() {
    let (_folder, path) = place();
    let first = show(&path, &clock_at(START, 5_000));
    assert_eq!(first, START);
    for set in [-9 * HOUR, 9 * HOUR] {
        assert_eq!(show(&path, &clock_at(START + set, 6_000)), first + 1_000);
    }
}

#[test]
fn the_store_clock_goes_on_after_a_reboot() {
    let (_folder, path) = place();
    show(&path, &clock_at(START, 5_000));
    reboot(&path);
    assert_eq!(show(&path, &clock_at(START + HOUR, 10)), START + HOUR);
}

#[test]
fn the_store_clock_never_goes_back_when_the_wall_clock_was_set_back_before_a_reboot() {
    let (_folder, path) = place();
    let first = show(&path, &clock_at(START, 5_000));
    reboot(&path);
    let second = show(&path, &clock_at(START - 9 * HOUR, 10));
    assert!(second >= first, "{second} before {first}");
    reboot(&path);
    assert!(show(&path, &clock_at(START - 20 * HOUR, 10)) >= second);
}

#[test]
fn the_store_clock_never_goes_back_behind_what_a_long_lived_process_saw() {
    let (_folder, path) = place();
    let day = 24 * HOUR;
    let (mut core, offset) = open(&path, &clock_at(START, 5_000)).unwrap();
    let now = Now {
        wall: START + 10 * day,
        store: 5_000 + 10 * day + offset,
    };
    let delayed = NewRun {
        due: Due::Store(now.store + 1),
        ..run()
    };
    core.begin().unwrap();
    core.insert(&delayed, now).unwrap();
    let cutoffs = core.cutoffs(NO_CAPS).unwrap();
    core.prune(9, &cutoffs, now).unwrap();
    core.commit().unwrap();
    drop(core);
    reboot(&path);
    let after = show(&path, &clock_at(START + 5 * day, 10));
    assert!(after >= now.store, "{after} before {}", now.store);
}

#[test]
fn a_store_in_which_nothing_waits_is_not_written_to() {
    let (_folder, path) = place();
    let (mut core, offset) = open(&path, &clock_at(START, 5_000)).unwrap();
    core.begin().unwrap();
    let now = Now {
        wall: START,
        store: 5_000 + offset,
    };
    core.insert(&run(), now).unwrap();
    core.commit().unwrap();
    let written = core.connection().total_changes();
    for hour in 1..=9 {
        let now = Now {
            wall: START + hour * HOUR,
            store: 5_000 + hour * HOUR + offset,
        };
        core.begin().unwrap();
        let cutoffs = core.cutoffs(NO_CAPS).unwrap();
        core.prune(9, &cutoffs, now).unwrap();
        core.commit().unwrap();
    }
    assert_eq!(core.connection().total_changes(), written);
}

#[test]
fn the_store_clock_never_goes_back_where_boots_cannot_be_told_apart() {
    let (_folder, path) = place();
    let first = show(&path, &clock_at(START, 50 * HOUR));
    let second = show(&path, &clock_at(START + HOUR, 10));
    assert_eq!(second, first + HOUR);
}

#[test]
fn other_values_do_not_make_sqlite_compile_a_statement_again() {
    let (_folder, path) = place();
    let (core, _) = open(&path, &clock()).unwrap();
    let reader = open_reader(&path, SETTINGS).unwrap();
    for conn in [core.connection(), &reader] {
        for sql in [
            "SELECT run, priority FROM afterhours_ready WHERE suspect = 0 AND kind = ?1 ORDER BY priority DESC, run LIMIT ?2",
            "SELECT attempt FROM afterhours_attempts WHERE run = ?1 AND seq < ?2 ORDER BY seq",
        ] {
            let mut statement = conn.prepare(sql).unwrap();
            for value in 1..5 {
                let mut rows = statement.query([value, value + 7]).unwrap();
                while rows.next().unwrap().is_some() {}
            }
            assert_eq!(statement.get_status(StatementStatus::RePrepare), 0, "{sql}");
        }
    }
}
