//! Who enqueues into a queue with a limit waits at its gate, on a task, on a thread, or not at all.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::client::Client;
use crate::error::Error;
use crate::gate::Step;
use crate::store::sqlite::queues;
use crate::store::{Due, NewRun, Store};

impl Client {
    /// Waits until the queues of these runs have room for them, or fails when the patience of the client is over.
    pub(crate) async fn admit(&self, runs: &[NewRun]) -> Result<(), Error> {
        if self.gates().are_none() {
            return Ok(());
        }
        // Apart, so that the futures of those that have no limit are as small as they were.
        Box::pin(self.admit_all(runs)).await
    }

    async fn admit_all(&self, runs: &[NewRun]) -> Result<(), Error> {
        let mut by_queue = BTreeMap::<&str, u64>::new();
        for run in runs.iter().filter(|run| starts_at_once(run)) {
            *by_queue.entry(&*run.kind.queue).or_default() += 1;
        }
        for (queue, runs) in by_queue {
            self.admit_into(queue, runs).await?;
        }
        Ok(())
    }

    async fn admit_into(&self, queue: &str, runs: u64) -> Result<(), Error> {
        let Some(gate) = self.gates().of(queue) else {
            return Ok(());
        };
        let since = Instant::now();
        let step = |runs| gate.step(runs, since.elapsed(), self.gates().patience);
        loop {
            match step(runs) {
                Step::Enter => return Ok(()),
                Step::Refused(error) => return Err(error),
                Step::Wait(pause) => tokio::time::sleep(pause).await,
                Step::Count => {
                    // One counts for all who wait.
                    let _alone = gate.counting.lock().await;
                    if let Step::Count = step(0) {
                        gate.count(self.count_ready(queue, gate.most()).await?);
                    }
                }
            }
        }
    }

    /// As [`Client::admit`], for threads outside of a runtime.
    pub(crate) fn admit_blocking(&self, run: &NewRun) -> Result<(), Error> {
        let queue = &*run.kind.queue;
        let Some(gate) = self.gates().of(queue).filter(|_| starts_at_once(run)) else {
            return Ok(());
        };
        let since = Instant::now();
        loop {
            match gate.step(1, since.elapsed(), self.gates().patience) {
                Step::Enter => return Ok(()),
                Step::Refused(error) => return Err(error),
                Step::Wait(pause) => std::thread::sleep(pause),
                Step::Count => {
                    let (queue, most) = (queue.to_owned(), gate.most());
                    let count = move |store: &mut dyn Store| store.count_ready(&queue, most);
                    gate.count(self.write_blocking(count)?);
                }
            }
        }
    }

    /// As [`Client::admit`], inside a transaction of the application, which must not wait.
    pub(crate) fn admit_beside(&self, conn: &Connection, run: &NewRun) -> Result<(), Error> {
        let queue = &*run.kind.queue;
        let Some(gate) = self.gates().of(queue).filter(|_| starts_at_once(run)) else {
            return Ok(());
        };
        loop {
            match gate.step(1, Duration::ZERO, Duration::ZERO) {
                Step::Enter => return Ok(()),
                Step::Refused(error) => return Err(error),
                Step::Wait(_) | Step::Count => {
                    gate.count(queues::count_ready(conn, queue, gate.most())?);
                }
            }
        }
    }

    async fn count_ready(&self, queue: &str, most: u64) -> Result<u64, Error> {
        let queue = queue.to_owned();
        match self.readers() {
            Some(readers) => {
                readers
                    .read(move |conn| queues::count_ready(conn, &queue, most))
                    .await
            }
            None => {
                self.write(0, move |store| store.count_ready(&queue, most))
                    .await
            }
        }
    }
}

/// What waits for its time takes no room yet.
fn starts_at_once(run: &NewRun) -> bool {
    run.due == Due::Now
}
