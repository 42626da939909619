//! Who is alive: one lock file beside the database, one byte in it for each worker. The lock of a byte belongs to
//! the open file, so it ends with the process, however that ends, and is not inherited by its children. What is written
//! in the file tells which lock file it is, and which workers move: numbers of eight bytes, that of the file and then
//! one for each worker.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use locks::Locks;

use crate::store::sqlite::with_suffix;

/// Held while a file is opened and migrated.
const OPENING: i64 = 0;
/// The first worker's byte.
const FIRST_SLOT: i64 = 1;

/// The lock file, opened once more: each `LockFile` holds its own locks.
#[derive(Debug)]
pub(crate) struct LockFile {
    locks: Locks,
    content: File,
}

/// Which lock file it is: a number by chance, written once. If somebody removes the file, the next one is another,
/// and what its locks say of workers that hold those of the first is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LockFileId(pub(crate) i64);

/// The lock file of the store at this path.
pub(crate) fn lock_path_of(store: &Path) -> PathBuf {
    with_suffix(store, "-afterhours.lock")
}

impl LockFile {
    /// Opens the lock file; it is created when it is missing, and never removed.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            content: open_shared(path)?,
            locks: Locks::open(path)?,
        })
    }

    /// Waits until no other process opens or migrates the database; false if that takes longer than this.
    pub(crate) fn wait_to_open(&self, limit: Duration) -> io::Result<bool> {
        let since = Instant::now();
        let mut pause = Duration::from_micros(100);
        while !self.try_lock(OPENING)? {
            // The system's own waiting has no end, and whoever opens may be stopped.
            if since.elapsed() >= limit {
                return Ok(false);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(5));
        }
        Ok(true)
    }

    /// Which file this is. A new one is given `chance`; only whoever opens the store may do that.
    pub(crate) fn id_or(&self, chance: i64) -> io::Result<LockFileId> {
        if let Some(id) = self.id()? {
            return Ok(id);
        }
        // Zero is what an empty file reads as.
        let id = chance.max(1);
        self.write(0, id)?;
        Ok(LockFileId(id))
    }

    /// Which file this is; `None` of one that nobody has opened a store with.
    pub(crate) fn id(&self) -> io::Result<Option<LockFileId>> {
        let id = self.read(0)?;
        Ok((id != 0).then_some(LockFileId(id)))
    }

    /// Says that the worker with this byte moves, with a number that it has not said before.
    pub(crate) fn beat(&self, slot: i64, beat: i64) -> io::Result<()> {
        self.write(slot, beat)
    }

    /// What the worker with this byte has last said.
    pub(crate) fn last_beat(&self, slot: i64) -> io::Result<i64> {
        self.read(slot)
    }

    fn read(&self, place: i64) -> io::Result<i64> {
        let mut bytes = [0; 8];
        read_at(&self.content, &mut bytes, offset(place))?;
        Ok(i64::from_le_bytes(bytes))
    }

    fn write(&self, place: i64, number: i64) -> io::Result<()> {
        write_at(&self.content, &number.to_le_bytes(), offset(place))
    }

    /// Takes the first byte that nobody holds.
    pub(crate) fn take_slot(&self) -> io::Result<i64> {
        let mut slot = FIRST_SLOT;
        while !self.try_lock(slot)? {
            slot += 1;
        }
        Ok(slot)
    }

    /// Takes a worker's byte; false if the worker is alive.
    pub(crate) fn try_lock(&self, slot: i64) -> io::Result<bool> {
        self.locks.try_lock(slot)
    }

    /// Whether somebody holds a worker's byte.
    pub(crate) fn is_locked(&self, slot: i64) -> io::Result<bool> {
        self.locks.is_locked(slot)
    }

    /// Gives a byte back.
    pub(crate) fn unlock(&self, slot: i64) -> io::Result<()> {
        self.locks.unlock(slot)
    }
}

fn offset(place: i64) -> u64 {
    place.unsigned_abs().saturating_mul(8)
}

/// Beyond the end the file reads as zeros.
#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    // Numbers are written as a whole, so there is all of one or nothing.
    file.read_at(bytes, offset).map(drop)
}

#[cfg(unix)]
pub(crate) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(windows)]
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::windows::fs::FileExt::seek_read(file, bytes, offset).map(drop)
}

#[cfg(windows)]
pub(crate) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::windows::fs::FileExt::seek_write(file, bytes, offset).map(drop)
}

/// Opens a file that the processes of a store share; it is made for its user alone.
pub(crate) fn open_shared(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(target_os = "linux")]
mod locks {
    use std::fs::File;
    use std::io;
    use std::path::Path;

    use nix::errno::Errno;
    use nix::fcntl::{FcntlArg, fcntl};
    use nix::libc;

    /// Locks on single bytes that belong to this opening of the file (OFD locks).
    #[derive(Debug)]
    pub(super) struct Locks(File);

    impl Locks {
        pub(super) fn open(path: &Path) -> io::Result<Self> {
            super::open_shared(path).map(Self)
        }

        pub(super) fn try_lock(&self, byte: i64) -> io::Result<bool> {
            match fcntl(&self.0, FcntlArg::F_OFD_SETLK(&range(libc::F_WRLCK, byte))) {
                Ok(_) => Ok(true),
                Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
                Err(error) => Err(error.into()),
            }
        }

        pub(super) fn is_locked(&self, byte: i64) -> io::Result<bool> {
            let mut found = range(libc::F_WRLCK, byte);
            fcntl(&self.0, FcntlArg::F_OFD_GETLK(&mut found))?;
            Ok(i32::from(found.l_type) != libc::F_UNLCK)
        }

        pub(super) fn unlock(&self, byte: i64) -> io::Result<()> {
            Ok(fcntl(&self.0, FcntlArg::F_OFD_SETLK(&range(libc::F_UNLCK, byte))).map(drop)?)
        }
    }

    /// Bytes beyond the end of the file can be locked too.
    fn range(kind: libc::c_int, byte: i64) -> libc::flock {
        libc::flock {
            // The constants are small; the fields are as narrow as the platform made them.
            l_type: libc::c_short::try_from(kind).unwrap_or_default(),
            l_whence: libc::c_short::try_from(libc::SEEK_SET).unwrap_or_default(),
            l_start: byte,
            l_len: 1,
            l_pid: 0,
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod locks {
    use std::collections::HashMap;
    use std::fs::{File, TryLockError};
    use std::io;
    use std::path::{Path, PathBuf};
    use std::sync::{Mutex, PoisonError};

    /// Where bytes cannot be locked for one opening of a file, each byte is a file of its own.
    #[derive(Debug)]
    pub(super) struct Locks {
        path: PathBuf,
        held: Mutex<HashMap<i64, File>>,
    }

    impl Locks {
        pub(super) fn open(path: &Path) -> io::Result<Self> {
            Ok(Self {
                path: path.to_owned(),
                held: Mutex::default(),
            })
        }

        pub(super) fn try_lock(&self, byte: i64) -> io::Result<bool> {
            let file = self.file(byte)?;
            match file.try_lock() {
                Ok(()) => {
                    self.hold(byte, file);
                    Ok(true)
                }
                Err(TryLockError::WouldBlock) => Ok(false),
                Err(TryLockError::Error(error)) => Err(error),
            }
        }

        /// Holds a byte that is free for a moment.
        pub(super) fn is_locked(&self, byte: i64) -> io::Result<bool> {
            let file = self.file(byte)?;
            match file.try_lock() {
                Ok(()) => Ok(false),
                Err(TryLockError::WouldBlock) => Ok(true),
                Err(TryLockError::Error(error)) => Err(error),
            }
        }

        pub(super) fn unlock(&self, byte: i64) -> io::Result<()> {
            self.held
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&byte);
            Ok(())
        }

        fn file(&self, byte: i64) -> io::Result<File> {
            super::open_shared(&super::with_suffix(&self.path, &format!(".{byte}")))
        }

        fn hold(&self, byte: i64, file: File) {
            self.held
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(byte, file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_held_until_its_file_is_closed() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("lock");
        let [one, two] = [LockFile::open(&path)?, LockFile::open(&path)?];
        assert_eq!((one.take_slot()?, two.take_slot()?), (1, 2));
        assert!(!two.try_lock(1)?);
        assert!(one.is_locked(2)? && two.is_locked(1)? && !two.is_locked(3)?);
        drop(one);
        assert!(!two.is_locked(1)?);
        assert!(two.try_lock(1)?);
        two.unlock(1)?;
        assert_eq!(LockFile::open(&path)?.take_slot()?, 1);
        Ok(())
    }

    #[test]
    fn a_new_file_is_another_one() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("lock");
        let [one, two] = [LockFile::open(&path)?, LockFile::open(&path)?];
        assert_eq!(one.id()?, None);
        assert_eq!(one.id_or(7)?, LockFileId(7));
        assert_eq!(two.id_or(8)?, LockFileId(7));
        std::fs::remove_file(&path)?;
        let new = LockFile::open(&path)?;
        assert_eq!(new.id()?, None);
        assert_eq!(two.id()?, Some(LockFileId(7)));
        Ok(())
    }

    #[test]
    fn beats_are_seen_by_others() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("lock");
        let [one, two] = [LockFile::open(&path)?, LockFile::open(&path)?];
        one.id_or(7)?;
        assert_eq!(two.last_beat(3)?, 0);
        one.beat(3, 41)?;
        one.beat(2, 42)?;
        assert_eq!((two.last_beat(3)?, two.last_beat(2)?), (41, 42));
        assert_eq!(two.id()?, Some(LockFileId(7)));
        Ok(())
    }
}
