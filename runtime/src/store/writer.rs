//! The one mailbox in front of the writing connection. Commands wait in it; whoever leads commits all that wait in
//! one transaction, answers, then wakes. A task leads on its own thread if nobody else does and nothing would make
//! it wait; else the named writer thread leads. One bad command fails alone.

mod checkpoints;
mod command;
mod commit;
mod mailbox;
mod turns;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{self, Poll, Wake, Waker};
use std::thread::{JoinHandle, Thread, current, park};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use self::checkpoints::Checkpoints;
use self::command::{Command, Insert, fail, typed};
use self::commit::Committed;
use self::mailbox::{Leader, Mailbox};
use self::turns::Turns;
use super::sqlite::{Core, Haste, Settings};
use super::{Effects, Inserted, NewRun, Store};
use crate::clock::Now;
use crate::error::Error;

/// A task commits at most so many rows on a thread of the runtime.
const TASK_ROWS: usize = 512;
/// So often in a row a task commits for others too: they need not wait for another thread, and its own work not for long.
const ROUNDS: u32 = 8;
/// A command of so many rows is worth a commit of its own.
const ENOUGH_ROWS: usize = 64;

/// Who hears of commits.
pub(crate) trait OnCommit: Send + Sync {
    /// Called after each commit; the next one may have begun, and somebody else may tell of it at the same time. Must not
    /// wait.
    fn committed(&self, effects: Effects);

    /// Called a little later, when a task no longer holds up the next commit. Not once for each commit.
    fn afterwards(&self) {}
}

/// The mailbox, the connection and the thread.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    mailbox: Mutex<Mailbox>,
    /// Rung when the thread is to lead.
    bell: Condvar,
    /// Locked by the leader alone; gone once the writer is closed.
    core: Mutex<Option<Core>>,
    on_commit: Box<dyn OnCommit>,
    checkpoints: Checkpoints,
    turns: Turns,
    /// Whether every commit is an fsync, which no runtime thread should wait for.
    full: bool,
    /// How long a command waits for another process's write transaction.
    patience: Duration,
}

impl Writer {
    pub(crate) fn start(
        core: Core,
        settings: Settings,
        on_commit: Box<dyn OnCommit>,
    ) -> Result<Self, Error> {
        let shared = Arc::new(Shared {
            mailbox: Mutex::default(),
            bell: Condvar::new(),
            checkpoints: Checkpoints::new(core.path().map(Path::to_owned), settings),
            core: Mutex::new(Some(core)),
            on_commit,
            turns: Turns::default(),
            full: settings.full,
            patience: settings.busy_timeout,
        });
        let thread = std::thread::Builder::new()
            .name("afterhours-writer".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                // A panic in a command must not end the thread: everybody would wait for it for ever.
                move || {
                    turns::sleep_exactly();
                    while catch_unwind(AssertUnwindSafe(|| shared.lead_on_thread())).is_err() {}
                }
            })
            .map_err(|source| Error::Io {
                what: "the writer thread could not be started".to_owned(),
                source,
            })?;
        Ok(Self {
            shared,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Does `work` in the next transaction and returns its value after the commit. `rows` is about how many rows it
    /// writes. If the transaction fails, `work` is done again in one of its own.
    pub(crate) async fn call<R, F>(&self, rows: usize, work: F) -> Result<R, Error>
    where
        F: FnMut(&mut dyn Store) -> Result<R, Error> + Send + 'static,
        R: Send + 'static,
    {
        let (command, reply) = typed(work);
        let has_company = self.shared.push(rows, command)?;
        self.led(has_company && rows < ENOUGH_ROWS, reply).await
    }

    /// Inserts a run in the next transaction, together with what others insert.
    pub(crate) async fn insert(&self, run: NewRun, now: Now) -> Result<Inserted, Error> {
        let (command, answer) = Insert::of(run, now);
        let has_company = self.shared.push(1, command)?;
        self.led(has_company, answer).await
    }

    /// Sees to it that somebody commits what was pushed, and waits for the answer.
    async fn led<R>(
        &self,
        lets_others_come: bool,
        mut reply: oneshot::Receiver<Result<R, Error>>,
    ) -> Result<R, Error> {
        // A future that is dropped before it led must not leave its command behind.
        let unled = HandOver(&self.shared);
        if lets_others_come {
            // So that they put their commands beside ours, and one commit serves all.
            tokio::task::yield_now().await;
        }
        std::mem::forget(unled);
        // Whoever was served meanwhile leaves what waits by now to those who have put it there.
        if let Ok(answer) = reply.try_recv() {
            return answer;
        }
        self.shared.lead_on_task();
        reply.await.unwrap_or(Err(Error::Closed))
    }

    /// As [`Writer::call`], waiting on this thread. Only the writer thread can answer then, which needs no runtime, so
    /// this cannot lock one up, wherever it is called.
    pub(crate) fn call_blocking<R, F>(&self, rows: usize, work: F) -> Result<R, Error>
    where
        F: FnMut(&mut dyn Store) -> Result<R, Error> + Send + 'static,
        R: Send + 'static,
    {
        let (command, reply) = typed(work);
        self.shared.push(rows, command)?;
        self.shared.hand_over();
        block_on(reply).unwrap_or(Err(Error::Closed))
    }

    /// A number that changes when somebody else than this writer has committed. `None` while this one writes.
    pub(crate) fn others(&self) -> Option<i64> {
        let core = self.shared.core.try_lock().ok()?;
        core.as_ref()?.others()
    }

    /// Commits what waits, closes the connection and ends the thread. Twice is fine. May wait for a commit.
    pub(crate) fn close(&self) {
        self.shared.lock().closed = true;
        self.shared.bell.notify_one();
        // Held while joining, so that whoever closes too waits for the same end.
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        // A command can hold the last reference to its writer; then the thread, which cannot join itself, gets here.
        if let Some(thread) = thread.take_if(|thread| thread.thread().id() != current().id()) {
            // A panic on the thread has been printed by the panic hook; there is nothing to add.
            let _ = thread.join();
        }
        self.shared.checkpoints.end();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

struct HandOver<'a>(&'a Shared);

impl Drop for HandOver<'_> {
    fn drop(&mut self) {
        self.0.hand_over();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Mailbox> {
        self.mailbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether others are likely to put their commands beside this one.
    fn push(&self, rows: usize, command: Box<dyn Command>) -> Result<bool, Error> {
        let mut mailbox = self.lock();
        if mailbox.closed {
            return Err(Error::Closed);
        }
        let has_company = mailbox.expects_company();
        mailbox.waiting.push(command);
        mailbox.rows += rows;
        if mailbox.waiting.len() == mailbox.expected {
            self.bell.notify_all();
        }
        Ok(has_company)
    }

    /// Makes the thread lead, unless someone leads already: then that one hands over.
    fn hand_over(&self) {
        let mut mailbox = self.lock();
        match mailbox.leader {
            Leader::Nobody => self.ring(&mut mailbox),
            Leader::Task | Leader::Thread => mailbox.relied = true,
        }
    }

    fn ring(&self, mailbox: &mut Mailbox) {
        mailbox.leader = Leader::Thread;
        self.bell.notify_one();
    }

    /// Makes the thread end a checkpoint of the WAL, at the next boundary between two transactions.
    fn end_checkpoint(&self) {
        let mut mailbox = self.lock();
        mailbox.end_checkpoint = true;
        if mailbox.leader == Leader::Nobody {
            self.ring(&mut mailbox);
        }
    }

    /// Commits what waits on this thread, if nobody leads and it will not have to wait.
    fn lead_on_task(self: &Arc<Self>) {
        let Some(mut batch) = self.take_over() else {
            return;
        };
        let leadership = Leadership(self);
        for round in 1.. {
            let mut committed = Vec::with_capacity(1);
            let left = self.commit_on_task(batch, &mut committed);
            let Some(next) = self.step_down(left, round < ROUNDS) else {
                std::mem::forget(leadership);
                // Who hears of the commit may have something to write at once, and should find nobody leading.
                self.tell(committed);
                self.on_commit.afterwards();
                return;
            };
            self.tell(committed);
            self.on_commit.afterwards();
            batch = next;
        }
    }

    /// Makes this task lead; `None` if there is no need, or if the thread should.
    fn take_over(&self) -> Option<Vec<Box<dyn Command>>> {
        let mut mailbox = self.lock();
        if mailbox.leader != Leader::Nobody {
            mailbox.relied = true;
            mailbox.alone = 0;
            return None;
        }
        if mailbox.waiting.is_empty() {
            return None;
        }
        mailbox.alone = match mailbox.waiting.len() {
            1 => mailbox.alone.saturating_add(1),
            _ => 0,
        };
        if self.full || mailbox.rows > TASK_ROWS || self.turns.are_taken() {
            self.ring(&mut mailbox);
            return None;
        }
        mailbox.leader = Leader::Task;
        Some(mailbox.take())
    }

    fn commit_on_task(
        self: &Arc<Self>,
        batch: Vec<Box<dyn Command>>,
        committed: &mut Vec<Committed>,
    ) -> Vec<Box<dyn Command>> {
        let mut core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(core) = core.as_mut() else {
            return fail(batch, &Error::Closed);
        };
        let left = self.commit(core, batch, Duration::ZERO, committed);
        self.look_after_wal(core);
        left
    }

    /// Ends a task's leadership, or goes on with what has come meanwhile from those who rely on it, if it may. The thread
    /// goes on if there is something to wait for.
    fn step_down(
        &self,
        left: Vec<Box<dyn Command>>,
        may_lead_on: bool,
    ) -> Option<Vec<Box<dyn Command>>> {
        let mut mailbox = self.lock();
        let must_wait = !left.is_empty() || mailbox.has_errand() || mailbox.closed;
        mailbox.waiting.splice(0..0, left);
        let relied = std::mem::take(&mut mailbox.relied) && !mailbox.waiting.is_empty();
        if relied && may_lead_on && !must_wait && mailbox.rows <= TASK_ROWS {
            return Some(mailbox.take());
        }
        if must_wait || relied {
            self.ring(&mut mailbox);
        } else {
            // Whoever has pushed meanwhile without meeting a leader is still to come and lead.
            mailbox.leader = Leader::Nobody;
        }
        None
    }

    fn lead_on_thread(self: &Arc<Self>) {
        loop {
            let (batch, end_checkpoint, catch_up) = {
                let mut mailbox = self.lock();
                while mailbox.leader != Leader::Thread
                    && !(mailbox.closed && mailbox.leader == Leader::Nobody)
                {
                    mailbox = self
                        .bell
                        .wait(mailbox)
                        .unwrap_or_else(PoisonError::into_inner);
                }
                mailbox.leader = Leader::Thread;
                let end_checkpoint = std::mem::take(&mut mailbox.end_checkpoint);
                let catch_up = std::mem::take(&mut mailbox.catch_up);
                (mailbox.take(), end_checkpoint, catch_up)
            };
            let mut core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(open) = core.as_mut() else {
                fail(batch, &Error::Closed);
                return;
            };
            let (commands, since) = (batch.len(), Instant::now());
            let mut committed = Vec::with_capacity(1);
            let left = self.commit(open, batch, self.patience, &mut committed);
            let took = since.elapsed();
            self.tell(committed);
            if !left.is_empty() {
                fail(left, &open.busy(self.patience));
            }
            self.on_commit.afterwards();
            if self.full {
                self.gather(commands, took);
            }
            if !self.lock().waiting.is_empty() {
                self.turns.give_way();
            }
            if catch_up {
                self.checkpoints.end();
                open.catch_up();
            } else if end_checkpoint {
                open.end_checkpoint();
            }
            self.look_after_wal(open);
            if self.rest(&mut core) {
                return;
            }
        }
    }

    /// Where every commit waits for the disk, those who were just answered get a moment to come back: else half of them
    /// would wait while the other half is written, and each commit would serve half as many.
    fn gather(&self, answered: usize, took: Duration) {
        let mut mailbox = self.lock();
        mailbox.expected = answered;
        let is_missing =
            |mailbox: &mut Mailbox| mailbox.waiting.len() < answered && !mailbox.closed;
        let waited = self.bell.wait_timeout_while(mailbox, took / 2, is_missing);
        let (mut mailbox, _) = waited.unwrap_or_else(PoisonError::into_inner);
        mailbox.expected = 0;
    }

    /// Called by the leader, between two transactions.
    fn look_after_wal(self: &Arc<Self>, core: &Core) {
        match core.wants_checkpoint() {
            Haste::No => {}
            Haste::Soon => self.checkpoints.begin(self),
            Haste::First => self.lock().catch_up = true,
        }
    }

    /// Ends the thread's leadership if nothing waits; true if that was the end of the writer.
    fn rest(&self, core: &mut Option<Core>) -> bool {
        let mut mailbox = self.lock();
        if !mailbox.waiting.is_empty() || mailbox.has_errand() && !mailbox.closed {
            return false;
        }
        mailbox.relied = false;
        if mailbox.closed {
            // Nothing can be pushed any more. The leader stays this thread, so no task touches the connection.
            drop(mailbox);
            *core = None;
            return true;
        }
        mailbox.leader = Leader::Nobody;
        false
    }
}

/// If a command panics, the thread takes over instead of everybody waiting for a leader that is gone.
struct Leadership<'a>(&'a Shared);

impl Drop for Leadership<'_> {
    fn drop(&mut self) {
        self.0.ring(&mut self.0.lock());
    }
}

/// Parks this thread until `future` is ready.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(current())));
    let mut context = task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => park(),
        }
    }
}

#[cfg(test)]
mod tests;
