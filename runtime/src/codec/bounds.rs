//! What bytes of strangers could ask for without end: levels, which take the stack, and elements that take no byte.
//! Nothing is stored that would not be read again.

/// So deep may what is stored be nested: each struct, enum, sequence, map, tuple and option is a level.
pub(super) const DEEPEST: u8 = 100;
/// A little deeper is read: a tuple of arguments is a level of its own. JSON has a limit of 127.
pub(super) const DEEPEST_READ: u8 = 110;
/// So many elements may take no byte, as those of `Vec<()>`: their number is all there is of them.
pub(super) const MOST_EMPTY: u32 = 100_000;

pub(super) const TOO_DEEP: &str = "it is nested more than 100 levels deep: make it flatter, or keep it elsewhere and pass a reference to it";
pub(super) const TOO_MANY_EMPTY: &str =
    "it has more than 100000 elements without content: pass their number instead";
