//! Release: a worker gives a run back; the attempt does not count.

use rusqlite::Connection;

use super::many::Ids;
use super::{ready, running};
use crate::error::Error;
use crate::store::{Effects, Settlement};

pub(super) fn release(
    conn: &Connection,
    effects: &mut Effects,
    settlement: &Settlement,
) -> Result<bool, Error> {
    let held = running::leave(conn, settlement.id, settlement.claim)?.is_some();
    if held {
        ready::add_all(conn, &Ids::one(settlement.id.0))?;
        effects.ready = true;
    }
    Ok(held)
}
