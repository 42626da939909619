//! What can be seen of a store as a whole.

use crate::blocking::blocking;
use crate::client::Client;
use crate::error::Error;

/// A look at the store, from [`Client::stats`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// How large the `-wal` file beside the database is, in bytes; 0 in memory.
    ///
    /// About 32 MiB is usual where much is written. If it keeps growing, some process reads the database in one
    /// transaction for very long; workers warn of that in their log.
    pub wal_size: u64,
}

impl Client {
    /// Looks at the store as a whole.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> afterhours::Result {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("jobs.db");
    /// use afterhours::Client;
    ///
    /// let client = Client::open(path).await?;
    /// assert!(client.stats().await?.wal_size < 64 * 1024 * 1024);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn stats(&self) -> Result<Stats, Error> {
        let wal_size = match self.wal() {
            None => 0,
            // Looking at the name alone: to open the file would drop the locks of SQLite.
            Some(wal) => {
                blocking(move || match std::fs::metadata(&wal) {
                    Ok(found) => Ok(found.len()),
                    Err(source) => Err(Error::Io {
                        what: format!("`{}` cannot be looked at", wal.display()),
                        source,
                    }),
                })
                .await?
            }
        };
        Ok(Stats { wal_size })
    }
}
