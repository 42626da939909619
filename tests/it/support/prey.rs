//! Worker processes that are killed, frozen and stopped, and replaced at once; who died when is kept for the judge.

use std::collections::BTreeMap;
use std::time::Duration;

use afterhours::Result;
use nix::sys::signal::Signal;

use super::Folder;
use super::process::{Process, now};

/// Longer than most runs of theirs take, and shorter than some.
const GRACE: Duration = Duration::from_millis(50);
const PLACES: u32 = 32;

pub(crate) struct Prey<'a> {
    folder: &'a Folder,
    workers: Vec<Process>,
    /// When each that was killed got its signal.
    pub(crate) kills: BTreeMap<u32, u64>,
    /// When each that was asked to stop was.
    pub(crate) stops: BTreeMap<u32, u64>,
    /// From when to when one did not move, or none was there.
    pub(crate) hindrances: Vec<(u64, u64)>,
    pub(crate) freezes: usize,
}

impl<'a> Prey<'a> {
    pub(crate) fn new(folder: &'a Folder, count: usize) -> Result<Self> {
        let mut prey = Self {
            folder,
            workers: Vec::new(),
            kills: BTreeMap::new(),
            stops: BTreeMap::new(),
            hindrances: Vec::new(),
            freezes: 0,
        };
        for _ in 0..count {
            prey.workers.push(prey.start()?);
        }
        Ok(prey)
    }

    fn start(&self) -> Result<Process> {
        let worker = Process::worker_of("work-kinds", self.folder, PLACES, GRACE);
        Ok(worker?)
    }

    /// Kills so many at the same time, and replaces them.
    pub(crate) fn kill(&mut self, count: usize, chance: &mut fastrand::Rng) -> Result {
        let since = now();
        let victims = chance.choose_multiple(0..self.workers.len(), count);
        for victim in &victims {
            self.kills.insert(self.workers[*victim].id(), now());
            self.workers[*victim].begin_kill()?;
        }
        for (replaced, victim) in victims.into_iter().enumerate() {
            self.workers[victim].kill()?;
            self.workers[victim] = self.start()?;
            if replaced == 0 && count == self.workers.len() {
                self.hindrances.push((since, now()));
            }
        }
        Ok(())
    }

    /// Stops one from moving for this time; in the middle of it another may die.
    pub(crate) fn freeze(
        &mut self,
        time: Duration,
        kills: bool,
        chance: &mut fastrand::Rng,
    ) -> Result {
        let since = now();
        self.freezes += 1;
        let frozen = self
            .workers
            .swap_remove(chance.usize(0..self.workers.len()));
        frozen.signal(Signal::SIGSTOP);
        std::thread::sleep(time / 2);
        let mut victim = None;
        if kills {
            let mut dying = self
                .workers
                .swap_remove(chance.usize(0..self.workers.len()));
            self.kills.insert(dying.id(), now());
            dying.kill()?;
            victim = Some(dying);
        }
        std::thread::sleep(time / 2);
        frozen.signal(Signal::SIGCONT);
        self.hindrances.push((since, now()));
        self.workers.push(frozen);
        // Started earlier, it might have waited for the frozen one.
        if victim.is_some() {
            self.workers.push(self.start()?);
        }
        Ok(())
    }

    /// Asks one to stop, and replaces it.
    pub(crate) fn stop(&mut self, chance: &mut fastrand::Rng) -> Result {
        let mut one = self
            .workers
            .swap_remove(chance.usize(0..self.workers.len()));
        self.end(&mut one)?;
        self.workers.push(self.start()?);
        Ok(())
    }

    fn end(&mut self, worker: &mut Process) -> Result {
        self.stops.insert(worker.id(), now());
        worker.signal(Signal::SIGTERM);
        assert_eq!(worker.end()?.code(), Some(0));
        Ok(())
    }

    pub(crate) fn stop_all(&mut self) -> Result {
        for mut worker in std::mem::take(&mut self.workers) {
            self.end(&mut worker)?;
        }
        Ok(())
    }

    /// All that have died, by whatever.
    pub(crate) fn signalled(&self) -> BTreeMap<u32, u64> {
        let mut all = self.kills.clone();
        all.extend(&self.stops);
        all
    }
}
