//! What strangers may have written into our rows: values that SQLite takes and no build has written.

use rusqlite::types::ValueRef;
use rusqlite::{Error as Sqlite, Row, RowIndex};

use crate::error::Error;
use crate::sizes::shorten;

/// What a row says, or what is wrong with it. Only what is not the row's fault is an error, so that one bad row does
/// not keep those beside it from being read.
pub(super) fn content<T>(read: rusqlite::Result<T>) -> Result<Result<T, String>, Error> {
    match read {
        Ok(value) => Ok(Ok(value)),
        Err(
            error @ (Sqlite::FromSqlConversionFailure(..)
            | Sqlite::IntegralValueOutOfRange(..)
            | Sqlite::InvalidColumnType(..)
            | Sqlite::Utf8Error(..)),
        ) => Ok(Err(format!(
            "its row has a value that this library has not written: {error}"
        ))),
        Err(error) => Err(error.into()),
    }
}

/// A text for people, whatever it is made of.
pub(super) fn text(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<Option<String>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(bytes) => Some(shorten(String::from_utf8_lossy(bytes).into_owned())),
        _ => None,
    })
}

/// A count for people: the nearest one that there is.
pub(super) fn count(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<u32> {
    let count = row.get::<_, i64>(column)?.max(0);
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}
