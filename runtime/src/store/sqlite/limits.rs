//! Limits: how many more runs of a job may start. Counted anew in each claim, so that no place is lost with a worker.

use std::collections::HashMap;

use rusqlite::Connection;

use super::Kinds;
use crate::error::Error;
use crate::store::{Limit, Wanted};

/// As many rows as runs are running, whatever waits.
const RUNNING: &str = "
    SELECT kind FROM afterhours_running AS running CROSS JOIN afterhours_runs AS runs ON runs.id = running.run";

/// The jobs with a limit that have ready runs, in one claim.
#[derive(Debug, Default)]
pub(super) struct Limits {
    met: Vec<Limit>,
    /// How many of each such job are running; counted once a job with a limit is met.
    running: Option<HashMap<&'static str, u32>>,
}

impl Limits {
    /// How many more runs of the job may start.
    pub(super) fn free(
        &mut self,
        conn: &Connection,
        kinds: &mut Kinds,
        wanted: &dyn Wanted,
        limit: Limit,
    ) -> Result<u32, Error> {
        if self.running.is_none() {
            self.running = Some(count_running(conn, kinds, wanted)?);
        }
        if !self.met.contains(&limit) {
            self.met.push(limit);
        }
        Ok(limit.most.saturating_sub(self.running(limit)))
    }

    /// Whether one more run of the job may start.
    pub(super) fn has_place(&self, limit: Limit) -> bool {
        self.running(limit) < limit.most
    }

    /// Takes a place, if one is left.
    pub(super) fn take(&mut self, limit: Limit) -> bool {
        let is_free = self.has_place(limit);
        if is_free && let Some(running) = &mut self.running {
            *running.entry(limit.job).or_default() += 1;
        }
        is_free
    }

    /// Whether no more runs of one of these jobs may start now.
    pub(super) fn any_reached(&self) -> bool {
        self.met
            .iter()
            .any(|limit| self.running(*limit) >= limit.most)
    }

    fn running(&self, limit: Limit) -> u32 {
        let running = self.running.as_ref();
        running
            .and_then(|running| running.get(limit.job).copied())
            .unwrap_or(0)
    }
}

/// Runs of builds with other arguments, and of the job's other names, count too.
fn count_running(
    conn: &Connection,
    kinds: &mut Kinds,
    wanted: &dyn Wanted,
) -> Result<HashMap<&'static str, u32>, Error> {
    let mut running = HashMap::new();
    let mut read = conn.prepare_cached(RUNNING)?;
    for kind in read.query_map([], |row| row.get(0))? {
        let kind = kinds.kind(conn, kind?)?;
        if let Some(limit) = kind.and_then(|kind| wanted.limit(&kind.job)) {
            *running.entry(limit.job).or_default() += 1;
        }
    }
    Ok(running)
}
