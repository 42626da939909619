//! Words between processes: a datagram socket for each worker, and for each client that waits for ends of runs, in one
//! folder. Who speaks never waits: a full socket is passed over, and a dead one is removed.
//!
//! A socket's name is never used again, and it appears under it only when somebody is bound to it. So whoever finds
//! that nobody is bound may remove it: it is no other one meanwhile, and none that is just being made.

use std::fs::{self, DirEntry};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixDatagram as Speaker;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::UnixDatagram;

use super::folder::{Folder, Found};
use super::ring::{JOINER, NEW, Ring, Sent, WORKER};
use super::word::{Call, Heard, Word};
use crate::error::Error;
use crate::run::RunId;
use crate::store::WorkerId;

/// A socket that nobody is bound to for so long was left in the moment between its making and its naming.
const ABANDONED: Duration = Duration::from_secs(60);
/// So many words are heard at a time at most.
const MOST_WORDS: usize = 64;

/// The way to other processes on one file.
#[derive(Debug)]
pub(super) struct Others {
    folder: Folder,
    speaker: Speaker,
    ring: Mutex<Ring>,
    /// Someone could not be told of all ends.
    owes: AtomicBool,
    warned: AtomicBool,
}

impl Others {
    /// `None`, with a warning, where there is no way; then everybody looks by itself.
    pub(super) fn on(database: &Path) -> Option<Self> {
        Self::open(database).unwrap_or_else(|error| {
            tracing::warn!(target: "afterhours", error = &error as &dyn std::error::Error, "other processes cannot be woken: they notice runs a little later");
            None
        })
    }

    fn open(database: &Path) -> io::Result<Option<Self>> {
        let Some(folder) = Folder::of(database)? else {
            tracing::warn!(target: "afterhours", "the path of the runtime directory is too long for sockets: other processes notice runs a little later");
            return Ok(None);
        };
        let speaker = Speaker::unbound()?;
        speaker.set_nonblocking(true)?;
        Ok(Some(Self {
            folder,
            speaker,
            ring: Mutex::default(),
            owes: AtomicBool::new(false),
            warned: AtomicBool::new(false),
        }))
    }

    /// Makes the folder, and refuses one that others can write to.
    pub(super) fn prepare(&self) -> Result<(), Error> {
        self.folder.prepare()
    }

    /// A worker's ear.
    pub(super) fn listen(&self, worker: WorkerId) -> Result<Ear, Error> {
        self.sweep();
        // The number keeps names apart if the store is deleted and its workers are counted anew.
        self.ear(format!("{WORKER}{}-{:08x}", worker.0, fastrand::u32(..)))
    }

    /// An ear for ends of runs.
    pub(super) fn listen_for_ends(&self) -> Result<Ear, Error> {
        self.ear(format!("{JOINER}{:016x}", fastrand::u64(..)))
    }

    fn ear(&self, name: String) -> Result<Ear, Error> {
        self.folder.prepare()?;
        let ear = Ear::open(&self.folder, &name).map_err(|source| Error::Io {
            what: format!(
                "no socket can be made in `{}`",
                self.folder.path().display()
            ),
            source,
        })?;
        self.ring().add_own(name);
        Ok(ear)
    }

    /// Calls one worker of another process.
    pub(super) fn call(&self, call: Call) {
        if let Some(mut ring) = self.fresh_ring() {
            ring.call(call, |name, word| self.send(name, word));
        }
    }

    /// Calls the worker that follows on the one of this ear.
    pub(super) fn pass_on(&self, call: Call, ear: Option<&Ear>) {
        let Some(mut ring) = self.fresh_ring() else {
            return;
        };
        let send = |name: &str, word: &[u8]| self.send(name, word);
        match ear {
            Some(ear) => ring.pass_on(call, &ear.name, send),
            None => ring.call(call, send),
        }
    }

    /// Tells all workers of other processes that running runs are asked to end.
    pub(super) fn tell_of_cancelling(&self) {
        if let Some(mut ring) = self.fresh_ring() {
            ring.tell_of_cancelling(|name, word| self.send(name, word));
        }
    }

    /// Tells those who wait for ends in other processes.
    pub(super) fn tell_of_ends(&self, ids: &[RunId]) {
        if ids.is_empty() && !self.owes.load(Ordering::Relaxed) {
            return;
        }
        if let Some(mut ring) = self.fresh_ring() {
            let owes = ring.tell_of_ends(ids, |name, word| self.send(name, word));
            self.owes.store(owes, Ordering::Relaxed);
        }
    }

    fn send(&self, name: &str, word: &[u8]) -> Sent {
        let path = self.folder.join(name);
        match self.speaker.send_to(word, &path) {
            Ok(_) => Sent::Taken,
            Err(error) => match error.kind() {
                ErrorKind::ConnectionRefused => {
                    // Whoever else finds it may have been faster.
                    let _ = fs::remove_file(&path);
                    Sent::Gone
                }
                ErrorKind::NotFound => Sent::Gone,
                // Would block, or out of buffers.
                _ => Sent::Full,
            },
        }
    }

    /// The sockets that are there now. `None` if there is no folder, or none to be trusted.
    fn fresh_ring(&self) -> Option<MutexGuard<'_, Ring>> {
        let mut ring = self.ring();
        match self.folder.look() {
            Found::Trusted(stand) => {
                let now = Instant::now();
                if ring.is_behind(stand) {
                    ring.read(self.names(), stand, now);
                }
                return Some(ring);
            }
            Found::Missing => {}
            Found::Untrusted(reason) => {
                if !self.warned.swap(true, Ordering::Relaxed) {
                    tracing::warn!(target: "afterhours", folder = %self.folder.path().display(), reason, "nobody is woken: the folder for wake-ups cannot be trusted");
                }
            }
        }
        ring.forget();
        None
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn names(&self) -> Vec<String> {
        self.sockets()
            .filter_map(|socket| socket.file_name().into_string().ok())
            .collect()
    }

    fn sockets(&self) -> impl Iterator<Item = DirEntry> + use<> {
        let entries = fs::read_dir(self.folder.path()).into_iter().flatten();
        entries
            .filter_map(Result::ok)
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_socket()))
    }

    /// Removes the sockets of the dead.
    fn sweep(&self) {
        for socket in self.sockets() {
            let is_new = socket.file_name().to_string_lossy().starts_with(NEW);
            if (!is_new || is_old(&socket)) && nobody_is_bound_to(&socket.path()) {
                let _ = fs::remove_file(socket.path());
            }
        }
    }
}

/// By the clock of the file system: both moments are real, whatever clock the store is on.
fn is_old(socket: &DirEntry) -> bool {
    let made = socket.metadata().and_then(|found| found.modified());
    made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age > ABANDONED))
}

fn nobody_is_bound_to(socket: &Path) -> bool {
    let connected = Speaker::unbound().and_then(|speaker| speaker.connect(socket));
    connected.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

/// A socket in the folder, for as long as it is kept.
#[derive(Debug)]
pub(crate) struct Ear {
    socket: UnixDatagram,
    name: String,
    path: PathBuf,
}

impl Ear {
    fn open(folder: &Folder, name: &str) -> io::Result<Self> {
        let (new, path) = (folder.join(format!("{NEW}{name}")), folder.join(name));
        let socket = Speaker::bind(&new)?;
        let renamed = fs::rename(&new, &path);
        if renamed.is_err() {
            // Nothing is under its last name, so it is still there, or the whole folder is gone.
            let _ = fs::remove_file(&new);
        }
        renamed?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket: UnixDatagram::from_std(socket)?,
            name: name.to_owned(),
            path,
        })
    }

    /// Waits for words, and returns all that have come.
    pub(crate) async fn hear(&self) -> io::Result<Heard> {
        let mut heard = Heard::default();
        let mut bytes = vec![0; Word::MOST_BYTES];
        let length = self.socket.recv(&mut bytes).await?;
        heard.take_in(&bytes[..length]);
        for _ in 1..MOST_WORDS {
            match self.socket.try_recv(&mut bytes) {
                Ok(length) => heard.take_in(&bytes[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(heard)
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        // Its name is nobody else's.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests;
