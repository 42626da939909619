//! Whether files that are open are still those at their paths: what is written to others is lost. Asked with `stat` only,
//! since closing any other descriptor of a database file would drop SQLite's locks.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Files at their paths, as they were when this was made.
#[derive(Debug, Clone)]
pub(crate) struct Place(Vec<(PathBuf, FileId)>);

impl Place {
    pub(crate) fn of(paths: impl IntoIterator<Item = PathBuf>) -> io::Result<Self> {
        let files = paths.into_iter().map(|path| {
            let id = id_of(&path)?;
            Ok((path, id))
        });
        files.collect::<io::Result<_>>().map(Self)
    }

    /// Fails if one of them has been replaced or deleted.
    pub(crate) fn check(&self) -> Result<(), Error> {
        for (path, opened) in &self.0 {
            let is_there = match id_of(path) {
                Ok(id) => id == *opened,
                Err(error) => error.kind() != io::ErrorKind::NotFound,
            };
            if !is_there {
                return Err(Error::FileReplaced { path: path.clone() });
            }
        }
        Ok(())
    }
}

/// The device and the number of the file in it.
#[cfg(unix)]
type FileId = (u64, u64);

#[cfg(unix)]
fn id_of(path: &Path) -> io::Result<FileId> {
    use std::os::unix::fs::MetadataExt;
    let file = std::fs::metadata(path)?;
    Ok((file.dev(), file.ino()))
}

/// Elsewhere a file that is open cannot be replaced.
#[cfg(not(unix))]
type FileId = ();

#[cfg(not(unix))]
fn id_of(path: &Path) -> io::Result<FileId> {
    std::fs::metadata(path).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_replaced_or_deleted_is_noticed() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let [one, two] = ["one", "two"].map(|name| folder.path().join(name));
        std::fs::write(&one, "1")?;
        std::fs::write(&two, "2")?;
        let place = Place::of([one.clone(), two.clone()])?;
        assert!(place.check().is_ok());
        std::fs::write(&one, "changed")?;
        assert!(place.check().is_ok(), "it is still the same file");
        std::fs::rename(&two, &one)?;
        let named = |error: Error| matches!(error, Error::FileReplaced { path } if path == one);
        assert!(place.check().is_err_and(named));
        let place = Place::of([one.clone()])?;
        std::fs::remove_file(&one)?;
        assert!(place.check().is_err_and(named));
        Ok(())
    }
}
