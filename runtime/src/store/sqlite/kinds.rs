//! Kinds by number. Each is stored once; the connection remembers those it has met.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::strange::content;
use crate::error::Error;
use crate::store::Kind;

#[derive(Debug, Default)]
pub(super) struct Kinds {
    by_kind: HashMap<Arc<Kind>, i64>,
    by_id: HashMap<i64, Arc<Kind>>,
    /// Numbers that mean nothing, once that was said.
    unknown: HashSet<i64>,
}

const INSERT: &str = "INSERT OR IGNORE INTO afterhours_kinds (job, queue, version, signature) VALUES (?1, ?2, ?3, ?4)";
const FIND: &str = "SELECT id FROM afterhours_kinds WHERE job = ?1 AND queue = ?2 AND version = ?3 AND signature = ?4";
const READ: &str = "SELECT queue, job, version, signature FROM afterhours_kinds WHERE id = ?1";

impl Kinds {
    /// The number of a kind, new if it is new.
    pub(super) fn id(&mut self, conn: &Connection, kind: &Kind) -> Result<i64, Error> {
        if let Some(id) = self.by_kind.get(kind) {
            return Ok(*id);
        }
        let values = params![kind.job, kind.queue, kind.version, kind.signature];
        conn.prepare_cached(INSERT)?.execute(values)?;
        let id = conn
            .prepare_cached(FIND)?
            .query_row(values, |row| row.get(0))?;
        self.remember(id, Arc::new(kind.clone()));
        Ok(id)
    }

    /// The kind of a number; none if a stranger has written the number, or its row. It is looked for again each time:
    /// the number may be given out later.
    pub(super) fn kind(&mut self, conn: &Connection, id: i64) -> Result<Option<Arc<Kind>>, Error> {
        if let Some(kind) = self.by_id.get(&id) {
            return Ok(Some(Arc::clone(kind)));
        }
        let read = conn.prepare_cached(READ)?.query_row([id], kind).optional();
        let reason = match content(read)? {
            Ok(Some(kind)) => {
                let kind = Arc::new(kind);
                self.remember(id, Arc::clone(&kind));
                return Ok(Some(kind));
            }
            Ok(None) => "there is none of this number".to_owned(),
            Err(reason) => reason,
        };
        if self.unknown.insert(id) {
            tracing::error!(target: "afterhours", kind = id, reason, "nobody can claim the runs of this kind");
        }
        Ok(None)
    }

    /// Numbers given in a transaction that was rolled back must not be believed.
    pub(super) fn forget(&mut self) {
        self.by_kind.clear();
        self.by_id.clear();
    }

    fn remember(&mut self, id: i64, kind: Arc<Kind>) {
        self.by_kind.insert(Arc::clone(&kind), id);
        self.by_id.insert(id, kind);
    }
}

fn kind(row: &Row<'_>) -> rusqlite::Result<Kind> {
    let [queue, job] = [row.get::<_, String>(0)?, row.get::<_, String>(1)?];
    Ok(Kind {
        queue: queue.into(),
        job: job.into(),
        version: row.get(2)?,
        signature: row.get(3)?,
    })
}
