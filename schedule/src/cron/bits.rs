//! Small sets of numbers, one bit each.

/// The least member that is at least `from`.
pub(super) fn at_or_after(set: u64, from: u32) -> Option<u32> {
    let rest = set & u64::MAX.checked_shl(from)?;
    (rest != 0).then(|| rest.trailing_zeros())
}

/// Whether `member` is in the set.
pub(super) fn contains(set: u64, member: u32) -> bool {
    set.checked_shr(member).is_some_and(|rest| rest & 1 == 1)
}

/// The numbers from `first` to `last`, which must be below 64.
pub(super) fn between(first: u32, last: u32) -> u64 {
    (first..=last).fold(0, |set, member| set | 1 << member)
}
