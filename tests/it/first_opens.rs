//! Many first opens of one file at the same time.

use afterhours::Result;

use crate::support::Folder;
use crate::support::aftermath::assert_whole;
use crate::support::process::{Process, worker};

#[test]
fn four_hundred_first_opens_at_a_time_succeed_and_make_one_schema() -> Result {
    const PROCESSES: usize = 4;
    const THREADS: usize = 100;
    let folder = Folder::new()?;
    let mut processes = Vec::new();
    for _ in 0..PROCESSES {
        let mut command = worker();
        command
            .arg("open-many")
            .arg(folder.store())
            .arg(THREADS.to_string());
        let process = Process::start(&mut command)?;
        assert_eq!(process.line(), "ready");
        processes.push(process);
    }
    for process in &mut processes {
        process.tell("go");
    }
    for process in &mut processes {
        for _ in 0..THREADS {
            assert_eq!(process.line(), "opened");
        }
        assert_eq!(process.end()?.code(), Some(0));
    }
    assert_whole(&folder)?;
    let versions: Vec<i64> = folder
        .outsider()?
        .prepare("SELECT value FROM afterhours_meta WHERE key = 'schema'")?
        .query_map([], |row| row.get(0))?
        .collect::<afterhours::rusqlite::Result<_>>()?;
    assert_eq!(versions.len(), 1);
    Ok(())
}
