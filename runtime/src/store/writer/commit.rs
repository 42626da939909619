//! One transaction for all that waits, and the answers after it. If a command fails, each is done in one of its own, so
//! that only the bad one fails.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::Shared;
use super::command::{Command, fail, run_next};
use crate::failpoint;
use crate::store::Effects;
use crate::store::sqlite::{BeginError, Core};

/// What is in the store, and those who wait to hear it.
pub(super) struct Committed {
    commands: Vec<Box<dyn Command>>,
    effects: Effects,
}

impl Shared {
    /// Answers, then wakes.
    pub(super) fn tell(&self, committed: Vec<Committed>) {
        for Committed { commands, effects } in committed {
            for command in commands {
                command.answer(Ok(()));
            }
            failpoint::reached("after-answer");
            self.on_commit.committed(effects);
            failpoint::reached("after-wake");
        }
    }

    /// One transaction for the whole batch. Returns what could not begin within `patience`, and adds what is committed, of
    /// which nobody has heard yet.
    pub(super) fn commit(
        &self,
        core: &mut Core,
        batch: Vec<Box<dyn Command>>,
        patience: Duration,
        committed: &mut Vec<Committed>,
    ) -> Vec<Box<dyn Command>> {
        if batch.is_empty() {
            return batch;
        }
        match self.turns.begin(core, patience) {
            Ok(()) => {}
            Err(BeginError::Busy) => return batch,
            Err(BeginError::Other(error)) => return fail(batch, &error),
        }
        self.run_batch(core, batch, patience, committed)
    }

    fn run_batch(
        &self,
        core: &mut Core,
        mut batch: Vec<Box<dyn Command>>,
        patience: Duration,
        committed: &mut Vec<Committed>,
    ) -> Vec<Box<dyn Command>> {
        let mut at = 0;
        while at < batch.len() {
            let next = &mut batch[at..];
            // A panic is the command's own, not that of the task which happens to lead.
            let ran = catch_unwind(AssertUnwindSafe(|| run_next(core, next)));
            if let Ok(Ok(ran)) = ran {
                at += ran;
                continue;
            }
            core.rollback();
            match ran {
                Ok(Err(error)) if batch.len() == 1 => batch.remove(at).answer(Err(error)),
                Ok(_) => {}
                // Dropped unanswered, and not tried again; the panic hook has told of it.
                Err(_) => drop(batch.remove(at)),
            }
            return self.commit_apart(core, batch, patience);
        }
        failpoint::reached("before-commit");
        match core.commit() {
            Ok(effects) => {
                failpoint::reached("after-commit");
                committed.push(Committed {
                    commands: batch,
                    effects,
                });
                Vec::new()
            }
            Err(error) => fail(batch, &error),
        }
    }

    /// After one command failed: each in a transaction of its own, so that only the bad one fails.
    fn commit_apart(
        &self,
        core: &mut Core,
        batch: Vec<Box<dyn Command>>,
        patience: Duration,
    ) -> Vec<Box<dyn Command>> {
        let mut left = Vec::new();
        for command in batch {
            let mut committed = Vec::with_capacity(1);
            left.extend(self.commit(core, vec![command], patience, &mut committed));
            // The next one may have to wait.
            self.tell(committed);
        }
        left
    }
}
