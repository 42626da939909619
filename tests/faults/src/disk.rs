//! The state of the disk: what was asked of it, and, where it forgets, what is not yet safe. No pointers here.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::Kept;
use crate::fault::{Action, Fault, Op, Which};

/// A power cut keeps or loses so many bytes together.
const SECTOR: usize = 512;

static DISK: OnceLock<Disk> = OnceLock::new();

pub(crate) fn set_up(fault: Option<Fault>, power: Option<Kept>) {
    // A second call changes nothing.
    let _ = DISK.set(Disk {
        fault,
        power,
        state: Mutex::default(),
    });
}

pub(crate) fn disk() -> &'static Disk {
    DISK.get_or_init(|| Disk {
        fault: None,
        power: None,
        state: Mutex::default(),
    })
}

pub(crate) struct Disk {
    fault: Option<Fault>,
    power: Option<Kept>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    counts: HashMap<(usize, usize), u64>,
    /// Operations that met the fault's description.
    met: u64,
    files: HashMap<String, Content>,
}

/// A file as its readers see it, and what is not yet safe.
#[derive(Default)]
pub(crate) struct Content {
    bytes: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Clone)]
pub(crate) enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Truncate { size: usize },
}

impl Disk {
    /// What goes wrong with this operation, if anything does. Counts it.
    pub(crate) fn meets(&self, op: Op, which: Which) -> Option<Action> {
        let mut state = self.state();
        *state
            .counts
            .entry((op as usize, which as usize))
            .or_default() += 1;
        let fault = self.fault.as_ref()?;
        let is_meant = fault.op == op && (fault.which == which || fault.which == Which::Any);
        if !is_meant
            || fault
                .while_there_is
                .as_ref()
                .is_some_and(|flag| !flag.exists())
        {
            return None;
        }
        state.met += 1;
        let past = state.met.checked_sub(fault.first)?;
        if past >= fault.times {
            return None;
        }
        fault.while_there_is.as_deref().map(leave_a_mark);
        Some(fault.action)
    }

    pub(crate) fn count(&self, op: Op, which: Which) -> u64 {
        let counts = &self.state().counts;
        let of = |which: Which| counts.get(&(op as usize, which as usize)).copied();
        match which {
            Which::Any => [Which::Main, Which::Wal, Which::Any]
                .into_iter()
                .filter_map(of)
                .sum(),
            one => of(one).unwrap_or(0),
        }
    }

    pub(crate) fn forgets(&self) -> bool {
        self.power.is_some()
    }

    /// A file is opened; it is read if it was not open before.
    pub(crate) fn open(&self, name: &str, read: impl FnOnce() -> Option<Vec<u8>>) -> Option<()> {
        let mut state = self.state();
        if !state.files.contains_key(name) {
            let bytes = read()?;
            let unsynced = Vec::new();
            state
                .files
                .insert(name.to_owned(), Content { bytes, unsynced });
        }
        Some(())
    }

    pub(crate) fn delete(&self, name: &str) {
        self.state().files.remove(name);
    }

    /// Whether there is anything in a file that was opened.
    pub(crate) fn has_content(&self, name: &str) -> bool {
        let state = self.state();
        let found = state.files.get(name);
        found.is_some_and(|content| !content.bytes.is_empty())
    }

    /// Does something with a file that is open.
    pub(crate) fn with<R>(&self, name: &str, work: impl FnOnce(&mut Content) -> R) -> R {
        work(self.state().files.entry(name.to_owned()).or_default())
    }

    /// Hands out what the disk still gets to write when the power goes. Nobody else gets to it any more while the
    /// caller keeps what is returned: another thread could make safe, and acknowledge, what this then writes over.
    pub(crate) fn cut_power(&self, mut write: impl FnMut(&str, Vec<Change>)) -> impl Sized {
        let state = self.state();
        if let Some(Kept::Some(seed)) = self.power {
            let mut chance = fastrand::Rng::with_seed(seed);
            let mut files: Vec<_> = state.files.iter().collect();
            // In an order that is the same for the same seed.
            files.sort_by_key(|(name, _)| *name);
            for (name, content) in files {
                write(name, some_of(&content.unsynced, &mut chance));
            }
        }
        state
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Content {
    /// The bytes there are, of those asked for.
    pub(crate) fn read(&self, at: usize, into: &mut [u8]) -> usize {
        let there = self.bytes.get(at..).unwrap_or_default();
        let count = there.len().min(into.len());
        into[..count].copy_from_slice(&there[..count]);
        count
    }

    pub(crate) fn change(&mut self, change: Change) {
        match &change {
            Change::Write { at, bytes } => {
                let end = at + bytes.len();
                if self.bytes.len() < end {
                    self.bytes.resize(end, 0);
                }
                self.bytes[*at..end].copy_from_slice(bytes);
            }
            Change::Truncate { size } => self.bytes.resize(*size, 0),
        }
        self.unsynced.push(change);
    }

    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// What is to be made safe.
    pub(crate) fn take_unsynced(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.unsynced)
    }
}

/// The flag grows, so that a test sees that something went wrong. Without its mark that test waits in vain, and says so.
fn leave_a_mark(flag: &Path) {
    let file = OpenOptions::new().append(true).open(flag);
    let _ = file.and_then(|mut file| file.write_all(b"!"));
}

/// Any of these, writes cut into sectors; what is kept keeps its order. Sometimes nearly all are, sometimes hardly any.
fn some_of(unsynced: &[Change], chance: &mut fastrand::Rng) -> Vec<Change> {
    let share = chance.f64();
    let sectors = unsynced.iter().flat_map(|change| match change {
        Change::Write { at, bytes } => sectors(*at, bytes),
        truncate @ Change::Truncate { .. } => vec![truncate.clone()],
    });
    sectors.filter(|_| chance.f64() < share).collect()
}

fn sectors(at: usize, bytes: &[u8]) -> Vec<Change> {
    let (mut at, mut rest) = (at, bytes);
    let mut sectors = Vec::new();
    while !rest.is_empty() {
        let (sector, after) = rest.split_at(rest.len().min(SECTOR - at % SECTOR));
        sectors.push(Change::Write {
            at,
            bytes: sector.to_vec(),
        });
        at += sector.len();
        rest = after;
    }
    sectors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_cut_where_sectors_end() {
        let cut = sectors(500, &[7; 600]);
        let places: Vec<_> = cut
            .iter()
            .map(|change| match change {
                Change::Write { at, bytes } => (*at, bytes.len()),
                Change::Truncate { .. } => unreachable!("nothing was truncated"),
            })
            .collect();
        assert_eq!(places, [(500, 12), (512, 512), (1024, 76)]);
    }

    #[test]
    fn readers_see_what_is_not_yet_safe() {
        let mut content = Content::default();
        content.change(Change::Write {
            at: 2,
            bytes: b"abc".to_vec(),
        });
        content.change(Change::Truncate { size: 4 });
        let mut read = [9; 6];
        assert_eq!(content.read(0, &mut read), 4);
        assert_eq!(read, [0, 0, b'a', b'b', 9, 9]);
        assert_eq!(content.take_unsynced().len(), 2);
        assert!(content.take_unsynced().is_empty());
    }
}
