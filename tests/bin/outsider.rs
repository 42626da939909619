//! Other programs on the same file: they know SQLite, and nothing of this library.

use afterhours::Result;
use afterhours::rusqlite::Connection;

use super::{hear, say};

/// Holds the write lock until it hears a word.
pub(crate) fn hold(database: &str) -> Result {
    let conn = Connection::open(database)?;
    conn.busy_timeout(std::time::Duration::from_secs(60))?;
    conn.execute_batch("BEGIN IMMEDIATE")?;
    say("held")?;
    hear()?;
    conn.execute_batch("ROLLBACK")?;
    say("released")
}

/// Opens, writes something of its own, reads and closes, over and over, until it hears a word; says how often.
pub(crate) fn look(database: &str) -> Result {
    let stop = std::thread::spawn(|| hear().map(drop).map_err(|error| error.to_string()));
    let mut times = 0_u32;
    while !stop.is_finished() {
        look_once(database)?;
        times += 1;
        if times == 1 {
            say("looking")?;
        }
    }
    say(times)
}

fn look_once(database: &str) -> Result {
    let conn = Connection::open(database)?;
    conn.busy_timeout(std::time::Duration::from_secs(60))?;
    conn.execute_batch(
        "CREATE TABLE IF NOT EXISTS notes (text TEXT); INSERT INTO notes VALUES ('seen')",
    )?;
    let runs = "SELECT count(*) FROM afterhours_runs";
    conn.query_row(runs, [], |row| row.get::<_, u32>(0))?;
    Ok(conn.close().map_err(|(_, error)| error)?)
}

/// Copies the file as it is at this moment.
pub(crate) fn copy(database: &str, copy: &str) -> Result {
    let conn = Connection::open(database)?;
    conn.busy_timeout(std::time::Duration::from_secs(60))?;
    conn.execute("VACUUM INTO ?1", [copy])?;
    say("copied")
}
