//! Settle: how attempts ended is written, each as long as its claim holds.

use std::collections::BTreeMap;

use super::finish::{Plain, finish, finish_all};
use super::{Core, cancel, park, release, retry};
use crate::clock::Now;
use crate::error::Error;
use crate::failpoint;
use crate::run::RunId;
use crate::store::{ClaimId, Ending, Settlement};

/// Returns the attempts whose claim was lost.
pub(super) fn settle(
    core: &mut Core,
    settlements: &[Settlement],
    now: Now,
) -> Result<Vec<(RunId, ClaimId)>, Error> {
    let mut lost = Vec::new();
    let mut plain: BTreeMap<Plain, Vec<&Settlement>> = BTreeMap::new();
    for settlement in settlements {
        if let Some(kind) = Plain::of(settlement) {
            plain.entry(kind).or_default().push(settlement);
        } else if !one(core, settlement, now)? {
            lost.push((settlement.id, settlement.claim));
        }
    }
    for (kind, settlements) in plain {
        let ids = settlements.iter().map(|settlement| settlement.id.0);
        let mut ids = finish_all(&core.conn, kind, ids.collect(), now)?;
        failpoint::reached("in-settle");
        ids.sort_unstable();
        for settlement in settlements {
            if ids.binary_search(&settlement.id.0).is_ok() {
                tell(core, settlement.id, settlement.ending.clone());
            } else if !one(core, settlement, now)? {
                lost.push((settlement.id, settlement.claim));
            }
        }
    }
    Ok(lost)
}

/// False if its claim was lost.
fn one(core: &mut Core, settlement: &Settlement, now: Now) -> Result<bool, Error> {
    let cancelled = cancel::instead(&core.conn, settlement, now)?;
    let instead = cancelled.as_ref().unwrap_or(settlement);
    let (conn, effects) = (&core.conn, &mut core.effects);
    let held = match &instead.ending {
        Ending::Done { .. } | Ending::Failed { .. } | Ending::Cancelled { .. } => {
            finish(conn, instead, now)?
        }
        Ending::Retry { .. } | Ending::Snooze { .. } => retry::retry(conn, effects, instead, now)?,
        Ending::Release => release::release(conn, effects, instead)?,
        Ending::Park { reason } => park::park(conn, instead, reason)?,
    };
    failpoint::reached("in-settle");
    if held {
        tell(core, instead.id, instead.ending.clone());
    }
    Ok(held)
}

/// What others hear of it.
fn tell(core: &mut Core, id: RunId, ending: Ending) {
    if std::mem::take(&mut core.held_up) {
        core.effects.ready = true;
    }
    if ending.concerns_joiners() {
        core.effects.finished.push((id, ending));
    }
}
