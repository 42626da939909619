//! A disk that fills up, fails at its n-th operation, or loses its power: an SQLite VFS around the default one, and
//! from then on the default itself, so that what is tested opens its files as ever.
//!
//! The environment says what goes wrong ([`Fault::set`] writes it, [`install`] reads it), because it is other processes
//! that suffer. [`counts`] says how many operations there were, for tests that try one after the other.
// SQLite calls a VFS through C functions and raw pointers. Each block says why it is sound.
#![allow(unsafe_code, reason = "a VFS is an interface of C")]

mod disk;
mod fault;
mod file;
mod vfs;

use std::process::Command;

pub use fault::{Action, Fault, Op, Which};

const FAULT: &str = "AFTERHOURS_FAULT";
const POWER: &str = "AFTERHOURS_POWER";

/// What a power cut leaves of that which was written and not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Nothing.
    Nothing,
    /// Any sectors, by this seed.
    Some(u64),
}

impl Fault {
    /// Makes this go wrong in a process that is about to be started.
    pub fn set(&self, command: &mut Command) {
        command.env(FAULT, self.to_string());
    }
}

impl Kept {
    /// Gives a process that is about to be started a disk that forgets. Only that process may use its files.
    pub fn set(self, command: &mut Command) {
        let said = match self {
            Self::Nothing => "nothing".to_owned(),
            Self::Some(seed) => seed.to_string(),
        };
        command.env(POWER, said);
    }
}

/// Puts the disk beneath SQLite, if the environment says that something is to go wrong. Call it before anything is
/// opened, once.
///
/// # Errors
/// If the environment is not as [`Fault::set`] and [`Kept::set`] write it, or SQLite refuses.
pub fn install() -> Result<(), String> {
    let fault = said(FAULT, str::parse)?;
    let power = said(POWER, |said| match said {
        "nothing" => Ok(Kept::Nothing),
        seed => seed
            .parse()
            .map(Kept::Some)
            .map_err(|_| format!("{POWER}={seed}: no number")),
    })?;
    if fault.is_none() && power.is_none() {
        return Ok(());
    }
    disk::set_up(fault, power);
    vfs::register()
}

/// How many operations of this kind there were on this file.
#[must_use]
pub fn counts(op: Op, which: Which) -> u64 {
    disk::disk().count(op, which)
}

fn said<T>(name: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    std::env::var(name).ok().map(|said| read(&said)).transpose()
}
