//! Notices what no wake-up told: commits of other processes, changed schedules, and the time.

use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::watch;
use tokio::time::Instant;

use super::shared::Shared;
use crate::client::Client;
use crate::clock::{next_beat, until};
use crate::readers::Readers;
use crate::store::NextDue;
use crate::store::sqlite::query::data_version;
use crate::store::sqlite::schedules::changes;

/// An idle worker looks into the store this often, whatever it hears.
const SAFETY_LOOK: Duration = Duration::from_secs(5);
/// Another process's commits are noticed this soon when its wake-up is lost, or was never sent.
const CHEAP_LOOK: Duration = Duration::from_millis(25);
/// The same once nobody has committed for so long: looking costs more than it is likely to bring.
const QUIET: Duration = Duration::from_secs(1);
const QUIET_LOOK: Duration = Duration::from_millis(500);
/// A wall clock that was set, and a schedule that another process changed, is noticed this soon.
const CLOCK_LOOK: Duration = Duration::from_secs(1);

/// Sees whether somebody has committed.
#[derive(Debug)]
pub(super) struct Commits {
    whose: Whose,
    seen: Option<i64>,
    /// When the last ones were seen. By the runtime's clock, as all pauses here.
    at: Instant,
}

#[derive(Debug)]
enum Whose {
    /// Everybody's, as this connection sees them.
    All(Connection),
    /// Those of others than this client, whose own wake whom they concern.
    Others(Client),
}

impl Commits {
    /// `None` in memory, where all are this client's, and with a warning if there is no connection.
    pub(super) fn of_all(shared: &Shared) -> Option<Self> {
        let conn = shared.client().readers().map(Readers::open);
        let conn = conn.transpose().unwrap_or_else(|error| {
            tracing::warn!(target: "afterhours", error = &error as &dyn std::error::Error, "no connection to look for other processes' commits");
            None
        })?;
        Some(Self::new(Whose::All(conn)))
    }

    /// `None` in memory, where there are no others.
    fn of_others(shared: &Shared) -> Option<Self> {
        let client = shared.client();
        client.readers()?;
        Some(Self::new(Whose::Others(client.clone())))
    }

    fn new(whose: Whose) -> Self {
        let mut commits = Self {
            whose,
            seen: None,
            at: Instant::now(),
        };
        commits.seen = commits.version();
        commits
    }

    fn version(&self) -> Option<i64> {
        match &self.whose {
            Whose::All(conn) => data_version(conn).ok(),
            Whose::Others(client) => client.others().or(self.seen),
        }
    }

    /// Whether there are new ones since this was last asked.
    pub(super) fn are_new(&mut self) -> bool {
        let version = self.version();
        let are_new = version != self.seen;
        if are_new {
            (self.seen, self.at) = (version, Instant::now());
        }
        are_new
    }

    /// Waits until there are new ones; looks this often, or less often when all is quiet.
    async fn next(&mut self, busy: Duration, quiet: Duration) {
        while !self.are_new() {
            let is_quiet = self.at.elapsed() >= QUIET;
            let pause = if is_quiet { next_beat(quiet) } else { busy };
            // Not on the store's clock: in a test that one may stand still, and other clients commit all the same.
            tokio::time::sleep(pause).await;
        }
    }
}

pub(super) struct Looker(Option<Commits>);

impl Looker {
    pub(super) fn new(shared: &Shared) -> Self {
        Self(Commits::of_others(shared))
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
            Some(commits) => commits.next(CHEAP_LOOK, QUIET_LOOK).await,
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
        let commits = Commits::of_all(shared);
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
                commits.next(CLOCK_LOOK, CLOCK_LOOK).await;
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
        match &self.whose {
            Whose::All(conn) => changes(conn).ok().flatten(),
            Whose::Others(_) => None,
        }
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
