//! Trouble: commands that fail or panic, callers that go away, and other processes that hold the lock.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// Panics, without a word on the terminal.
fn panicking() -> impl Work<RunId> {
    let mut work = insert("panicking");
    move |store| {
        work(store)?;
        std::panic::resume_unwind(Box::new("on purpose"))
    }
}

#[test]
fn a_bad_command_fails_alone_in_the_batch_of_the_thread() {
    let writer = in_memory();
    let held = hold(&writer);
    let good = |name| push(&writer, 1, insert(name)).unwrap();
    let [one, two] = ["a", "b"].map(good);
    let bad = push(&writer, 1, bad()).unwrap();
    let three = good("c");
    held.let_go();
    assert_bad(&received(bad).unwrap());
    for good in [one, two, three] {
        received(good).unwrap().unwrap();
    }
    assert_eq!(writer.call_blocking(0, stored).unwrap(), ["a", "b", "c"]);
}

#[tokio::test]
async fn a_bad_command_fails_alone_in_the_batch_of_a_task() {
    let writer = in_memory();
    let (one, bad, two) = in_time(async {
        tokio::join!(
            writer.call(1, insert("a")),
            writer.call(1, bad()),
            writer.call(1, insert("b"))
        )
    })
    .await;
    assert_bad(&bad);
    assert_eq!((one.unwrap(), two.unwrap()), (RunId(1), RunId(2)));
    assert_eq!(writer.call(0, stored).await.unwrap(), ["a", "b"]);
}

#[tokio::test]
async fn of_inserts_that_go_together_a_bad_one_fails_alone() {
    let writer = in_memory();
    let good = |name| writer.insert(new(name), NOW);
    // Larger than SQLite takes.
    let payload = vec![0; 1_000_000_001];
    let bad = writer.insert(
        NewRun {
            payload,
            ..new("bad")
        },
        NOW,
    );
    let (one, bad, two) = in_time(async { tokio::join!(good("a"), bad, good("b")) }).await;
    bad.unwrap_err();
    assert_eq!((one.unwrap().id, two.unwrap().id), (RunId(1), RunId(2)));
    assert_eq!(in_time(writer.call(0, stored)).await.unwrap(), ["a", "b"]);
}

#[tokio::test]
async fn a_failure_tells_nobody_of_effects() {
    let (told, hear) = mpsc::channel();
    let writer = start(&Location::Memory, move |effects| {
        told.send(effects.ready).unwrap();
    });
    assert_bad(&in_time(writer.call(1, bad())).await);
    in_time(writer.call(0, stored)).await.unwrap();
    assert_eq!(hear.try_iter().collect::<Vec<_>>(), [false]);
}

#[tokio::test]
async fn a_panicking_command_fails_alone_in_the_batch_of_a_task() {
    let writer = in_memory();
    let (one, panicked, two) = in_time(async {
        tokio::join!(
            writer.call(1, insert("a")),
            writer.call(1, panicking()),
            writer.call(1, insert("b"))
        )
    })
    .await;
    panicked.unwrap_err();
    assert_eq!((one.unwrap(), two.unwrap()), (RunId(1), RunId(2)));
    assert_eq!(in_time(writer.call(0, stored)).await.unwrap(), ["a", "b"]);
}

#[test]
fn a_panicking_command_fails_alone_in_the_batch_of_the_thread() {
    let writer = in_memory();
    for _ in 0..3 {
        let held = hold(&writer);
        let one = push(&writer, 1, insert("a")).unwrap();
        let panicked = push(&writer, 1, panicking()).unwrap();
        let two = push(&writer, 1, insert("b")).unwrap();
        held.let_go();
        assert!(!matches!(received(panicked), Ok(Ok(_))));
        received(one).unwrap().unwrap();
        received(two).unwrap().unwrap();
    }
    assert_eq!(writer.call_blocking(0, stored).unwrap().len(), 6);
    assert!(writer.call_blocking(1, panicking()).is_err());
    writer.call_blocking(1, insert("after")).unwrap();
}

#[tokio::test]
async fn the_writer_outlives_a_panic_while_effects_are_told() {
    let calls = AtomicUsize::new(0);
    let writer = Arc::new(start(&Location::Memory, move |_| {
        if calls.fetch_add(1, Ordering::SeqCst) < 2 {
            std::panic::resume_unwind(Box::new("on purpose"));
        }
    }));
    let on_task = tokio::spawn({
        let writer = Arc::clone(&writer);
        async move { writer.call(1, insert("a")).await }
    });
    assert!(in_time(on_task).await.unwrap_err().is_panic());
    in_time(writer.call(TASK_ROWS + 1, insert("b")))
        .await
        .unwrap();
    assert_eq!(in_time(writer.call(0, stored)).await.unwrap(), ["a", "b"]);
}

#[tokio::test]
async fn a_dropped_call_leaves_nothing_behind() {
    let writer = in_memory();
    drop(writer.call(1, insert("never begun")));
    for round in 1..=20 {
        start_and_drop(writer.call(1, insert("dropped")));
        let names = in_time(writer.call(0, stored)).await.unwrap();
        assert_eq!(names.len(), round, "committed before what came later");
        assert!(writer.shared.lock().waiting.is_empty());
    }
}

#[test]
fn a_dropped_call_is_committed_though_nobody_calls_again() {
    let (told, hear) = mpsc::channel();
    let writer = start(&Location::Memory, move |_| told.send(()).unwrap());
    start_and_drop(writer.call(1, insert("dropped")));
    hear.recv_timeout(FORGOTTEN).unwrap();
}

#[tokio::test]
async fn a_call_that_is_dropped_while_the_thread_has_it_hurts_nobody() {
    let writer = Arc::new(in_memory());
    let held = hold(&writer);
    let dropped = tokio::spawn({
        let writer = Arc::clone(&writer);
        async move { writer.call(1, insert("dropped")).await }
    });
    while !writer.shared.lock().relied {
        tokio::task::yield_now().await;
    }
    dropped.abort();
    assert!(in_time(dropped).await.unwrap_err().is_cancelled());
    held.go.send(()).unwrap();
    let names = in_time(writer.call(0, stored)).await.unwrap();
    assert_eq!(names, ["dropped"]);
}

#[tokio::test]
async fn callers_wait_for_another_process_and_the_runtime_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    let writer = Arc::new(in_file(&path));
    let other = rusqlite::Connection::open(&path).unwrap();
    for round in 1..=3 {
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let callers: Vec<_> = (0..8)
            .map(|_| {
                let writer = Arc::clone(&writer);
                tokio::spawn(async move { writer.call(1, insert("a")).await })
            })
            .collect();
        let thread = tokio::task::spawn_blocking({
            let writer = Arc::clone(&writer);
            move || writer.call_blocking(1, insert("a"))
        });
        // This task is the second one: it gets its turns although nobody can commit.
        for _ in 0..2000 {
            tokio::task::yield_now().await;
        }
        assert!(writer.shared.lock().leader == Leader::Thread);
        assert!(callers.iter().all(|caller| !caller.is_finished()));
        other.execute_batch("COMMIT").unwrap();
        for caller in callers.into_iter().chain([thread]) {
            in_time(caller).await.unwrap().unwrap();
        }
        let names = in_time(writer.call(0, stored)).await.unwrap();
        assert_eq!(names.len(), round * 9);
    }
}

#[test]
fn patience_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    let mut core = core(&Location::File(path.clone()));
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    for patience in [Duration::ZERO, Duration::from_millis(3)] {
        let since = Instant::now();
        let began = Turns::default().begin(&mut core, patience);
        assert!(matches!(began, Err(BeginError::Busy)), "{began:?}");
        assert!(since.elapsed() >= patience);
    }
    other.execute_batch("COMMIT").unwrap();
    Turns::default().begin(&mut core, Duration::ZERO).unwrap();
}

#[test]
fn the_last_reference_may_end_with_a_command() {
    let (told, hear) = mpsc::channel::<()>();
    let writer = Arc::new(start(&Location::Memory, move |_| {
        // Dropped with the writer.
        let _ = &told;
    }));
    let held = hold(&writer);
    let keeper = Arc::clone(&writer);
    let mut work = insert("a");
    let first = push(&writer, 1, move |store: &mut dyn Store| {
        let _ = &keeper;
        work(store)
    });
    let second = push(&writer, 1, insert("b")).unwrap();
    drop(writer);
    held.let_go();
    received(first.unwrap()).unwrap().unwrap();
    received(second).unwrap().unwrap();
    assert_eq!(
        hear.recv_timeout(FORGOTTEN),
        Err(mpsc::RecvTimeoutError::Disconnected),
        "the thread has ended"
    );
}
