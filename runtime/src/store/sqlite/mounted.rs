//! Whether a file is mounted by itself, as containers do with `-v jobs.db:/data/jobs.db`: then each of them has a `-wal`,
//! `-shm` and lock file of its own beside it, and two of them together destroy the database.

use std::path::Path;

/// Whether the file at this path is a mount point of its own.
pub(super) fn is_mounted_alone(path: &Path) -> bool {
    let Ok(path) = std::fs::canonicalize(path) else {
        return false;
    };
    // Only Linux has this list; elsewhere a file cannot be mounted.
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    path.to_str()
        .is_some_and(|path| has_mount_point(&mounts, path))
}

/// Looks for the mount point in the fifth column, where spaces, tabs, line breaks and backslashes are written in octal.
fn has_mount_point(mounts: &str, path: &str) -> bool {
    let mut written = String::with_capacity(path.len());
    for letter in path.chars() {
        match letter {
            ' ' => written.push_str("\\040"),
            '\t' => written.push_str("\\011"),
            '\n' => written.push_str("\\012"),
            '\\' => written.push_str("\\134"),
            other => written.push(other),
        }
    }
    mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .any(|point| point == written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_mount_point_of_its_own_counts() {
        let mounts = "\
            22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
            57 22 254:0 /host/data /data rw,relatime - ext4 /dev/vda rw\n\
            58 22 254:0 /host/jobs.db /srv/my\\040app/jobs.db rw,relatime - ext4 /dev/vda rw\n";
        assert!(has_mount_point(mounts, "/srv/my app/jobs.db"));
        assert!(has_mount_point(mounts, "/data"));
        for other in [
            "/data/jobs.db",
            "/srv/my app",
            "/srv/my\\040app/jobs.db",
            "/host/jobs.db",
            "",
        ] {
            assert!(!has_mount_point(mounts, other), "{other}");
        }
    }
}
