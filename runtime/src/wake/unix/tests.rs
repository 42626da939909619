//! Several clients on one file: who hears what, and what becomes of the sockets of the dead and of the living.

use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use super::*;
use crate::store::{Effects, Ending, NextDue};
use crate::wake::{Sleeper, Wakes};

/// Only a test that hangs waits that long.
const LIMIT: Duration = Duration::from_secs(60);

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A database, of which only the name matters.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> io::Result<Self> {
        let place = Self(tempfile::tempdir()?);
        fs::write(place.database(), "")?;
        Ok(place)
    }

    fn database(&self) -> PathBuf {
        self.0.path().join("jobs.db")
    }

    fn folder(&self) -> PathBuf {
        self.0.path().join("jobs.db-afterhours.wake")
    }

    fn client(&self) -> Wakes {
        Wakes::on(&self.database())
    }

    /// A worker of a client of its own.
    fn worker(&self, id: i64) -> Result<Ear, Error> {
        worker_of(&self.client(), id)
    }

    fn allow(&self, mode: u32) -> io::Result<()> {
        fs::set_permissions(self.folder(), fs::Permissions::from_mode(mode))
    }

    /// A socket that its process has left behind.
    fn leave(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.folder().join(name);
        drop(Speaker::bind(&path)?);
        Ok(path)
    }
}

fn worker_of(client: &Wakes, id: i64) -> Result<Ear, Error> {
    client.prepare()?;
    let ear = client.listen(WorkerId(id))?;
    Ok(ear.expect("the client is on a file"))
}

/// What was said to it until now.
fn words(ear: &Ear) -> io::Result<Heard> {
    // Beside the runtime, which may not yet have noticed them.
    let socket = Speaker::from(ear.socket.as_fd().try_clone_to_owned()?);
    let (mut heard, mut bytes) = (Heard::default(), [0; Word::MOST_BYTES]);
    while let Ok(length) = socket.recv(&mut bytes) {
        heard.take_in(&bytes[..length]);
    }
    Ok(heard)
}

fn is_called(ear: &Ear) -> io::Result<bool> {
    Ok(words(ear)?.call.ready)
}

fn ready() -> Effects {
    Effects {
        ready: true,
        ..Effects::default()
    }
}

fn commit(client: &Wakes, effects: &Effects) {
    client.committed(effects);
    client.tell_others();
}

/// Commits until the worker is called: a change in the same tick of the file system's clock does not show at once.
fn commit_until_called(client: &Wakes, ear: &Ear) -> Outcome {
    let since = Instant::now();
    loop {
        commit(client, &ready());
        if is_called(ear)? {
            return Ok(());
        }
        assert!(since.elapsed() < LIMIT);
    }
}

#[tokio::test]
async fn one_commit_calls_one_worker_of_two() -> Outcome {
    let place = Place::new()?;
    let ears = [place.worker(1)?, place.worker(2)?];
    let producer = place.client();
    for _ in 0..4 {
        commit(&producer, &ready());
        let called = [is_called(&ears[0])?, is_called(&ears[1])?];
        assert_ne!(called[0], called[1]);
    }
    Ok(())
}

#[tokio::test]
async fn nothing_is_said_about_a_commit_that_concerns_nobody() -> Outcome {
    let place = Place::new()?;
    let ear = place.worker(1)?;
    commit(&place.client(), &Effects::default());
    assert_eq!(words(&ear)?, Heard::default());
    Ok(())
}

#[tokio::test]
async fn another_process_is_called_only_if_no_worker_here_has_a_place() -> Outcome {
    let place = Place::new()?;
    let (ear, client) = (place.worker(1)?, place.client());
    let here: Arc<Sleeper> = client.join();
    commit(&client, &ready());
    assert!(!is_called(&ear)?);
    assert_eq!(here.set_full(true), u8::MAX, "it was called itself");
    commit(&client, &ready());
    assert!(is_called(&ear)?);
    Ok(())
}

#[tokio::test]
async fn a_call_tells_the_moment_and_how_many_it_may_still_reach() -> Outcome {
    let place = Place::new()?;
    let ears = [place.worker(1)?, place.worker(2)?, place.worker(3)?];
    let scheduled = NextDue {
        wall: Some(5),
        store: Some(7),
    };
    let effects = Effects {
        scheduled,
        ..Effects::default()
    };
    commit(&place.client(), &effects);
    let expected = Call {
        ready: false,
        scheduled,
        hops: 2,
    };
    assert_eq!(words(&ears[0])?.call, expected);
    Ok(())
}

#[tokio::test]
async fn all_workers_hear_of_a_cancelled_run_and_all_joiners_of_an_end() -> Outcome {
    let place = Place::new()?;
    let ears = [place.worker(1)?, place.worker(2)?];
    let joining = place.client();
    let joiner = joining.listen_for_ends()?.expect("on a file");
    let effects = Effects {
        cancelling: true,
        finished: vec![(RunId(3), Ending::Release), (RunId(4), Ending::Release)],
        ..Effects::default()
    };
    commit(&place.client(), &effects);
    for ear in &ears {
        let heard = words(ear)?;
        assert!(heard.cancelling && heard.ended.is_empty());
    }
    let heard = words(&joiner)?;
    assert_eq!(
        (heard.cancelling, heard.ended),
        (false, vec![RunId(3), RunId(4)])
    );
    // Its own commits it hears of without a socket.
    commit(&joining, &effects);
    assert_eq!(words(&joiner)?, Heard::default());
    Ok(())
}

#[tokio::test]
async fn a_worker_that_does_not_read_holds_nobody_up() -> Outcome {
    let place = Place::new()?;
    let (frozen, producer) = (place.worker(1)?, Arc::new(place.client()));
    let (tell, told) = std::sync::mpsc::channel();
    let producing = Arc::clone(&producer);
    std::thread::spawn(move || {
        for _ in 0..1_000 {
            commit(&producing, &ready());
        }
        tell.send(())
    });
    told.recv_timeout(LIMIT)?;
    let awake = place.worker(2)?;
    commit_until_called(&producer, &awake)?;
    assert!(is_called(&frozen)?);
    Ok(())
}

#[tokio::test]
async fn a_dead_worker_s_socket_is_passed_over_and_removed() -> Outcome {
    let place = Place::new()?;
    let living = place.worker(2)?;
    let dead = place.leave("w1-00000000")?;
    commit(&place.client(), &ready());
    assert!(is_called(&living)?);
    assert!(!dead.exists());
    Ok(())
}

#[tokio::test]
async fn a_worker_that_starts_removes_what_the_dead_have_left() -> Outcome {
    let place = Place::new()?;
    let living = place.worker(1)?;
    let dead = [
        place.leave("w7-00000000")?,
        place.leave("j0123456789abcdef")?,
    ];
    // Somebody may be about to give it its last name.
    let new = place.leave("nw8-00000000")?;
    let file = place.folder().join("w9-00000000");
    fs::write(&file, "no socket")?;
    let starting = place.worker(2)?;
    assert_eq!(dead.map(|dead| dead.exists()), [false, false]);
    assert!(living.path.exists() && starting.path.exists());
    assert!(new.exists() && file.exists());
    Ok(())
}

#[tokio::test]
async fn a_living_worker_s_socket_stays_and_goes_with_it() -> Outcome {
    let place = Place::new()?;
    let (ear, producer) = (place.worker(1)?, place.client());
    for id in 2..5 {
        drop(place.worker(id)?);
        commit(&producer, &ready());
        assert!(is_called(&ear)?, "{id}");
    }
    let path = ear.path.clone();
    assert!(path.exists());
    drop(ear);
    assert!(!path.exists());
    commit(&producer, &ready());
    Ok(())
}

#[tokio::test]
async fn two_workers_of_one_number_have_sockets_of_their_own() -> Outcome {
    let place = Place::new()?;
    // As after the store was deleted.
    let ears = [place.worker(1)?, place.worker(1)?];
    let producer = place.client();
    commit(&producer, &ready());
    commit(&producer, &ready());
    assert!(is_called(&ears[0])? && is_called(&ears[1])?);
    Ok(())
}

#[tokio::test]
async fn nothing_is_said_into_a_folder_that_others_can_write_to() -> Outcome {
    let place = Place::new()?;
    let (ear, producer) = (place.worker(1)?, place.client());
    for (mode, is_trusted) in [(0o700, true), (0o722, false), (0o700, true)] {
        place.allow(mode)?;
        commit(&producer, &ready());
        assert_eq!(is_called(&ear)?, is_trusted, "{mode:o}");
    }
    place.allow(0o770)?;
    assert!(matches!(place.worker(2), Err(Error::WakeFolder { .. })));
    Ok(())
}

#[tokio::test]
async fn a_folder_that_is_removed_costs_the_words_and_no_more() -> Outcome {
    let place = Place::new()?;
    let (lost, producer) = (place.worker(1)?, place.client());
    commit(&producer, &ready());
    fs::remove_dir_all(place.folder())?;
    commit(&producer, &ready());
    let found = place.worker(2)?;
    commit_until_called(&producer, &found)?;
    drop(lost);
    Ok(())
}

#[tokio::test]
async fn words_that_come_together_are_heard_together() -> Outcome {
    let place = Place::new()?;
    let (ear, producer) = (place.worker(1)?, place.client());
    commit(&producer, &ready());
    let cancelling = Effects {
        cancelling: true,
        ..Effects::default()
    };
    commit(&producer, &cancelling);
    let heard = ear.hear().await?;
    assert!(heard.call.ready && heard.cancelling);
    Ok(())
}
