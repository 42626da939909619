//! Many callers, one connection: who commits, who waits, and that nobody is forgotten.

mod checkpoints;
mod leading;
mod trouble;
mod turns;

use std::collections::BTreeMap;
use std::path::Path;
use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Waker};
use std::time::UNIX_EPOCH;

use super::mailbox::TRIES_AGAIN;
use super::*;
use crate::clock::{Clock, ManualClock, Now};
use crate::run::RunId;
use crate::store::sqlite::{BeginError, Location, Settings, open_writer};
use crate::store::{Due, Kind, NewRun};

const NOW: Now = Now {
    wall: 1_700_000_000_000,
    store: 90_000_000,
};
/// Whoever waits longer has been forgotten.
const FORGOTTEN: Duration = Duration::from_secs(60);
/// Nobody holds a lock that long here.
const PATIENCE: Duration = Duration::from_secs(30);
const SETTINGS: Settings = Settings {
    full: false,
    mmap: false,
    busy_timeout: PATIENCE,
    max_payload: crate::sizes::PAYLOAD,
};

impl<F: Fn(Effects) + Send + Sync> OnCommit for F {
    fn committed(&self, effects: Effects) {
        self(effects);
    }
}

fn core(location: &Location) -> Core {
    let clock = Clock::Manual(ManualClock::starting_at(UNIX_EPOCH));
    open_writer(location, SETTINGS, &clock).unwrap().0
}

fn start(location: &Location, on_commit: impl Fn(Effects) + Send + Sync + 'static) -> Writer {
    Writer::start(core(location), SETTINGS, Box::new(on_commit)).unwrap()
}

fn in_memory() -> Writer {
    start(&Location::Memory, drop)
}

fn in_file(path: &Path) -> Writer {
    start(&Location::File(path.to_owned()), drop)
}

type Outcome<R> = Result<R, Error>;
/// Work for the writer.
trait Work<R>: FnMut(&mut dyn Store) -> Outcome<R> + Send + 'static {}
impl<R, F: FnMut(&mut dyn Store) -> Outcome<R> + Send + 'static> Work<R> for F {}

/// A run of a job of this name.
fn new(name: impl Into<String>) -> NewRun {
    NewRun {
        kind: Kind {
            queue: "default".into(),
            job: name.into().into(),
            version: 1,
            signature: 1,
        },
        priority: 10,
        due: Due::Now,
        payload: Vec::new(),
        options: None,
        unique: None,
    }
}

fn insert(name: impl Into<String>) -> impl Work<RunId> {
    let new = new(name);
    move |store| Ok(store.insert(&new, NOW)?.id)
}

/// Inserts a run, and then fails.
fn bad() -> impl Work<RunId> {
    let mut work = insert("bad");
    move |store| work(store).and_then(|id| Err(Error::Gone { id }))
}

fn assert_bad(outcome: &Outcome<RunId>) {
    assert!(matches!(outcome, Err(Error::Gone { .. })), "{outcome:?}");
}

/// The job of each run, the oldest first.
fn stored(store: &mut dyn Store) -> Outcome<Vec<String>> {
    let mut names = Vec::new();
    for id in 1.. {
        match store.run(RunId(id), NOW)? {
            Some(view) => names.push(view.job),
            None => break,
        }
    }
    Ok(names)
}

/// Leaves a command in the mailbox.
fn push<R: Send + 'static>(
    writer: &Writer,
    rows: usize,
    work: impl Work<R>,
) -> Outcome<oneshot::Receiver<Outcome<R>>> {
    let (command, answer) = typed(work);
    writer.shared.push(rows, command)?;
    Ok(answer)
}

/// Keeps the writer's thread inside a command until it is let go.
struct Held {
    go: mpsc::Sender<()>,
    answer: oneshot::Receiver<Outcome<()>>,
}

fn hold(writer: &Writer) -> Held {
    let (go, going) = mpsc::channel();
    let (inside, entered) = mpsc::channel();
    let work = move |_: &mut dyn Store| {
        inside.send(()).unwrap();
        going.recv().unwrap();
        Ok(())
    };
    let answer = push(writer, 0, work).unwrap();
    writer.shared.hand_over();
    entered.recv_timeout(FORGOTTEN).unwrap();
    Held { go, answer }
}

impl Held {
    fn let_go(self) {
        self.go.send(()).unwrap();
        received(self.answer).unwrap().unwrap();
    }
}

/// Polls once and drops the future. Its command waits in the mailbox by then.
fn start_and_drop<R>(call: impl Future<Output = R>) {
    let mut call = pin!(call);
    // A lone caller may have its answer at once.
    let _ = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
}

/// As `blocking_recv`, with a limit.
fn received<R>(answer: oneshot::Receiver<R>) -> Result<R, oneshot::error::RecvError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    runtime.unwrap().block_on(in_time(answer))
}

async fn in_time<R>(future: impl Future<Output = R>) -> R {
    tokio::time::timeout(FORGOTTEN, future)
        .await
        .expect("a command was forgotten")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_caller_gets_its_own_answer() {
    let writer = Arc::new(in_memory());
    let named = |who: &str, at: i32| {
        let name = format!("{who}-{at}");
        let mut work = insert(name.clone());
        move |store: &mut dyn Store| Ok((work(store)?, name.clone()))
    };
    let threads: Vec<_> = (0..3)
        .map(|thread| {
            let writer = Arc::clone(&writer);
            std::thread::spawn(move || {
                let call = |at| {
                    let who = format!("thread {thread}");
                    let (id, name) = writer.call_blocking(1, named(&who, at)).unwrap();
                    assert_eq!(name, format!("{who}-{at}"));
                    (id, name)
                };
                (0..100).map(call).collect::<Vec<_>>()
            })
        })
        .collect();
    let tasks: Vec<_> = (0..64)
        .map(|task| {
            let writer = Arc::clone(&writer);
            tokio::spawn(async move {
                let mut answers = Vec::new();
                for at in 0..20 {
                    let who = format!("task {task}");
                    let (id, name) = in_time(writer.call(1, named(&who, at))).await.unwrap();
                    assert_eq!(name, format!("{who}-{at}"));
                    answers.push((id, name));
                }
                answers
            })
        })
        .collect();
    let mut answers = BTreeMap::new();
    for task in tasks {
        answers.extend(task.await.unwrap());
    }
    let join = move || {
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
    };
    answers.extend(
        tokio::task::spawn_blocking(|| join().collect::<Vec<_>>())
            .await
            .unwrap(),
    );
    assert_eq!(answers.len(), 64 * 20 + 3 * 100);
    let names: Vec<_> = answers.into_values().collect();
    assert_eq!(writer.call(0, stored).await.unwrap(), names);
}

#[test]
fn close_commits_what_waits() {
    let writer = Arc::new(in_memory());
    let held = hold(&writer);
    let waiting = ["a", "b", "c"].map(|name| push(&writer, 1, insert(name)).unwrap());
    let closing = std::thread::spawn({
        let writer = Arc::clone(&writer);
        move || writer.close()
    });
    while !writer.shared.lock().closed {
        std::thread::yield_now();
    }
    assert!(matches!(
        writer.call_blocking(1, insert("late")),
        Err(Error::Closed)
    ));
    held.let_go();
    let ids = waiting.map(|answer| received(answer).unwrap().unwrap());
    assert_eq!(ids, [RunId(1), RunId(2), RunId(3)]);
    closing.join().unwrap();
}

#[tokio::test]
async fn a_closed_writer_says_so_and_can_be_closed_again() {
    let writer = in_memory();
    in_time(writer.call(1, insert("a"))).await.unwrap();
    writer.close();
    for _ in 0..2 {
        let late = in_time(writer.call(1, insert("late"))).await;
        assert!(matches!(late, Err(Error::Closed)), "{late:?}");
        writer.close();
    }
}

#[test]
fn whoever_closes_waits_for_the_end() {
    let writer = Arc::new(in_memory());
    let held = hold(&writer);
    let one_by_one = Arc::new(Mutex::new(()));
    let closers: Vec<_> = (0..3)
        .map(|_| {
            let (writer, one_by_one) = (Arc::clone(&writer), Arc::clone(&one_by_one));
            let (calling, called) = mpsc::channel();
            let closer = std::thread::spawn(move || {
                calling.send(()).unwrap();
                writer.close();
                let _looking = one_by_one.lock().unwrap();
                // The writer's thread has the lock while it works, so this fails if it still does.
                writer
                    .shared
                    .core
                    .try_lock()
                    .is_ok_and(|core| core.is_none())
            });
            called.recv().unwrap();
            closer
        })
        .collect();
    (0..100).for_each(|_| std::thread::yield_now());
    held.let_go();
    for closer in closers {
        assert!(
            closer.join().unwrap(),
            "closed, they said, and it worked on"
        );
    }
}

#[test]
fn what_was_committed_is_in_the_file_after_closing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    let writer = in_file(&path);
    writer.call_blocking(1, insert("a")).unwrap();
    drop(writer);
    let again = in_file(&path);
    assert_eq!(again.call_blocking(0, stored).unwrap(), ["a"]);
}

#[tokio::test]
async fn effects_are_told_after_the_commit_and_after_the_answers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    drop(core(&Location::File(path.clone())));
    let reader = Mutex::new(rusqlite::Connection::open(&path).unwrap());
    let answers = Arc::new(Mutex::new(Vec::<oneshot::Receiver<Outcome<RunId>>>::new()));
    let (told, hear) = mpsc::channel();
    let waiting = Arc::clone(&answers);
    let writer = start(&Location::File(path), move |effects| {
        let seen: i64 = reader
            .lock()
            .unwrap()
            .query_row("SELECT count(*) FROM afterhours_runs", [], |row| row.get(0))
            .unwrap();
        let answered = waiting
            .lock()
            .unwrap()
            .drain(..)
            .all(|mut answer| answer.try_recv().is_ok());
        told.send((effects.ready, seen, answered)).unwrap();
    });
    let mut expected = 0;
    for batch in 1..=3 {
        for _ in 0..batch {
            let answer = push(&writer, 1, insert("a")).unwrap();
            answers.lock().unwrap().push(answer);
            expected += 1;
        }
        if batch == 2 {
            writer.shared.hand_over();
        } else {
            writer.shared.lead_on_task();
        }
        let heard = hear.recv_timeout(FORGOTTEN).unwrap();
        assert_eq!(heard, (true, expected, true), "once for the batch");
    }
    assert_eq!(in_time(writer.call(0, stored)).await.unwrap().len(), 6);
    assert!(
        !hear.recv_timeout(FORGOTTEN).unwrap().0,
        "nothing became ready"
    );
}
