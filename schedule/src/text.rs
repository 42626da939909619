//! How error messages quote what the user wrote.

/// A quote is cut after this many characters, so that a message stays readable.
const LONGEST_QUOTE: usize = 40;

/// Puts `text` in backticks, with control characters escaped and a long tail cut off.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::from("`");
    for c in text.chars().take(LONGEST_QUOTE) {
        if c.is_control() {
            quoted.extend(c.escape_default());
        } else {
            quoted.push(c);
        }
    }
    if text.chars().nth(LONGEST_QUOTE).is_some() {
        quoted.push('…');
    }
    quoted.push('`');
    quoted
}
