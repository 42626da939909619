//! The folder for sockets: where it is, and whether it may be trusted. Whoever can write to it could hear and say
//! whatever he likes, so it belongs to the user of this process alone.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use crate::error::Error;
use crate::store::sqlite::with_suffix;

/// The address of a socket holds a path of so many bytes, and a zero.
const LONGEST_PATH: usize = if cfg!(any(target_os = "linux", target_os = "android")) {
    107
} else {
    103
};
/// No socket's name in the folder is longer.
pub(super) const LONGEST_NAME: usize = 24;

/// A folder that exists or does not, and is to be trusted or not.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

/// How the folder was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nobody listens, or nobody can.
    Missing,
    /// As it stood when something in it was last added or removed.
    Trusted(Stand),
    /// For this reason.
    Untrusted(String),
}

/// Differs when an entry was added or removed, unless that was in the same tick of the file system's clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Stand {
    inode: u64,
    modified: (i64, i64),
}

#[cfg(test)]
impl Stand {
    pub(super) fn of(inode: u64) -> Self {
        Self {
            inode,
            ..Self::default()
        }
    }
}

impl Folder {
    /// Beside this database; or, where the paths of the sockets would be too long, in the runtime directory. `None` if
    /// that is too long as well.
    pub(super) fn of(database: &Path) -> std::io::Result<Option<Self>> {
        let real = fs::canonicalize(database)?;
        Ok(Self::place(&real, &shelter()))
    }

    fn place(database: &Path, shelter: &Path) -> Option<Self> {
        let beside = with_suffix(database, "-afterhours.wake");
        let number = crc32fast::hash(database.as_os_str().as_bytes());
        let name = format!("afterhours-{}-{number:08x}.wake", geteuid());
        [beside, shelter.join(name)]
            .into_iter()
            .find(|folder| folder.as_os_str().len() + 1 + LONGEST_NAME <= LONGEST_PATH)
            .map(Self)
    }

    /// Makes the folder if need be. One that cannot be made is missing afterwards.
    pub(super) fn prepare(&self) -> Result<(), Error> {
        // It may be there; what it is like is looked at in any case.
        let _ = DirBuilder::new().mode(0o700).create(&self.0);
        match self.look() {
            Found::Untrusted(reason) => Err(Error::WakeFolder {
                path: self.0.clone(),
                reason,
            }),
            Found::Missing | Found::Trusted(_) => Ok(()),
        }
    }

    /// Asks for its owner, its mode and whether something was added or removed.
    pub(super) fn look(&self) -> Found {
        let Ok(found) = fs::symlink_metadata(&self.0) else {
            return Found::Missing;
        };
        match self.distrust(&found) {
            Some(reason) => Found::Untrusted(reason),
            None => Found::Trusted(Stand {
                inode: found.ino(),
                modified: (found.mtime(), found.mtime_nsec()),
            }),
        }
    }

    fn distrust(&self, found: &Metadata) -> Option<String> {
        let (owner, own) = (found.uid(), geteuid().as_raw());
        let folder = self.0.display();
        if !found.is_dir() {
            Some("it is no folder: remove it, a worker makes a new one".to_owned())
        } else if owner != own {
            Some(format!(
                "it belongs to user {owner} and this process runs as user {own}: run all processes of a store as one user, or remove the folder"
            ))
        } else if found.mode() & 0o022 != 0 {
            let mode = found.mode() & 0o7777;
            Some(format!(
                "others can write to it (mode {mode:04o}): take the right away (`chmod 700 '{folder}'`)"
            ))
        } else {
            None
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn join(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.0.join(name.as_ref())
    }
}

/// Where sockets go that have no place beside their database.
fn shelter() -> PathBuf {
    std::env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|folder| folder.is_absolute() && folder.is_dir())
        .unwrap_or_else(std::env::temp_dir)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn folder() -> std::io::Result<(tempfile::TempDir, Folder)> {
        let around = tempfile::tempdir()?;
        let folder = Folder(around.path().join("wake"));
        Ok((around, folder))
    }

    fn refused(folder: &Folder) -> String {
        folder.prepare().unwrap_err().to_string()
    }

    #[test]
    fn it_is_made_for_its_user_alone() -> std::io::Result<()> {
        let (_around, folder) = folder()?;
        assert_eq!(folder.look(), Found::Missing);
        folder.prepare().unwrap();
        assert_eq!(fs::metadata(folder.path())?.mode() & 0o7777, 0o700);
        assert!(matches!(folder.look(), Found::Trusted(_)));
        folder.prepare().unwrap();
        Ok(())
    }

    #[test]
    fn one_that_others_can_write_to_is_not_trusted() -> std::io::Result<()> {
        let (_around, folder) = folder()?;
        folder.prepare().unwrap();
        for (mode, is_bad) in [(0o770, true), (0o702, true), (0o1777, true), (0o755, false)] {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode))?;
            assert_eq!(folder.prepare().is_err(), is_bad, "{mode:o}");
        }
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o770))?;
        let text = refused(&folder);
        assert!(
            text.contains("mode 0770") && text.contains("chmod 700"),
            "{text}"
        );
        Ok(())
    }

    #[test]
    fn a_link_and_a_file_are_no_folder() -> std::io::Result<()> {
        let (around, folder) = folder()?;
        std::os::unix::fs::symlink(around.path(), folder.path())?;
        assert!(refused(&folder).contains("it is no folder"));
        fs::remove_file(folder.path())?;
        fs::write(folder.path(), "")?;
        assert!(refused(&folder).contains("it is no folder"));
        Ok(())
    }

    #[test]
    fn one_of_another_user_is_not_trusted() -> std::io::Result<()> {
        if !geteuid().is_root() {
            // Nobody else can give a folder away.
            return Ok(());
        }
        let (_around, folder) = folder()?;
        folder.prepare().unwrap();
        std::os::unix::fs::chown(folder.path(), Some(65534), None)?;
        let text = refused(&folder);
        assert!(text.contains("belongs to user 65534"), "{text}");
        Ok(())
    }

    #[test]
    fn a_path_that_is_too_long_moves_to_the_runtime_directory() {
        let place = |length: usize, shelter: &str| {
            let database = format!("/{}", "d".repeat(length - 1));
            let folder = Folder::place(Path::new(&database), Path::new(shelter));
            folder.map(|folder| folder.0.into_os_string().into_string().unwrap())
        };
        let most = LONGEST_PATH - 1 - LONGEST_NAME - "-afterhours.wake".len();
        let beside = place(most, "/run/user/1").unwrap();
        assert!(beside.ends_with("ddd-afterhours.wake"), "{beside}");
        let [one, two] = [most + 1, most + 2].map(|length| place(length, "/run/user/1").unwrap());
        assert!(one.starts_with("/run/user/1/afterhours-"), "{one}");
        assert_ne!(one, two, "each database has its own");
        assert_eq!(place(most + 1, &format!("/{}", "r".repeat(90))), None);
    }
}
