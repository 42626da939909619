//! Connections that only read, so that looking never waits for writing. Reads are short and never held over an await.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use crate::blocking::blocking;
use crate::error::Error;
use crate::store::sqlite::{Settings, open_reader};

/// Connections that are kept open when nobody uses them.
const SPARE: usize = 4;

#[derive(Debug, Clone)]
pub(crate) struct Readers(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    path: PathBuf,
    settings: Settings,
    /// `None` once closed.
    spare: Mutex<Option<Vec<Connection>>>,
}

impl Readers {
    pub(crate) fn new(path: PathBuf, settings: Settings) -> Self {
        Self(Arc::new(Pool {
            path,
            settings,
            spare: Mutex::new(Some(Vec::new())),
        }))
    }

    /// Reads something on a thread for blocking work.
    pub(crate) async fn read<R, F>(&self, read: F) -> Result<R, Error>
    where
        F: FnOnce(&Connection) -> Result<R, Error> + Send + 'static,
        R: Send + 'static,
    {
        let pool = Arc::clone(&self.0);
        blocking(move || {
            let conn = pool.take()?;
            let value = read(&conn)?;
            pool.put(conn);
            Ok(value)
        })
        .await
    }

    /// A connection for the caller alone.
    pub(crate) fn open(&self) -> Result<Connection, Error> {
        open_reader(&self.0.path, self.0.settings)
    }

    /// Closes what is spare; connections in use close when they come back.
    pub(crate) fn close(&self) {
        *self.0.lock() = None;
    }
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, Option<Vec<Connection>>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Result<Connection, Error> {
        let spare = self.lock().as_mut().ok_or(Error::Closed)?.pop();
        spare.map_or_else(|| open_reader(&self.path, self.settings), Ok)
    }

    fn put(&self, conn: Connection) {
        if let Some(spare) = self.lock().as_mut().filter(|spare| spare.len() < SPARE) {
            spare.push(conn);
        }
    }
}
