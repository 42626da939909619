//! Notices what no wake-up told: commits of other processes, and the time.

use std::time::Duration;

use rusqlite::Connection;

use super::shared::Shared;
use crate::clock::until;
use crate::readers::Readers;
use crate::store::NextDue;
use crate::store::sqlite::query::data_version;

/// An idle worker looks into the store this often, whatever it hears.
const SAFETY_LOOK: Duration = Duration::from_secs(5);
/// Another process's commits are noticed this soon when its wake-up is lost.
const CHEAP_LOOK: Duration = Duration::from_millis(25);
/// A wall clock that was set is noticed this soon.
const CLOCK_LOOK: Duration = Duration::from_secs(1);

pub(super) struct Looker {
    conn: Option<Connection>,
    seen: Option<i64>,
}

impl Looker {
    pub(super) fn new(shared: &Shared) -> Self {
        let conn = shared.client().readers().map(Readers::open);
        let conn = conn.transpose().unwrap_or_else(|error| {
            tracing::warn!(target: "afterhours", error = &error as &dyn std::error::Error, "no connection to look for other processes' commits");
            None
        });
        let seen = conn.as_ref().and_then(|conn| data_version(conn).ok());
        Self { conn, seen }
    }

    /// Waits until the next run is due, another connection has committed, or it is time to look in any case.
    pub(super) async fn something(&mut self, shared: &Shared, next: NextDue) {
        let due = time_until(shared, next);
        tokio::select! {
            () = self.changed() => {}
            () = shared.client().clock().sleep(due) => {}
        }
    }

    /// Waits until another connection has committed. In memory there is no other.
    async fn changed(&mut self) {
        let Some(conn) = &mut self.conn else {
            return std::future::pending().await;
        };
        loop {
            let version = data_version(conn).ok();
            if version != self.seen {
                self.seen = version;
                return;
            }
            // Not on the store's clock: in a test that one may stand still, and other clients commit all the same.
            tokio::time::sleep(CHEAP_LOOK).await;
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
