//! A thread for each checkpoint of the WAL: it moves most of it while the writer goes on, then asks for the rest.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Shared;
use crate::store::sqlite::{Settings, move_most, with_suffix};

/// Something holds on to a WAL that grows so far.
const TOO_LARGE: u64 = 256 * 1024 * 1024;
/// Who runs out of disk space is told about the cause this often.
const REMIND: Duration = Duration::from_secs(60);

pub(super) struct Checkpoints {
    /// `None` in memory.
    path: Option<PathBuf>,
    settings: Settings,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The last one, which may be at work.
    thread: Option<JoinHandle<()>>,
    warned: Option<Instant>,
}

impl Checkpoints {
    pub(super) fn new(path: Option<PathBuf>, settings: Settings) -> Self {
        Self {
            path,
            settings,
            state: Mutex::default(),
        }
    }

    /// Begins a checkpoint unless one is under way. Never waits.
    pub(super) fn begin(&self, shared: &Arc<Shared>) {
        let Some(path) = self.path.clone() else {
            return;
        };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state
            .thread
            .as_ref()
            .is_some_and(|thread| !thread.is_finished())
        {
            return;
        }
        self.warn(&mut state, &path);
        let (shared, settings) = (Arc::clone(shared), self.settings);
        let thread = std::thread::Builder::new()
            .name("afterhours-checkpoint".to_owned())
            .spawn(move || match move_most(&path, settings) {
                Ok(true) => shared.end_checkpoint(),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(target: "afterhours", error = &error as &dyn std::error::Error, "the WAL could not be checkpointed; trying again");
                }
            });
        // Without a thread the next commits try again.
        state.thread = thread.ok();
    }

    /// The last one ended with all its work, so what is too much now was held back by somebody.
    fn warn(&self, state: &mut State, path: &std::path::Path) {
        let size = std::fs::metadata(with_suffix(path, "-wal")).map_or(0, |wal| wal.len());
        if size > TOO_LARGE && state.warned.is_none_or(|at| at.elapsed() > REMIND) {
            state.warned = Some(Instant::now());
            tracing::warn!(
                target: "afterhours",
                bytes = size,
                "the WAL keeps growing: a process reads the database in one transaction for long, or the disk is too slow"
            );
        }
    }

    /// Waits for the one under way.
    pub(super) fn end(&self) {
        let thread = self
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .thread
            .take();
        if let Some(thread) =
            thread.filter(|thread| thread.thread().id() != std::thread::current().id())
        {
            // A panic on the thread has been printed by the panic hook; there is nothing to add.
            let _ = thread.join();
        }
    }
}
