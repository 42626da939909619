//! Commands: what waits in the mailbox, each with its answer. They are run inside a transaction, and answered after the
//! commit.

use tokio::sync::oneshot;
use tracing::Span;

use crate::clock::Now;
use crate::error::Error;
use crate::store::sqlite::Core;
use crate::store::{Inserted, NewRun, Store};

/// Something to do inside a transaction, possibly more than once, with an answer after the commit.
pub(super) trait Command: Send {
    fn run(&mut self, store: &mut Core) -> Result<(), Error>;
    /// Itself, if it is an insert of one run: those that come together are done together.
    fn as_insert(&mut self) -> Option<&mut Insert> {
        None
    }
    fn answer(self: Box<Self>, outcome: Result<(), Error>);
}

struct Typed<F, R> {
    work: F,
    value: Option<R>,
    reply: oneshot::Sender<Result<R, Error>>,
    span: Span,
}

impl<F, R> Command for Typed<F, R>
where
    F: FnMut(&mut dyn Store) -> Result<R, Error> + Send,
    R: Send,
{
    fn run(&mut self, store: &mut Core) -> Result<(), Error> {
        let _entered = self.span.enter();
        self.value = Some((self.work)(store)?);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<(), Error>) {
        let Self { value, reply, .. } = *self;
        // Nobody waits any more if the caller's future was dropped.
        let _ = reply.send(outcome.and_then(|()| value.ok_or(Error::Closed)));
    }
}

/// As most commands are.
pub(super) struct Insert {
    run: NewRun,
    now: Now,
    inserted: Option<Inserted>,
    reply: oneshot::Sender<Result<Inserted, Error>>,
}

impl Insert {
    pub(super) fn of(
        run: NewRun,
        now: Now,
    ) -> (Box<dyn Command>, oneshot::Receiver<Result<Inserted, Error>>) {
        let (reply, answer) = oneshot::channel();
        let insert = Self {
            run,
            now,
            inserted: None,
            reply,
        };
        (Box::new(insert), answer)
    }
}

impl Command for Insert {
    fn run(&mut self, store: &mut Core) -> Result<(), Error> {
        self.inserted = Some(store.insert(&self.run, self.now)?);
        Ok(())
    }

    fn as_insert(&mut self) -> Option<&mut Self> {
        Some(self)
    }

    fn answer(self: Box<Self>, outcome: Result<(), Error>) {
        let inserted = outcome.and_then(|()| self.inserted.ok_or(Error::Closed));
        // Nobody waits any more if the caller's future was dropped.
        let _ = self.reply.send(inserted);
    }
}

/// Runs the next command, or all inserts up to the next other one, and returns how many that were.
pub(super) fn run_next(core: &mut Core, commands: &mut [Box<dyn Command>]) -> Result<usize, Error> {
    let mut inserts: Vec<_> = commands
        .iter_mut()
        .map_while(|command| command.as_insert())
        .collect();
    if inserts.len() > 1 {
        let runs: Vec<_> = inserts
            .iter()
            .map(|insert| (&insert.run, insert.now))
            .collect();
        let inserted = core.insert_all(&runs)?;
        for (insert, inserted) in inserts.iter_mut().zip(&inserted) {
            insert.inserted = Some(*inserted);
        }
        return Ok(inserted.len());
    }
    match commands {
        [next, ..] => next.run(core).map(|()| 1),
        [] => Ok(0),
    }
}

pub(super) fn typed<R, F>(work: F) -> (Box<dyn Command>, oneshot::Receiver<Result<R, Error>>)
where
    F: FnMut(&mut dyn Store) -> Result<R, Error> + Send + 'static,
    R: Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    let command = Typed {
        work,
        value: None,
        reply,
        span: Span::current(),
    };
    (Box::new(command), answer)
}

/// Answers all with the same error; nothing is left.
pub(super) fn fail(batch: Vec<Box<dyn Command>>, error: &Error) -> Vec<Box<dyn Command>> {
    for command in batch {
        command.answer(Err(copy(error)));
    }
    Vec::new()
}

/// The errors that a whole batch can meet, for each of its commands.
fn copy(error: &Error) -> Error {
    let sqlite = |error: &rusqlite::Error| match error {
        rusqlite::Error::SqliteFailure(code, text) => {
            rusqlite::Error::SqliteFailure(*code, text.clone())
        }
        other => rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ERROR),
            Some(other.to_string()),
        ),
    };
    match error {
        Error::Busy { waited, holder } => Error::Busy {
            waited: *waited,
            holder: holder.clone(),
        },
        Error::DiskFull => Error::DiskFull,
        Error::Closed => Error::Closed,
        Error::FileReplaced { path } => Error::FileReplaced { path: path.clone() },
        Error::Unknown(source) => Error::Unknown(sqlite(source)),
        Error::Store(source) => Error::Store(sqlite(source)),
        other => Error::Store(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ERROR),
            Some(other.to_string()),
        )),
    }
}
