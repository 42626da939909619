//! Statements for many runs at once. Ids mostly come without gaps, and a range costs a third less than a list.

use std::rc::Rc;

use rusqlite::types::{ToSql, Value};
use rusqlite::vtab::array::Array;

/// A statement for the runs from ?1 to ?2, and the same for those of the list ?1, with no ?2.
pub(super) struct Many {
    pub(super) range: &'static str,
    pub(super) list: &'static str,
}

/// The condition on this column stands between both parts.
macro_rules! many {
    ($before:literal, $column:literal, $after:literal) => {
        $crate::store::sqlite::many::Many {
            range: concat!($before, " ", $column, " BETWEEN ?1 AND ?2 ", $after),
            list: concat!(
                $before,
                " ",
                $column,
                " IN rarray(?1) AND ?2 IS NULL ",
                $after
            ),
        }
    };
}
pub(super) use many;

/// Some runs.
#[derive(Debug, PartialEq)]
pub(super) enum Ids {
    Range(i64, i64),
    List(Array),
}

/// A shorter range is rather listed with others.
const SHORT: usize = 8;

impl Ids {
    pub(super) fn one(id: i64) -> Self {
        Self::Range(id, id)
    }

    /// These, in ranges as far as they have no gaps.
    pub(super) fn of(mut ids: Vec<i64>) -> Vec<Self> {
        ids.sort_unstable();
        let (mut all, mut list) = (Vec::new(), Vec::new());
        for stretch in ids.chunk_by(|before, id| before + 1 == *id) {
            match stretch {
                [first, .., last] if stretch.len() >= SHORT => all.push(Self::Range(*first, *last)),
                _ => list.extend(stretch.iter().copied().map(Value::Integer)),
            }
        }
        if !list.is_empty() {
            all.push(Self::List(Rc::new(list)));
        }
        all
    }

    pub(super) fn iter(&self) -> Box<dyn Iterator<Item = i64> + '_> {
        match self {
            Self::Range(first, last) => Box::new(*first..=*last),
            Self::List(list) => Box::new(list.iter().filter_map(|id| match id {
                Value::Integer(id) => Some(*id),
                _ => None,
            })),
        }
    }

    /// How many, as SQLite counts.
    pub(super) fn count(&self) -> i64 {
        match self {
            Self::Range(first, last) => last - first + 1,
            Self::List(list) => i64::try_from(list.len()).unwrap_or(i64::MAX),
        }
    }

    /// The statement, and what its ?1 and ?2 are.
    pub(super) fn bind<'a>(&'a self, many: &Many) -> (&'static str, &'a dyn ToSql, &'a dyn ToSql) {
        match self {
            Self::Range(first, last) => (many.range, first, last),
            Self::List(list) => (many.list, list, &None::<i64>),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_have_no_gaps_and_short_ones_are_listed() {
        let list =
            |ids: &[i64]| Ids::List(Rc::new(ids.iter().copied().map(Value::Integer).collect()));
        assert_eq!(Ids::of(vec![]), []);
        assert_eq!(Ids::of(vec![7, 5]), [list(&[5, 7])]);
        assert_eq!(Ids::of((1..=8).rev().collect()), [Ids::Range(1, 8)]);
        let ids = (1..=9).chain(11..=12).chain([20]).chain(30..=37);
        assert_eq!(
            Ids::of(ids.collect()),
            [Ids::Range(1, 9), Ids::Range(30, 37), list(&[11, 12, 20])]
        );
    }
}
