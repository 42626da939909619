//! The mailbox: what waits, who leads, and what is known of those who come. Changed under its lock alone.

use super::command::Command;

/// So many commands without company make a lone caller, which looks for company again after so many more.
const OFTEN_ALONE: u32 = 4;
pub(super) const TRIES_AGAIN: u32 = 64;

#[derive(Default)]
pub(super) struct Mailbox {
    pub(super) waiting: Vec<Box<dyn Command>>,
    pub(super) rows: usize,
    pub(super) leader: Leader,
    /// Someone found a leader at work and relies on whoever leads next.
    pub(super) relied: bool,
    /// The thread waits for so many commands, but not for long.
    pub(super) expected: usize,
    /// So many commands in a row were committed without another beside them.
    pub(super) alone: u32,
    /// Most of the WAL is checkpointed; the thread is to end it.
    pub(super) end_checkpoint: bool,
    /// Too much is in the WAL; the thread is to checkpoint it before it goes on.
    pub(super) catch_up: bool,
    pub(super) closed: bool,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leader {
    #[default]
    Nobody,
    Task,
    Thread,
}

impl Mailbox {
    /// To let others go first costs a lone caller a third of its time: the runtime wakes another of its threads, in vain.
    /// So who was alone several times only tries it now and then.
    pub(super) fn expects_company(&self) -> bool {
        self.alone < OFTEN_ALONE || self.alone.is_multiple_of(TRIES_AGAIN)
    }

    /// Whether the thread has something to do for the WAL.
    pub(super) fn has_errand(&self) -> bool {
        self.end_checkpoint || self.catch_up
    }

    pub(super) fn take(&mut self) -> Vec<Box<dyn Command>> {
        self.rows = 0;
        std::mem::take(&mut self.waiting)
    }
}
