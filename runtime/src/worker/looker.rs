//! Notices what no wake-up told: commits of other processes, changed schedules, and the time.

use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::watch;

use super::shared::Shared;
use crate::clock::until;
use crate::readers::Readers;
use crate::store::NextDue;
use crate::store::sqlite::query::data_version;
use crate::store::sqlite::schedules::changes;

/// An idle worker looks into the store this often, whatever it hears.
const SAFETY_LOOK: Duration = Duration::from_secs(5);
/// Another process's commits are noticed this soon when its wake-up is lost.
const CHEAP_LOOK: Duration = Duration::from_millis(25);
/// A wall clock that was set, and a schedule that another process changed, is noticed this soon.
const CLOCK_LOOK: Duration = Duration::from_secs(1);

/// Sees whether other connections have committed. In memory there is no other.
struct Commits {
    conn: Connection,
    seen: Option<i64>,
}

impl Commits {
    fn watch(shared: &Shared) -> Option<Self> {
        let conn = shared.client().readers().map(Readers::open);
        let conn = conn.transpose().unwrap_or_else(|error| {
            tracing::warn!(target: "afterhours", error = &error as &dyn std::error::Error, "no connection to look for other processes' commits");
            None
        })?;
        let seen = data_version(&conn).ok();
        Some(Self { conn, seen })
    }

    /// Waits until there are new ones; looks this often.
    async fn next(&mut self, pause: Duration) {
        loop {
            let version = data_version(&self.conn).ok();
            if version != self.seen {
                self.seen = version;
                return;
            }
            // Not on the store's clock: in a test that one may stand still, and other clients commit all the same.
            tokio::time::sleep(pause).await;
        }
    }
}

pub(super) struct Looker(Option<Commits>);

impl Looker {
    pub(super) fn new(shared: &Shared) -> Self {
        Self(Commits::watch(shared))
    }

    /// Waits until the next run is due, another connection has committed, or it is time to look in any case.
    pub(super) async fn something(&mut self, shared: &Shared, next: NextDue) {
        let due = time_until(shared, next);
        tokio::select! {
            () = self.changed() => {}
            () = shared.client().clock().sleep(due) => {}
        }
    }

    async fn changed(&mut self) {
        match &mut self.0 {
            Some(commits) => commits.next(CHEAP_LOOK).await,
            None => std::future::pending().await,
        }
    }
}

/// Schedules that were added, changed or removed.
pub(super) struct Changes {
    /// By this client.
    told: watch::Receiver<()>,
    /// By others.
    commits: Option<Commits>,
    seen: Option<i64>,
}

impl Changes {
    pub(super) fn new(shared: &Shared) -> Self {
        let commits = Commits::watch(shared);
        let seen = commits.as_ref().and_then(Commits::changes);
        Self {
            told: shared.client().schedule_changes(),
            commits,
            seen,
        }
    }

    /// Waits until there are some.
    pub(super) async fn something(&mut self) {
        let others = async {
            let Some(commits) = &mut self.commits else {
                return std::future::pending().await;
            };
            loop {
                commits.next(CLOCK_LOOK).await;
                let changes = commits.changes();
                if changes != self.seen {
                    self.seen = changes;
                    return;
                }
                tokio::time::sleep(CLOCK_LOOK).await;
            }
        };
        tokio::select! {
            // The sender lives as long as the client.
            _ = self.told.changed() => {}
            () = others => {}
        }
    }
}

impl Commits {
    fn changes(&self) -> Option<i64> {
        changes(&self.conn).ok().flatten()
    }
}

fn time_until(shared: &Shared, next: NextDue) -> Duration {
    let now = shared.client().now();
    let wall = next.wall.map(|due| until(due, now.wall).min(CLOCK_LOOK));
    let store = next.store.map(|due| until(due, now.store));
    wall.into_iter()
        .chain(store)
        .fold(SAFETY_LOOK, Duration::min)
}
