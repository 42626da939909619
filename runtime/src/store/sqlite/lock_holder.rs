//! Who holds the write lock of a database. Asks the system, which lists all locks, and never opens the files.

use std::path::Path;

use crate::error::LockHolder;

/// The system hands its list out in pieces, and leaves some locks out when others are given back between two of them.
#[cfg(target_os = "linux")]
const LOOKS: usize = 10;

/// The process, where the system tells; it may have let go meanwhile.
#[cfg(target_os = "linux")]
pub(crate) fn of(path: &Path) -> Option<LockHolder> {
    let pid = (0..LOOKS).find_map(|_| {
        let locks = std::fs::read_to_string("/proc/locks").ok()?;
        linux::holder(&locks, path)
    })?;
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Some(LockHolder {
        pid,
        name: name.trim_end().to_owned(),
    })
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn of(_: &Path) -> Option<LockHolder> {
    None
}

#[cfg(target_os = "linux")]
mod linux {
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    use nix::sys::stat::{major, minor};

    use crate::store::sqlite::with_suffix;

    /// The byte of the `-shm` file that whoever writes in WAL mode has locked.
    const WAL_WRITE: u64 = 120;

    pub(super) fn holder(locks: &str, path: &Path) -> Option<u32> {
        let held = |path: &Path| {
            let file = file_of(path)?;
            Some(move |lock: &Lock| lock.file == file)
        };
        let locks = || locks.lines().filter_map(Lock::read);
        let in_wal = held(&with_suffix(path, "-shm"))
            .and_then(|is_of_it| locks().find(|lock| is_of_it(lock) && lock.covers(WAL_WRITE)));
        // Not yet in WAL mode, a writer locks the file itself.
        let lock =
            in_wal.or_else(|| held(path).and_then(|is_of_it| locks().find(|lock| is_of_it(lock))));
        lock.map(|lock| lock.pid)
    }

    /// As the system writes it into its list.
    fn file_of(path: &Path) -> Option<String> {
        let found = std::fs::metadata(path).ok()?;
        let device = found.dev();
        Some(format!(
            "{:02x}:{:02x}:{}",
            major(device),
            minor(device),
            found.ino()
        ))
    }

    /// A lock for writing, as in `1: POSIX  ADVISORY  WRITE 4711 fd:00:131083 120 120`.
    struct Lock<'a> {
        pid: u32,
        file: &'a str,
        first: u64,
        last: Option<u64>,
    }

    impl<'a> Lock<'a> {
        fn read(line: &'a str) -> Option<Self> {
            // Who waits for a lock has an arrow after the number, and then no `POSIX` there.
            let mut words = line.split_whitespace().skip(1);
            let is_held = words.next()? == "POSIX";
            let is_writing = words.nth(1)? == "WRITE";
            let lock = Self {
                pid: words.next()?.parse().ok()?,
                file: words.next()?,
                first: words.next()?.parse().ok()?,
                last: words.next()?.parse().ok(),
            };
            (is_held && is_writing).then_some(lock)
        }

        fn covers(&self, byte: u64) -> bool {
            self.first <= byte && self.last.is_none_or(|last| byte <= last)
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_writer_is_told_from_readers_waiters_and_other_files() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("jobs.db");
            let shm = with_suffix(&path, "-shm");
            std::fs::write(&path, "").unwrap();
            std::fs::write(&shm, "").unwrap();
            let (main, shm) = (file_of(&path).unwrap(), file_of(&shm).unwrap());
            let check = |locks: String, expected| assert_eq!(holder(&locks, &path), expected);
            let others = format!(
                "1: POSIX  ADVISORY  READ 11 {shm} 123 123\n\
                 2: POSIX  ADVISORY  WRITE 12 {shm} 121 122\n\
                 3: POSIX  ADVISORY  READ 13 {main} 1073741826 1073742335\n\
                 4: OFDLCK ADVISORY  WRITE -1 {shm} 120 120\n\
                 4: -> POSIX  ADVISORY  WRITE 14 {shm} 120 120\n\
                 5: POSIX  ADVISORY  WRITE 15 00:00:1 120 120\n"
            );
            check(others.clone(), None);
            check(
                format!("{others}6: POSIX  ADVISORY  WRITE 16 {shm} 120 120\n"),
                Some(16),
            );
            check(
                format!("{others}6: POSIX  ADVISORY  WRITE 17 {shm} 0 EOF\n"),
                Some(17),
            );
            check(
                format!("{others}6: POSIX  ADVISORY  WRITE 18 {main} 1073741825 1073741825\n"),
                Some(18),
            );
        }
    }
}
