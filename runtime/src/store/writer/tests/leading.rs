//! Who leads: each step of the hand-over, taken by hand, and then as a race.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// The thread that a command runs on.
fn leader(_: &mut dyn Store) -> Outcome<Option<String>> {
    Ok(current().name().map(str::to_owned))
}

const THREAD: &str = "afterhours-writer";

#[tokio::test]
async fn a_task_leads_on_its_own_thread() {
    let here = leader(&mut core(&Location::Memory)).unwrap();
    let writer = in_memory();
    for rows in [0, 1, TASK_ROWS] {
        assert_eq!(in_time(writer.call(rows, leader)).await.unwrap(), here);
    }
}

#[tokio::test]
async fn many_rows_and_slow_commits_are_left_to_the_thread() {
    let writer = in_memory();
    let by = in_time(writer.call(TASK_ROWS + 1, leader)).await.unwrap();
    assert_eq!(by.as_deref(), Some(THREAD));
    let full = Settings {
        full: true,
        ..SETTINGS
    };
    let full = Writer::start(core(&Location::Memory), full, Box::new(drop)).unwrap();
    let by = in_time(full.call(1, leader)).await.unwrap();
    assert_eq!(by.as_deref(), Some(THREAD));
    let by = tokio::task::spawn_blocking(move || writer.call_blocking(1, leader));
    assert_eq!(by.await.unwrap().unwrap().as_deref(), Some(THREAD));
}

#[tokio::test]
async fn tasks_that_come_together_share_a_commit() {
    let (told, hear) = mpsc::channel();
    let writer = start(&Location::Memory, move |_| told.send(()).unwrap());
    let [one, two, three] = ["a", "b", "c"].map(|name| writer.call(1, insert(name)));
    let ids = tokio::join!(one, two, three);
    assert_eq!(
        (ids.0.unwrap(), ids.1.unwrap(), ids.2.unwrap()),
        (RunId(1), RunId(2), RunId(3))
    );
    assert_eq!(hear.try_iter().count(), 1);
}

#[tokio::test]
async fn inserts_that_come_together_each_get_their_own_id_whatever_is_between_them() {
    let writer = in_memory();
    let mut tasks = Vec::new();
    for at in 0..100_u8 {
        let job = if at % 50 < 40 { "one" } else { "another" };
        let mut run = new(job);
        run.payload = vec![at];
        tasks.push(writer.insert(run, NOW));
    }
    let between = writer.call(1, insert("between"));
    let all = all_of(tasks);
    let (inserted, id) = tokio::join!(all, between);
    let ids: Vec<_> = inserted.iter().map(|inserted| inserted.id.0).collect();
    assert_eq!(ids, (1..=100).collect::<Vec<_>>());
    assert_eq!(id.unwrap(), RunId(101));
    let names = in_time(writer.call(0, stored)).await.unwrap();
    let others = names.iter().filter(|name| *name == "another").count();
    assert_eq!((names.len(), others), (101, 20));
}

/// All of them, polled in their order.
async fn all_of(inserts: Vec<impl Future<Output = Outcome<Inserted>>>) -> Vec<Inserted> {
    let mut inserts: Vec<_> = inserts.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<Inserted>> = vec![None; inserts.len()];
    std::future::poll_fn(move |cx| {
        for (insert, done) in inserts.iter_mut().zip(&mut done) {
            if done.is_none()
                && let Poll::Ready(inserted) = insert.as_mut().poll(cx)
            {
                *done = Some(inserted.unwrap());
            }
        }
        match done.iter().copied().collect::<Option<Vec<_>>>() {
            Some(all) => Poll::Ready(all),
            None => Poll::Pending,
        }
    })
    .await
}

#[tokio::test]
async fn a_lone_caller_lets_nobody_go_first_but_company_is_noticed_soon() {
    const CALLS: usize = 320;
    let (told, hear) = mpsc::channel();
    let writer = Arc::new(start(&Location::Memory, move |_| told.send(()).unwrap()));
    let yields = Arc::new(AtomicUsize::new(0));
    let other = tokio::spawn({
        let yields = Arc::clone(&yields);
        async move {
            loop {
                yields.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        }
    });
    for _ in 0..CALLS {
        in_time(writer.call(1, insert("alone"))).await.unwrap();
    }
    other.abort();
    // The runtime itself interrupts a task that has done much.
    let yields = yields.load(Ordering::Relaxed);
    assert!((1..CALLS / 8).contains(&yields), "{yields}");
    assert_eq!(hear.try_iter().count(), CALLS);

    let tasks = (0..64).map(|_| {
        let writer = Arc::clone(&writer);
        tokio::spawn(async move {
            for _ in 0..CALLS / 10 {
                in_time(writer.call(1, insert("beside"))).await.unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        in_time(task).await.unwrap();
    }
    let commits = hear.try_iter().count();
    assert!(commits < 2 * CALLS / 10 + TRIES_AGAIN as usize, "{commits}");
}

/// Puts a command into the mailbox that says who leads it, and that brings the next one, whose caller relies on that one.
fn a_chain(shared: &Arc<Shared>, told: mpsc::Sender<Option<String>>, left: u32) {
    let next = Arc::clone(shared);
    let (command, _) = typed(move |store| {
        told.send(leader(store)?).unwrap();
        if left > 0 {
            a_chain(&next, told.clone(), left - 1);
        }
        Ok(())
    });
    shared.push(1, command).unwrap();
    shared.lead_on_task();
}

#[tokio::test]
async fn a_task_commits_for_those_who_rely_on_it_and_not_for_ever() {
    let writer = in_memory();
    let here = leader(&mut core(&Location::Memory)).unwrap();
    let (told, hear) = mpsc::channel();
    a_chain(&writer.shared, told, 2 * ROUNDS);
    let by: Vec<_> = (0..=2 * ROUNDS)
        .map(|_| hear.recv_timeout(FORGOTTEN).unwrap())
        .collect();
    let by_task = by.iter().take_while(|by| **by == here).count();
    assert_eq!(by_task, usize::try_from(ROUNDS).unwrap());
    assert_eq!(by[by_task].as_deref(), Some(THREAD));
}

/// As if a task led at this moment.
fn a_task_leads(writer: &Writer) {
    let mut mailbox = writer.shared.lock();
    assert!(mailbox.leader == Leader::Nobody);
    mailbox.leader = Leader::Task;
}

#[tokio::test]
async fn who_came_while_a_task_led_is_served_by_the_thread() {
    let writer = in_memory();
    a_task_leads(&writer);
    let mut answer = push(&writer, 1, leader).unwrap();
    writer.shared.lead_on_task();
    assert!(answer.try_recv().is_err(), "there is one leader");
    assert!(writer.shared.step_down(Vec::new(), false).is_none());
    let by = in_time(answer).await.unwrap().unwrap();
    assert_eq!(by.as_deref(), Some(THREAD));
}

#[tokio::test]
async fn who_pushed_and_comes_after_the_leader_is_gone_leads() {
    let writer = in_memory();
    a_task_leads(&writer);
    let answer = push(&writer, 1, leader).unwrap();
    assert!(writer.shared.step_down(Vec::new(), false).is_none());
    assert!(writer.shared.lock().leader == Leader::Nobody);
    writer.shared.lead_on_task();
    let by = in_time(answer).await.unwrap().unwrap();
    assert_ne!(by.as_deref(), Some(THREAD));
}

#[tokio::test]
async fn who_is_dropped_while_a_task_leads_is_served_by_the_thread() {
    let writer = in_memory();
    a_task_leads(&writer);
    let (told, hear) = mpsc::channel();
    start_and_drop(writer.call(1, move |_| {
        told.send(()).unwrap();
        Ok(())
    }));
    assert!(writer.shared.step_down(Vec::new(), false).is_none());
    hear.recv_timeout(FORGOTTEN).unwrap();
}

#[tokio::test]
async fn who_relies_on_a_leader_that_has_taken_its_command_wakes_nobody() {
    let writer = in_memory();
    a_task_leads(&writer);
    writer.shared.lead_on_task();
    assert!(writer.shared.step_down(Vec::new(), false).is_none());
    assert!(writer.shared.lock().leader == Leader::Nobody);
    assert!(!writer.shared.lock().relied);
}

#[test]
fn a_task_that_led_while_the_writer_was_closed_leaves_the_end_to_the_thread() {
    let writer = in_memory();
    // So that the thread has begun, and waits for its bell.
    hold(&writer).let_go();
    while writer.shared.lock().leader != Leader::Nobody {
        std::thread::yield_now();
    }
    a_task_leads(&writer);
    let answer = push(&writer, 1, insert("a")).unwrap();
    // As `close` does; its bell rings for a thread that may not lead yet.
    writer.shared.lock().closed = true;
    assert!(writer.shared.step_down(Vec::new(), false).is_none());
    assert_eq!(received(answer).unwrap().unwrap(), RunId(1));
    writer.close();
}

#[test]
fn what_a_task_could_not_begin_goes_before_what_came_meanwhile() {
    let writer = in_memory();
    a_task_leads(&writer);
    for name in ["a", "b"] {
        drop(push(&writer, 1, insert(name)).unwrap());
    }
    let left = writer.shared.lock().take();
    let last = push(&writer, 1, insert("c")).unwrap();
    assert!(writer.shared.step_down(left, true).is_none());
    received(last).unwrap().unwrap();
    assert_eq!(writer.call_blocking(0, stored).unwrap(), ["a", "b", "c"]);
}

#[test]
fn what_a_task_could_not_begin_at_once_is_left_to_the_thread() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    let writer = in_file(&path);
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let first = ["a", "b"].map(|name| push(&writer, 1, insert(name)).unwrap());
    let since = Instant::now();
    writer.shared.lead_on_task();
    assert!(since.elapsed() < PATIENCE / 2, "the task waited itself");
    assert!(writer.shared.lock().leader == Leader::Thread);
    let then = push(&writer, 1, insert("c")).unwrap();
    writer.shared.lead_on_task();
    other.execute_batch("COMMIT").unwrap();
    for answer in first.into_iter().chain([then]) {
        received(answer).unwrap().unwrap();
    }
    assert_eq!(writer.call_blocking(0, stored).unwrap(), ["a", "b", "c"]);
}

/// A little while that differs from turn to turn.
fn dawdle(random: &mut fastrand::Rng) {
    (0..random.u32(0..400)).for_each(|_| std::hint::spin_loop());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_forgotten_when_leaders_let_go() {
    const TURNS: u32 = 2000;
    let writer = Arc::new(in_memory());
    let together = Arc::new(tokio::sync::Barrier::new(3));
    let actor = |seed: u64, drops: bool| {
        let (writer, together) = (Arc::clone(&writer), Arc::clone(&together));
        tokio::spawn(async move {
            let mut random = fastrand::Rng::with_seed(seed);
            for turn in 0..TURNS {
                together.wait().await;
                dawdle(&mut random);
                if drops && random.bool() {
                    start_and_drop(writer.call(1, insert("dropped")));
                } else {
                    let answer = in_time(writer.call(1, move |_| Ok(turn))).await;
                    assert_eq!(answer.unwrap(), turn);
                }
            }
        })
    };
    let tasks = [actor(1, false), actor(2, false), actor(3, true)];
    let thread = tokio::task::spawn_blocking({
        let writer = Arc::clone(&writer);
        move || {
            let mut random = fastrand::Rng::with_seed(4);
            for turn in 0..TURNS {
                dawdle(&mut random);
                assert_eq!(writer.call_blocking(1, move |_| Ok(turn)).unwrap(), turn);
            }
        }
    });
    for task in tasks {
        task.await.unwrap();
    }
    in_time(thread).await.unwrap();
    // Commits go in order, so this comes after all that was dropped.
    in_time(writer.call(0, stored)).await.unwrap();
    assert!(writer.shared.lock().waiting.is_empty());
}
