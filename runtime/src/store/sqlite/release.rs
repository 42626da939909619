//! Release: a worker gives a run back; the attempt does not count.

use rusqlite::{Connection, params};

use crate::error::Error;
use crate::store::{Effects, Settlement};

const RELEASE: &str = "
    UPDATE afterhours_runs SET state = 0, claim = NULL, attempts = max(attempts, 1) - 1
    WHERE id = ?1 AND claim = ?2";

pub(super) fn release(
    conn: &Connection,
    effects: &mut Effects,
    settlement: &Settlement,
) -> Result<bool, Error> {
    let held = conn
        .prepare_cached(RELEASE)?
        .execute(params![settlement.id.0, settlement.claim.0])?
        == 1;
    effects.ready |= held;
    Ok(held)
}
