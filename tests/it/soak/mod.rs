//! What takes minutes in earnest, and seconds among the other tests: random kills, many runs, a crowd on one file.
//! `scripts/soak` runs it in earnest and prints the table.

mod backlog;
mod contention;
mod kills;

use std::time::Duration;

use afterhours::Result;
use afterhours::rusqlite::Connection;

use crate::support::{Folder, LIMIT};

/// What is promised is a second; a machine under load gets a few.
const BOUND: Duration = Duration::from_secs(5);

/// How long workers are killed.
fn length() -> Result<Duration> {
    Ok(match std::env::var("AFTERHOURS_SOAK_MINUTES") {
        Ok(minutes) => Duration::from_secs_f64(minutes.parse::<f64>()? * 60.0),
        Err(_) => Duration::from_secs(4),
    })
}

/// How large the largest table is; the other numbers are in proportion to it.
fn rows() -> Result<usize> {
    Ok(match std::env::var("AFTERHOURS_SOAK_ROWS") {
        Ok(rows) => rows.parse()?,
        Err(_) => 20_000,
    })
}

/// What is done for each row may take a while.
fn patience() -> Result<Duration> {
    Ok(LIMIT + Duration::from_millis(rows()?.try_into()?) / 10)
}

/// A line of the table.
#[derive(Default)]
struct Row {
    scenario: &'static str,
    runs: usize,
    kills: usize,
    lost: usize,
    doubled: usize,
    /// In microseconds.
    slowest_rescue: Option<u64>,
    notes: String,
}

impl Row {
    #[allow(clippy::print_stdout)] // The table is what the script is for.
    fn print(&self) {
        let slowest = self.slowest_rescue.map_or("-".to_owned(), millis);
        println!(
            "\nsoak|{}|{}|{}|{}|{}|{slowest}|{}",
            self.scenario, self.runs, self.kills, self.lost, self.doubled, self.notes
        );
    }
}

fn millis(micros: u64) -> String {
    format!("{}.{} ms", micros / 1000, micros % 1000 / 100)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Copies of a run, with other values in some columns, written by another program in one transaction.
fn copy_run(store: &Connection, run: &str, count: usize, changes: &[(&str, &str)]) -> Result {
    let columns = [
        "kind",
        "state",
        "priority",
        "attempts",
        "enqueued_at",
        "due_at",
        "started_at",
        "finished_at",
        "expires",
        "room",
        "note",
        "options",
        "payload",
        "result",
    ];
    let values = columns.map(|column| {
        let change = changes.iter().find(|(changed, _)| *changed == column);
        change.map_or(column, |(_, value)| value)
    });
    let sql = format!(
        "WITH RECURSIVE numbers (number) AS (
             VALUES (1) UNION ALL SELECT number + 1 FROM numbers WHERE number < ?2
         )
         INSERT INTO afterhours_runs ({}) SELECT {} FROM numbers, afterhours_runs WHERE id = ?1",
        columns.join(", "),
        values.join(", ")
    );
    let copied = store.execute(&sql, (run, i64::try_from(count)?))?;
    assert_eq!(copied, count);
    store.execute_batch(
        "INSERT OR IGNORE INTO afterhours_ready (suspect, kind, priority, run)
         SELECT 0, kind, priority, id FROM afterhours_runs WHERE state = 0",
    )?;
    Ok(())
}

fn number(folder: &Folder, sql: &str) -> Result<usize> {
    let number: u32 = folder.outsider()?.query_row(sql, [], |row| row.get(0))?;
    Ok(number.try_into()?)
}
