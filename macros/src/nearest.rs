//! The word that was probably meant: for "did you mean".

/// The shortest candidate that begins with `word`, else the one that differs from it by the fewest edits, if that is few
/// enough to be a slip.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str> + Clone,
) -> Option<&'a str> {
    let begun = candidates
        .clone()
        .into_iter()
        .filter(|candidate| word.len() > 1 && candidate.starts_with(word))
        .min_by_key(|candidate| candidate.len());
    if begun.is_some() {
        return begun;
    }
    let slip = 1 + word.chars().count() / 4;
    candidates
        .into_iter()
        .map(|candidate| (edits(word, candidate), candidate))
        .min()
        .filter(|(edits, _)| *edits <= slip)
        .map(|(_, candidate)| candidate)
}

/// Insertions, removals and replacements of one character that turn `from` into `to`.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}
