//! What goes wrong, and when: data, and its form in the environment.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// What SQLite asks of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is called as SQLite calls it")]
pub enum Op {
    Open,
    Write,
    Sync,
    Truncate,
    /// Of the file, and of the shared memory.
    Lock,
}

/// Of which file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The database itself.
    Main,
    /// Its write-ahead log.
    Wal,
    /// Whichever.
    Any,
}

/// What happens then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// There is no space left for a file to grow; what it has can be written again.
    Full,
    /// The operation fails.
    Fail,
    /// The process ends as SIGKILL ends it, before the operation.
    Exit,
    /// As [`Action::Exit`], and the disk keeps what [`Kept`](crate::Kept) says.
    CutPower,
}

/// From the n-th of these operations on, this goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Of this kind.
    pub op: Op,
    /// On this file.
    pub which: Which,
    /// The first that goes wrong, counted from 1.
    pub first: u64,
    /// So many, then all is well again.
    pub times: u64,
    /// What happens.
    pub action: Action,
    /// Only while this file exists; the others are not counted. Each that goes wrong adds a byte to it.
    pub while_there_is: Option<PathBuf>,
}

impl Fault {
    /// Each such operation.
    #[must_use]
    pub fn each(op: Op, which: Which, action: Action) -> Self {
        Self {
            op,
            which,
            first: 1,
            times: u64::MAX,
            action,
            while_there_is: None,
        }
    }

    /// The n-th such operation alone, counted from 1.
    #[must_use]
    pub fn nth(number: u64, op: Op, which: Which, action: Action) -> Self {
        Self {
            first: number,
            times: 1,
            ..Self::each(op, which, action)
        }
    }

    /// Only while this file exists.
    #[must_use]
    pub fn while_there_is(self, flag: impl Into<PathBuf>) -> Self {
        Self {
            while_there_is: Some(flag.into()),
            ..self
        }
    }
}

const OPS: [(Op, &str); 5] = [
    (Op::Open, "open"),
    (Op::Write, "write"),
    (Op::Sync, "sync"),
    (Op::Truncate, "truncate"),
    (Op::Lock, "lock"),
];
const FILES: [(Which, &str); 3] = [
    (Which::Main, "main"),
    (Which::Wal, "wal"),
    (Which::Any, "any"),
];
const ACTIONS: [(Action, &str); 4] = [
    (Action::Full, "full"),
    (Action::Fail, "fail"),
    (Action::Exit, "exit"),
    (Action::CutPower, "cut-power"),
];

fn name<T: PartialEq>(table: &[(T, &'static str)], value: &T) -> &'static str {
    let found = table.iter().find(|(listed, _)| listed == value);
    found.map_or("", |(_, name)| name)
}

fn value<T: Copy>(table: &[(T, &'static str)], name: &str) -> Option<T> {
    let found = table.iter().find(|(_, listed)| *listed == name);
    found.map(|(value, _)| *value)
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (op, which) = (name(&OPS, &self.op), name(&FILES, &self.which));
        let action = name(&ACTIONS, &self.action);
        let (first, times) = (self.first, self.times);
        write!(f, "{op} {which} {first} {times} {action}")?;
        match &self.while_there_is {
            Some(path) => write!(f, " {}", path.display()),
            None => Ok(()),
        }
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(said: &str) -> Result<Self, Self::Err> {
        let read = || {
            let mut words = said.splitn(6, ' ');
            Some(Self {
                op: value(&OPS, words.next()?)?,
                which: value(&FILES, words.next()?)?,
                first: words.next()?.parse().ok()?,
                times: words.next()?.parse().ok()?,
                action: value(&ACTIONS, words.next()?)?,
                while_there_is: words.next().map(PathBuf::from),
            })
        };
        read().ok_or_else(|| format!("`{said}` is no fault"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood() {
        let one = Fault::nth(7, Op::Sync, Which::Wal, Action::Fail);
        assert_eq!(one.to_string().parse(), Ok(one));
        let two = Fault::each(Op::Write, Which::Any, Action::Full).while_there_is("/a folder/x");
        assert_eq!(two.to_string().parse(), Ok(two));
        assert!("sync wal 7 1 explode".parse::<Fault>().is_err());
    }
}
