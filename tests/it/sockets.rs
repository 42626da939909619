//! The folder of sockets beside a store: who may use it, and what becomes of those in it when processes die, stand
//! still or lose it.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use afterhours::{Client, Error, Result};
use nix::sys::signal::Signal;

use crate::support::jobs::work;
use crate::support::process::{Process, count, freeze, ledger_path, wait_for_ledger, worker};
use crate::support::time::secs;
use crate::support::{Folder, LIMIT, joined, looked, nothing, start, within};

fn wakes(folder: &Folder) -> PathBuf {
    folder.path().join("jobs.db-afterhours.wake")
}

/// The sockets in a folder.
fn sockets(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut sockets: Vec<_> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_socket()))
        .map(|entry| entry.path())
        .collect();
    sockets.sort();
    sockets
}

fn mode(path: &Path) -> io::Result<u32> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o7777)
}

/// A socket in the place of a worker's.
struct Pretender(UnixDatagram);

impl Pretender {
    fn bind(folder: &Path, name: &str) -> io::Result<Self> {
        let socket = UnixDatagram::bind(folder.join(name))?;
        socket.set_read_timeout(Some(LIMIT))?;
        Ok(Self(socket))
    }

    /// Waits until it is called.
    fn is_called(&self) -> io::Result<()> {
        self.0.recv(&mut [0; 2048]).map(drop)
    }

    /// How often it was called, and did not hear it.
    fn calls(&self) -> io::Result<usize> {
        self.0.set_nonblocking(true)?;
        let calls = std::iter::from_fn(|| self.0.recv(&mut [0; 2048]).ok()).count();
        self.0.set_nonblocking(false)?;
        Ok(calls)
    }
}

#[tokio::test]
async fn a_worker_has_a_socket_in_a_folder_for_its_user_until_it_stops() -> Result {
    let folder = Folder::new()?;
    let clients = [
        Client::open(folder.store()).await?,
        Client::open(folder.store()).await?,
    ];
    assert!(!wakes(&folder).exists(), "nobody works yet");
    let one = start(&clients[0], []).await?;
    let of_one = sockets(&wakes(&folder));
    assert_eq!((of_one.len(), mode(&wakes(&folder))?), (1, 0o700));
    let two = start(&clients[1], []).await?;
    assert_eq!(sockets(&wakes(&folder)).len(), 2);
    two.stop().await?;
    assert_eq!(sockets(&wakes(&folder)), of_one);
    one.stop().await?;
    assert_eq!(sockets(&wakes(&folder)).len(), 0);
    Ok(())
}

#[tokio::test]
async fn each_enqueue_calls_one_of_two_workers() -> Result {
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    fs::create_dir(wakes(&folder))?;
    let workers = [
        Pretender::bind(&wakes(&folder), "w1-pretender")?,
        Pretender::bind(&wakes(&folder), "w2-pretender")?,
    ];
    for turn in 0..10 {
        client.enqueue(work::prepare(1)).await?;
        workers[turn % 2].is_called()?;
        assert_eq!(workers[(turn + 1) % 2].calls()?, 0);
    }
    client
        .enqueue_all((0..100).map(|_| work::prepare(1)))
        .await?;
    workers[0].is_called()?;
    assert_eq!((workers[0].calls()?, workers[1].calls()?), (0, 0));
    Ok(())
}

#[tokio::test]
async fn a_process_that_has_an_idle_worker_calls_no_other() -> Result {
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let own = start(&client, []).await?;
    let other = Pretender::bind(&wakes(&folder), "w9-pretender")?;
    for _ in 0..10 {
        looked(&client).await?;
    }
    assert_eq!(other.calls()?, 0);
    own.stop().await
}

#[tokio::test]
async fn a_killed_worker_s_socket_is_removed_by_whoever_finds_it() -> Result {
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let mut dead = Process::worker(&folder, 8, LIMIT)?;
    let left = sockets(&wakes(&folder));
    dead.kill()?;
    assert_eq!(sockets(&wakes(&folder)), left);
    let other = Pretender::bind(&wakes(&folder), "w9-pretender")?;
    client.enqueue(work::prepare(1)).await?;
    other.is_called()?;
    assert!(!left[0].exists());
    // One that nobody calls is removed by the next worker.
    let mut dead = Process::worker(&folder, 8, LIMIT)?;
    dead.kill()?;
    assert_eq!(sockets(&wakes(&folder)).len(), 2);
    drop(other);
    let _next = Process::worker(&folder, 8, LIMIT)?;
    assert_eq!(sockets(&wakes(&folder)).len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_stands_still_holds_no_producer_up_and_keeps_its_socket() -> Result {
    const RUNS: usize = 10_000;
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let frozen = Process::worker(&folder, 64, LIMIT)?;
    let socket = sockets(&wakes(&folder));
    freeze(&frozen, &folder)?;
    let producer = tokio::spawn({
        let client = client.clone();
        async move {
            for _ in 0..RUNS {
                client.enqueue(work::prepare(0)).await?;
            }
            Ok::<_, Error>(())
        }
    });
    within("the producer", producer).await??;
    let other = Pretender::bind(&wakes(&folder), "w9-pretender")?;
    let mut starting = Process::worker(&folder, 1, LIMIT)?;
    starting.kill()?;
    within("a call beside the frozen worker", async {
        while other.calls()? == 0 {
            client.enqueue(work::prepare(0)).await?;
        }
        Ok::<_, afterhours::JobError>(())
    })
    .await?;
    assert!(socket[0].exists());
    frozen.signal(Signal::SIGCONT);
    wait_for_ledger(&folder, "a start", |lines| count(lines, "start") > 0);
    Ok(())
}

#[tokio::test]
async fn a_full_worker_passes_the_call_on() -> Result {
    let folder = Folder::new()?;
    let client = Client::open(folder.store()).await?;
    let _full = Process::worker(&folder, 1, secs(0))?;
    client.enqueue(work::prepare(600_000)).await?;
    wait_for_ledger(&folder, "a start", |lines| count(lines, "start") == 1);
    let other = Pretender::bind(&wakes(&folder), "w9-pretender")?;
    // One to each of the two.
    client.enqueue(work::prepare(1)).await?;
    client.enqueue(work::prepare(1)).await?;
    other.is_called()?;
    other.is_called()?;
    Ok(())
}

/// What comes of a folder that was there before.
async fn refused(folder: &Folder) -> Result<String> {
    let client = Client::open(folder.store()).await?;
    let pretender = Pretender::bind(&wakes(folder), "w1-pretender")?;
    let refused = start(&client, []).await.map(drop);
    let Err(error @ Error::WakeFolder { .. }) = refused else {
        panic!("{refused:?}");
    };
    // Who only enqueues needs no folder, and says nothing into this one.
    client.enqueue(work::prepare(1)).await?;
    assert_eq!(pretender.calls()?, 0);
    let workers: u32 =
        folder
            .outsider()?
            .query_row("SELECT count(*) FROM afterhours_workers", [], |row| {
                row.get(0)
            })?;
    assert_eq!(workers, 0);
    Ok(error.to_string())
}

#[tokio::test]
async fn a_folder_that_others_can_write_to_is_refused() -> Result {
    let folder = Folder::new()?;
    fs::create_dir(wakes(&folder))?;
    fs::set_permissions(wakes(&folder), Permissions::from_mode(0o777))?;
    let text = refused(&folder).await?;
    let command = format!("chmod 700 '{}'", wakes(&folder).display());
    assert!(text.contains(&command), "{text}");
    Ok(())
}

#[tokio::test]
async fn a_folder_of_another_user_is_refused() -> Result {
    if !nix::unistd::geteuid().is_root() {
        // Nobody else can give a folder away.
        return Ok(());
    }
    let folder = Folder::new()?;
    fs::create_dir(wakes(&folder))?;
    std::os::unix::fs::chown(wakes(&folder), Some(65534), None)?;
    let text = refused(&folder).await?;
    assert!(text.contains("belongs to user 65534"), "{text}");
    Ok(())
}

#[test]
fn sockets_whose_path_would_be_too_long_move_to_the_runtime_directory() -> Result {
    let folder = Folder::new()?;
    let deep = folder.path().join("d".repeat(100));
    fs::create_dir(&deep)?;
    let (store, shelter) = (deep.join("jobs.db"), folder.path().join("run"));
    fs::create_dir(&shelter)?;
    let command = |what: &str| {
        let mut command = worker();
        command
            .env("XDG_RUNTIME_DIR", &shelter)
            .arg(what)
            .arg(&store);
        command
    };
    let ledger = ledger_path(&folder);
    let working = Process::start(command("work").arg(&ledger).args(["8", "1000"]))?;
    assert_eq!(working.line(), "ready");
    let moved: Vec<_> = fs::read_dir(&shelter)?.flatten().collect();
    assert_eq!(moved.len(), 1);
    let moved = moved[0].path();
    assert_eq!((sockets(&moved).len(), mode(&moved)?), (1, 0o700));
    assert!(!deep.join("jobs.db-afterhours.wake").exists());
    let pretender = Pretender::bind(&moved, "w9-pretender")?;
    let produced = Process::start(command("produce").arg("2"))?.lines();
    assert_eq!(produced.len(), 2);
    pretender.is_called()?;
    wait_for_ledger(&folder, "both ends", |lines| count(lines, "end") == 2);
    Ok(())
}

#[tokio::test]
async fn a_folder_that_is_removed_costs_no_run() -> Result {
    let folder = Folder::new()?;
    let clients = [
        Client::open(folder.store()).await?,
        Client::open(folder.store()).await?,
    ];
    let worker = start(&clients[0], []).await?;
    looked(&clients[1]).await?;
    fs::remove_dir_all(wakes(&folder))?;
    looked(&clients[1]).await?;
    let run = clients[1]
        .enqueue(nothing::prepare().delay(secs(1)))
        .await?;
    joined(&run).await?;
    worker.stop().await
}
