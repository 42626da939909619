//! Who goes first: other processes that wait, and those who were just answered.

use super::*;

/// As soon as the writer does not write itself.
fn others(writer: &Writer) -> i64 {
    let since = Instant::now();
    loop {
        if let Some(number) = writer.others() {
            return number;
        }
        assert!(since.elapsed() < FORGOTTEN, "it writes for ever");
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn only_what_others_commit_is_news() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    let (one, two) = (in_file(&path), in_file(&path));
    let seen = others(&one);
    in_time(one.call(1, insert("own"))).await.unwrap();
    assert_eq!(others(&one), seen);
    in_time(two.call(1, insert("another's"))).await.unwrap();
    let news = others(&one);
    assert_ne!(news, seen);
    in_time(one.call(1, insert("own"))).await.unwrap();
    assert_eq!(others(&one), news);
}

#[test]
fn who_finds_others_in_the_way_takes_turns_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    let mut core = core(&Location::File(path.clone()));
    let turns = Turns::default();
    turns.begin(&mut core, Duration::ZERO).unwrap();
    core.commit().unwrap();
    assert!(!turns.are_taken());
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    turns.begin(&mut core, Duration::ZERO).unwrap_err();
    assert!(turns.are_taken());
}

#[test]
fn those_who_were_answered_get_a_moment_to_come_back() {
    let writer = Arc::new(in_memory());
    let (come, came) = mpsc::channel();
    std::thread::spawn({
        let writer = Arc::clone(&writer);
        move || {
            writer.shared.gather(2, 4 * FORGOTTEN);
            // Nobody listens any more if the test has failed.
            let _ = come.send(writer.shared.lock().waiting.len());
        }
    });
    let since = Instant::now();
    while writer.shared.lock().expected != 2 {
        assert!(since.elapsed() < FORGOTTEN, "it waits for nobody");
        std::thread::yield_now();
    }
    let answers = ["one", "two"].map(|name| push(&writer, 1, insert(name)).unwrap());
    assert_eq!(came.recv_timeout(FORGOTTEN), Ok(2));
    drop(answers);
}
