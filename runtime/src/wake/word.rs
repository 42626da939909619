//! What processes say to each other: one datagram, one word. It names no run that somebody should execute.

#![cfg_attr(
    not(unix),
    allow(dead_code, reason = "elsewhere there are no datagrams")
)]

use crate::clock::Millis;
use crate::run::RunId;
use crate::store::{Effects, NextDue};

/// What a worker is called for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Call {
    /// Runs are ready.
    pub(crate) ready: bool,
    /// Runs were scheduled, the earliest for these moments: they concern a worker that would sleep beyond them.
    pub(crate) scheduled: NextDue,
    /// How many more workers may be called if this one does not take what it is called for.
    pub(crate) hops: u8,
}

impl Call {
    /// As many as there are.
    const ALL: u8 = u8::MAX;

    /// For what a commit has changed.
    pub(super) fn about(effects: &Effects) -> Self {
        Self {
            ready: effects.ready,
            scheduled: effects.scheduled,
            hops: Self::ALL,
        }
    }

    /// For runs that a worker leaves behind.
    pub(crate) fn for_the_rest(hops: u8) -> Self {
        Self {
            ready: true,
            scheduled: NextDue::default(),
            hops,
        }
    }

    /// For runs that have become ready by themselves.
    pub(crate) fn for_promoted() -> Self {
        Self::for_the_rest(Self::ALL)
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.ready && self.scheduled == NextDue::default()
    }

    /// One call for both.
    pub(crate) fn merge(&mut self, other: Self) {
        let earlier = |one: Option<Millis>, two: Option<Millis>| one.into_iter().chain(two).min();
        *self = Self {
            ready: self.ready || other.ready,
            scheduled: NextDue {
                wall: earlier(self.scheduled.wall, other.scheduled.wall),
                store: earlier(self.scheduled.store, other.scheduled.store),
            },
            hops: self.hops.max(other.hops),
        };
    }
}

/// What one datagram says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    Call(Call),
    /// Running runs are asked to end.
    Cancelling,
    /// These runs have ended.
    Ended(Vec<RunId>),
}

/// What one or more datagrams say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) call: Call,
    pub(crate) cancelling: bool,
    pub(crate) ended: Vec<RunId>,
}

impl Heard {
    /// What is no word is left out.
    pub(super) fn take_in(&mut self, bytes: &[u8]) {
        match Word::from_bytes(bytes) {
            Some(Word::Call(call)) => self.call.merge(call),
            Some(Word::Cancelling) => self.cancelling = true,
            Some(Word::Ended(ids)) => self.ended.extend(ids),
            None => {}
        }
    }
}

/// So many ends fit into a datagram everywhere.
pub(super) const MOST_ENDS: usize = 200;

const CALL: u8 = 1;
const CANCELLING: u8 = 2;
const ENDED: u8 = 3;

impl Word {
    /// No word is longer.
    pub(super) const MOST_BYTES: usize = 1 + 8 * MOST_ENDS;

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Call(call) => {
                let mut bytes = vec![CALL, call.hops, u8::from(call.ready)];
                for due in [call.scheduled.wall, call.scheduled.store] {
                    bytes.extend(due.unwrap_or(Millis::MAX).to_le_bytes());
                }
                bytes
            }
            Self::Cancelling => vec![CANCELLING],
            Self::Ended(ids) => {
                let mut bytes = vec![ENDED];
                bytes.extend(ids.iter().flat_map(|id| id.0.to_le_bytes()));
                bytes
            }
        }
    }

    /// `None` if another build says something that this one does not know.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        match *kind {
            CALL => {
                let (&[hops, ready], moments) = rest.split_first_chunk()?;
                let (moments, b"") = moments.as_chunks::<8>() else {
                    return None;
                };
                let [wall, store] = *moments else { return None };
                let due =
                    |bytes| Some(Millis::from_le_bytes(bytes)).filter(|due| *due != Millis::MAX);
                Some(Self::Call(Call {
                    ready: ready != 0,
                    scheduled: NextDue {
                        wall: due(wall),
                        store: due(store),
                    },
                    hops,
                }))
            }
            CANCELLING => Some(Self::Cancelling),
            ENDED => {
                let ids = rest.as_chunks::<8>().0.iter();
                Some(Self::Ended(
                    ids.map(|id| RunId(i64::from_le_bytes(*id))).collect(),
                ))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(ready: bool, wall: Option<Millis>, store: Option<Millis>, hops: u8) -> Call {
        Call {
            ready,
            scheduled: NextDue { wall, store },
            hops,
        }
    }

    #[test]
    fn a_word_is_read_as_it_was_written() {
        let ids = (0..200).map(|id| RunId(i64::MAX - id)).collect();
        for word in [
            Word::Call(call(true, None, None, 0)),
            Word::Call(call(false, Some(-7), Some(1 << 40), Call::ALL)),
            Word::Cancelling,
            Word::Ended(Vec::new()),
            Word::Ended(ids),
        ] {
            let bytes = word.to_bytes();
            assert!(bytes.len() <= Word::MOST_BYTES);
            assert_eq!(Word::from_bytes(&bytes), Some(word));
        }
    }

    #[test]
    fn what_is_no_word_is_none() {
        let short = &Word::Call(Call::for_promoted()).to_bytes()[..18];
        let long = [short, &[0, 0]].concat();
        for bytes in [&b""[..], &[0], &[99, 1], &[CALL], short, &long] {
            assert_eq!(Word::from_bytes(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn merged_calls_ask_for_all_that_each_asks_for() {
        let mut merged = Call::default();
        assert!(merged.is_empty());
        merged.merge(call(false, Some(5), None, 3));
        merged.merge(call(false, Some(7), Some(9), 1));
        assert_eq!(merged, call(false, Some(5), Some(9), 3));
        merged.merge(Call::for_the_rest(2));
        assert_eq!(merged, call(true, Some(5), Some(9), 3));
    }
}
