//! Who is alive: one lock file beside the database, one byte in it for each worker. The lock of a byte belongs to
//! the open file, so it ends with the process, however that ends, and is not inherited by its children.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use locks::Locks;

/// Held while a file is opened and migrated.
const OPENING: i64 = 0;
/// The first worker's byte.
const FIRST_SLOT: i64 = 1;

/// The lock file, opened once more: each `LockFile` holds its own locks.
#[derive(Debug)]
pub(crate) struct LockFile(Locks);

impl LockFile {
    /// Opens the lock file; it is created when it is missing, and never removed.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Locks::open(path).map(Self)
    }

    /// Waits until no other process opens or migrates the database.
    pub(crate) fn wait_to_open(&self) -> io::Result<()> {
        self.0.lock(OPENING)
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
        self.0.try_lock(slot)
    }

    /// Gives a byte back.
    pub(crate) fn unlock(&self, slot: i64) -> io::Result<()> {
        self.0.unlock(slot)
    }
}

fn open_shared(path: &Path) -> io::Result<File> {
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

        pub(super) fn lock(&self, byte: i64) -> io::Result<()> {
            loop {
                match fcntl(&self.0, FcntlArg::F_OFD_SETLKW(&range(libc::F_WRLCK, byte))) {
                    Err(Errno::EINTR) => {}
                    outcome => return outcome.map(drop).map_err(Into::into),
                }
            }
        }

        pub(super) fn try_lock(&self, byte: i64) -> io::Result<bool> {
            match fcntl(&self.0, FcntlArg::F_OFD_SETLK(&range(libc::F_WRLCK, byte))) {
                Ok(_) => Ok(true),
                Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
                Err(error) => Err(error.into()),
            }
        }

        pub(super) fn unlock(&self, byte: i64) -> io::Result<()> {
            Ok(fcntl(&self.0, FcntlArg::F_OFD_SETLK(&range(libc::F_UNLCK, byte))).map(drop)?)
        }
    }

    /// Bytes beyond the end of the file can be locked too; the file stays empty.
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

        pub(super) fn lock(&self, byte: i64) -> io::Result<()> {
            let file = self.file(byte)?;
            file.lock()?;
            self.hold(byte, file);
            Ok(())
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

        pub(super) fn unlock(&self, byte: i64) -> io::Result<()> {
            self.held
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&byte);
            Ok(())
        }

        fn file(&self, byte: i64) -> io::Result<File> {
            super::open_shared(&crate::store::sqlite::with_suffix(
                &self.path,
                &format!(".{byte}"),
            ))
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
        drop(one);
        assert!(two.try_lock(1)?);
        two.unlock(1)?;
        assert_eq!(LockFile::open(&path)?.take_slot()?, 1);
        Ok(())
    }
}
