//! Due-time heap. Pure data: callers bring the time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::clock::Millis;

/// Things by the moment they are due, the earliest first; equal moments in the order they were pushed.
#[derive(Debug)]
pub(crate) struct DueHeap<T> {
    entries: BinaryHeap<Reverse<Entry<T>>>,
    pushed: u64,
}

#[derive(Debug)]
struct Entry<T> {
    due: Millis,
    order: u64,
    value: T,
}

impl<T> DueHeap<T> {
    pub(crate) fn new() -> Self {
        Self {
            entries: BinaryHeap::new(),
            pushed: 0,
        }
    }

    pub(crate) fn push(&mut self, due: Millis, value: T) {
        self.entries.push(Reverse(Entry {
            due,
            order: self.pushed,
            value,
        }));
        self.pushed += 1;
    }

    /// All of them, in no order.
    pub(crate) fn into_values(self) -> impl Iterator<Item = T> {
        self.entries.into_iter().map(|entry| entry.0.value)
    }

    /// The earliest moment.
    pub(crate) fn next_due(&self) -> Option<Millis> {
        self.entries.peek().map(|entry| entry.0.due)
    }

    /// Takes out what is due at `now`, one at a time.
    pub(crate) fn pop_due(&mut self, now: Millis) -> Option<T> {
        if self.next_due()? > now {
            return None;
        }
        self.entries.pop().map(|entry| entry.0.value)
    }
}

impl<T> Entry<T> {
    fn key(&self) -> (Millis, u64) {
        (self.due, self.order)
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pops_by_time_then_by_order(dues in prop::collection::vec(0_i64..20, 0..50), now in 0_i64..25) {
            let mut heap = DueHeap::new();
            for (order, due) in dues.iter().enumerate() {
                heap.push(*due, (*due, order));
            }
            let mut expected: Vec<_> = dues.iter().enumerate().map(|(order, due)| (*due, order)).filter(|(due, _)| *due <= now).collect();
            expected.sort_unstable();
            let popped: Vec<_> = std::iter::from_fn(|| heap.pop_due(now)).collect();
            prop_assert_eq!(popped, expected);
            prop_assert!(heap.next_due().is_none_or(|due| due > now));
        }
    }
}
