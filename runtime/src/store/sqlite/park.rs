//! Park: the run's arguments do not fit this build; it is kept, visible, until a build that knows them comes along.

use rusqlite::{Connection, params};

use crate::error::Error;
use crate::store::Settlement;

const PARK: &str = "
    UPDATE afterhours_runs SET state = 6, claim = NULL, attempts = attempts - 1, note = ?3
    WHERE id = ?1 AND claim = ?2";

pub(super) fn park(
    conn: &Connection,
    settlement: &Settlement,
    reason: &str,
) -> Result<bool, Error> {
    Ok(conn
        .prepare_cached(PARK)?
        .execute(params![settlement.id.0, settlement.claim.0, reason])?
        == 1)
}
