//! Whom to tell: the sockets in the folder, as it was last read. Pure data: who uses it brings the folder and the post.

use std::time::{Duration, Instant};

use super::folder::Stand;
use super::word::{Call, MOST_ENDS, Word};
use crate::run::RunId;

/// A change in the same tick of the file system's clock as a reading does not show, so for so long each call reads again.
const SETTLES: Duration = Duration::from_millis(50);
/// So many ends are kept for a socket that is full; whoever waits for more finds them when it looks by itself.
const MOST_OWED: usize = 10_000;

/// The first letter of a socket's name says who listens.
pub(super) const WORKER: char = 'w';
pub(super) const JOINER: char = 'j';
/// Not yet anybody's.
pub(super) const NEW: char = 'n';

/// What became of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    Taken,
    /// It has not read what others have said.
    Full,
    /// Nobody listens there any more.
    Gone,
}

/// The sockets of others and of this client.
#[derive(Debug, Default)]
pub(super) struct Ring {
    read: Option<Reading>,
    /// By name, so that all processes know the same order.
    workers: Vec<String>,
    joiners: Vec<Joiner>,
    /// Those of this client, which needs no socket to tell itself.
    own: Vec<String>,
    /// Whom to call next.
    next: usize,
}

#[derive(Debug)]
struct Reading {
    stand: Stand,
    /// When it was first found to stand like this.
    since: Instant,
    /// It was read long enough after that.
    is_settled: bool,
}

#[derive(Debug)]
struct Joiner {
    name: String,
    /// What it could not yet be told.
    owed: Vec<RunId>,
}

impl Ring {
    /// Whether the folder must be read, which now stands like this.
    pub(super) fn is_behind(&self, stand: Stand) -> bool {
        let read = self.read.as_ref().filter(|read| read.stand == stand);
        read.is_none_or(|read| !read.is_settled)
    }

    /// Takes in what is in the folder, which stood like this before it was read.
    pub(super) fn read(&mut self, names: Vec<String>, stand: Stand, now: Instant) {
        let before = self.read.as_ref().filter(|read| read.stand == stand);
        let since = before.map_or(now, |read| read.since);
        self.read = Some(Reading {
            stand,
            since,
            is_settled: now.duration_since(since) >= SETTLES,
        });
        self.own.retain(|name| names.contains(name));
        let (mut workers, others): (Vec<_>, Vec<_>) =
            names.into_iter().partition(|name| name.starts_with(WORKER));
        workers.sort_unstable();
        self.workers = workers;
        self.joiners.retain(|joiner| others.contains(&joiner.name));
        for name in others.into_iter().filter(|name| name.starts_with(JOINER)) {
            if !self.is_own(&name) && self.joiners.iter().all(|joiner| joiner.name != name) {
                let owed = Vec::new();
                self.joiners.push(Joiner { name, owed });
            }
        }
    }

    /// Forgets everybody, if the folder is gone or not to be trusted.
    pub(super) fn forget(&mut self) {
        self.read = None;
        self.workers.clear();
        self.joiners.clear();
    }

    pub(super) fn add_own(&mut self, name: String) {
        self.joiners.retain(|joiner| joiner.name != name);
        self.own.push(name);
    }

    fn is_own(&self, name: &str) -> bool {
        self.own.iter().any(|own| own == name)
    }

    /// Calls one worker of another client, each time another one.
    pub(super) fn call(&mut self, call: Call, send: impl FnMut(&str, &[u8]) -> Sent) {
        let own = std::mem::take(&mut self.own);
        let taken = self.around(
            self.next,
            call,
            |name| !own.iter().any(|own| own == name),
            send,
        );
        self.own = own;
        self.next = taken.map_or(0, |taken| taken + 1);
    }

    /// Calls the worker that follows on this one, in an order that reaches everybody once.
    pub(super) fn pass_on(
        &mut self,
        call: Call,
        from: &str,
        send: impl FnMut(&str, &[u8]) -> Sent,
    ) {
        let after = self.workers.partition_point(|name| name.as_str() <= from);
        self.around(after, call, |name| name != from, send);
    }

    /// From this place on, calls the first that takes it; returns its place.
    fn around(
        &mut self,
        from: usize,
        call: Call,
        is_meant: impl Fn(&str) -> bool,
        mut send: impl FnMut(&str, &[u8]) -> Sent,
    ) -> Option<usize> {
        let others = self.workers.iter().filter(|name| is_meant(name)).count();
        let others = u8::try_from(others).unwrap_or(u8::MAX);
        let hops = call.hops.min(others).checked_sub(1)?;
        let word = Word::Call(Call { hops, ..call }).to_bytes();
        let mut at = from;
        for _ in 0..self.workers.len() {
            at %= self.workers.len();
            let name = &self.workers[at];
            match is_meant(name).then(|| send(name, &word)) {
                Some(Sent::Taken) => return Some(at),
                Some(Sent::Gone) => drop(self.workers.remove(at)),
                Some(Sent::Full) | None => at += 1,
            }
        }
        None
    }

    /// Tells all workers of other clients that running runs are to end.
    pub(super) fn tell_of_cancelling(&mut self, mut send: impl FnMut(&str, &[u8]) -> Sent) {
        let own = &self.own;
        let word = Word::Cancelling.to_bytes();
        self.workers
            .retain(|name| own.contains(name) || send(name, &word) != Sent::Gone);
    }

    /// Tells everybody who waits for ends of runs. What does not fit is told with the next ones; true if it is owed.
    pub(super) fn tell_of_ends(
        &mut self,
        ids: &[RunId],
        mut send: impl FnMut(&str, &[u8]) -> Sent,
    ) -> bool {
        self.joiners.retain_mut(|joiner| {
            joiner.owed.extend(ids);
            joiner.tell(&mut send) != Sent::Gone
        });
        self.joiners.iter().any(|joiner| !joiner.owed.is_empty())
    }
}

impl Joiner {
    fn tell(&mut self, mut send: impl FnMut(&str, &[u8]) -> Sent) -> Sent {
        let mut told = 0;
        let mut sent = Sent::Taken;
        for ids in self.owed.chunks(MOST_ENDS) {
            sent = send(&self.name, &Word::Ended(ids.to_vec()).to_bytes());
            if sent != Sent::Taken {
                break;
            }
            told += ids.len();
        }
        self.owed.drain(..told);
        self.owed.truncate(MOST_OWED);
        sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    const ALL: Call = Call {
        ready: true,
        scheduled: crate::store::NextDue {
            wall: None,
            store: None,
        },
        hops: u8::MAX,
    };

    fn ring(names: &[&str]) -> Ring {
        let mut ring = Ring::default();
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        ring.read(names, Stand::default(), Instant::now());
        ring
    }

    /// Who was spoken to, where these are full and these gone; and the hops that the one who took it was told.
    fn spoken(
        full: &str,
        gone: &str,
        speak: impl FnOnce(&mut dyn FnMut(&str, &[u8]) -> Sent),
    ) -> (String, Option<u8>) {
        let (mut to, mut hops) = (Vec::new(), None);
        speak(&mut |name, bytes| {
            to.push(name.to_owned());
            if full.contains(name) {
                return Sent::Full;
            }
            if gone.contains(name) {
                return Sent::Gone;
            }
            if let Some(Word::Call(call)) = Word::from_bytes(bytes) {
                hops = Some(call.hops);
            }
            Sent::Taken
        });
        (to.join(" "), hops)
    }

    fn call(ring: &mut Ring, full: &str, gone: &str) -> (String, Option<u8>) {
        spoken(full, gone, |send| ring.call(ALL, send))
    }

    #[test]
    fn each_call_goes_to_one_worker_and_the_next_to_the_next() {
        let mut ring = ring(&["w3", "w1", "j1", "w2", "n9"]);
        let called: Vec<_> = (0..4).map(|_| call(&mut ring, "", "").0).collect();
        assert_eq!(called, ["w1", "w2", "w3", "w1"]);
    }

    #[test]
    fn a_full_one_is_passed_over_and_a_dead_one_forgotten() {
        let mut ring = ring(&["w1", "w2", "w3"]);
        assert_eq!(call(&mut ring, "w1", "w2").0, "w1 w2 w3");
        assert_eq!(call(&mut ring, "w1 w3", "").0, "w1 w3");
        assert_eq!(call(&mut ring, "", "w1 w3").0, "w1 w3");
        assert_eq!(call(&mut ring, "", ""), (String::new(), None));
    }

    #[test]
    fn its_own_workers_need_no_call() {
        let mut ring = ring(&["w1", "w2"]);
        ring.add_own("w1".to_owned());
        assert_eq!(call(&mut ring, "", ""), ("w2".to_owned(), Some(0)));
        assert_eq!(call(&mut ring, "", "").0, "w2");
        let told = spoken("", "", |send| ring.tell_of_cancelling(send));
        assert_eq!(told.0, "w2");
    }

    #[test]
    fn a_call_that_is_passed_on_reaches_everybody_once() {
        let names = ["w1", "w2", "w3", "w4"];
        for start in names {
            let mut ring = ring(&names);
            let (mut at, mut hops) = (start.to_owned(), 3);
            let mut reached = vec![at.clone()];
            while hops > 0 {
                let passed = Call { hops, ..ALL };
                let (to, left) = spoken("", "", |send| ring.pass_on(passed, &at, send));
                (at, hops) = (to.clone(), left.unwrap());
                reached.push(to);
            }
            reached.sort();
            assert_eq!(reached, names);
        }
        let (to, _) = spoken("w1", "", |send| ring(&names).pass_on(ALL, "w4", send));
        assert_eq!(to, "w1 w2");
    }

    #[test]
    fn a_call_that_may_not_be_passed_on_ends() {
        let mut ring = ring(&["w1", "w2"]);
        let none = Call { hops: 0, ..ALL };
        let (to, _) = spoken("", "", |send| ring.pass_on(none, "w1", send));
        assert_eq!(to, "");
    }

    fn ends(bytes: &[u8]) -> Vec<RunId> {
        match Word::from_bytes(bytes) {
            Some(Word::Ended(ids)) => ids,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn ends_that_do_not_fit_are_told_later_and_each_once() {
        let mut ring = ring(&["j1", "w1"]);
        let all: Vec<RunId> = (0..1000).map(RunId).collect();
        let (mut heard, room) = (Vec::new(), Cell::new(2));
        let mut send = |name: &str, bytes: &[u8]| {
            assert_eq!(name, "j1");
            if room.get() == 0 {
                return Sent::Full;
            }
            room.update(|room| room - 1);
            heard.extend(ends(bytes));
            Sent::Taken
        };
        assert!(ring.tell_of_ends(&all[..900], &mut send));
        assert!(ring.tell_of_ends(&all[900..950], &mut send));
        room.set(9);
        assert!(!ring.tell_of_ends(&all[950..], &mut send));
        assert_eq!(heard, all);
    }

    #[test]
    fn the_folder_is_read_again_when_it_changed_and_once_when_a_change_could_not_show() {
        let now = Instant::now();
        let (old, new) = (Stand::default(), Stand::of(1));
        let mut ring = Ring::default();
        assert!(ring.is_behind(old));
        for soon in [0, 1, 49] {
            ring.read(Vec::new(), old, now + Duration::from_millis(soon));
            assert!(ring.is_behind(old), "a change may not show yet");
        }
        ring.read(Vec::new(), old, now + SETTLES);
        assert!(!ring.is_behind(old));
        assert!(ring.is_behind(new));
        ring.read(Vec::new(), new, now + 2 * SETTLES);
        assert!(ring.is_behind(new), "it has just changed");
    }
}
