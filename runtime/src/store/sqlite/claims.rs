//! Which runs a claim took, so that those of a lost worker are found. One row for each claim costs less than an index on
//! the claims of runs, which every claim and every end of a run would have to keep.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use crate::error::Error;
use crate::run::RunId;
use crate::store::ClaimId;

/// What of the claims from ?1 to ?2 still holds. A list that a stranger has written is none.
macro_rules! held {
    ($columns:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM afterhours_claims AS taken
            CROSS JOIN json_each(iif(json_valid(taken.runs), taken.runs, '[]')) AS list
            CROSS JOIN afterhours_runs AS run ON run.id = list.value AND run.claim = taken.claim
            WHERE taken.claim BETWEEN ?1 AND ?2"
        )
    };
}
pub(super) use held;

const TAKE: &str = "INSERT INTO afterhours_claims (claim, runs, held) VALUES (?1, ?2, ?3)";
const END: &str = "DELETE FROM afterhours_claims WHERE claim = ?1 AND held <= ?2";
const END_SOME: &str = "UPDATE afterhours_claims SET held = held - ?2 WHERE claim = ?1";
const END_ALL: &str = "DELETE FROM afterhours_claims WHERE claim BETWEEN ?1 AND ?2";

/// A claim takes these runs.
pub(super) fn take(
    conn: &Connection,
    claim: ClaimId,
    runs: impl Iterator<Item = RunId>,
) -> Result<(), Error> {
    // In the order in which they are then rescued.
    let mut runs: Vec<RunId> = runs.collect();
    runs.sort_unstable();
    let held = i64::try_from(runs.len()).unwrap_or(i64::MAX);
    let mut list = String::from("[");
    for run in runs {
        if list.len() > 1 {
            list.push(',');
        }
        list.push_str(&run.0.to_string());
    }
    list.push(']');
    conn.prepare_cached(TAKE)?
        .execute(params![claim.0, list, held])?;
    Ok(())
}

/// How many runs of each claim do not hold it any more.
#[derive(Debug, Default)]
pub(super) struct Ended(BTreeMap<ClaimId, i64>);

impl Ended {
    pub(super) fn add(&mut self, claim: ClaimId) {
        *self.0.entry(claim).or_default() += 1;
    }

    /// A claim that no run holds any more is forgotten.
    pub(super) fn write(self, conn: &Connection) -> Result<(), Error> {
        for (claim, ended) in self.0 {
            if conn.prepare_cached(END)?.execute([claim.0, ended])? == 0 {
                conn.prepare_cached(END_SOME)?.execute([claim.0, ended])?;
            }
        }
        Ok(())
    }
}

/// Forgets claims that no run holds any more, whatever their number says.
pub(super) fn forget(conn: &Connection, (first, last): (i64, i64)) -> Result<(), Error> {
    conn.prepare_cached(END_ALL)?.execute([first, last])?;
    Ok(())
}
