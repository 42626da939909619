//! Claim: ready runs become a worker's. Also promotes what has become due, because only claiming needs it.

use std::cmp::Reverse;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::limits::Limits;
use super::many::{Ids, Many, many};
use super::strange::content;
use super::{Kinds, claims, park};
use crate::clock::{Millis, Now};
use crate::codec::sealed_len;
use crate::error::Error;
use crate::failpoint;
use crate::run::RunId;
use crate::sizes::OPTIONS;
use crate::store::{
    ClaimId, ClaimRequest, Claimed, ClaimedRun, Effects, Kind, Limit, NextDue, WorkerId,
};

/// So many scheduled runs become ready in one claim at most; the next claim follows at once.
const PROMOTE: u32 = 1000;

const NEXT_WALL: &str = "SELECT min(due_wall) FROM afterhours_runs WHERE due_wall IS NOT NULL";
const NEXT_STORE: &str = "SELECT min(due_store) FROM afterhours_runs WHERE due_store IS NOT NULL";
/// A run that is due and not scheduled was written by a stranger; it is due no more.
const PROMOTE_WALL: &str = "
    UPDATE afterhours_runs SET state = iif(state = 1, 0, state), due_wall = NULL WHERE id IN (
        SELECT id FROM afterhours_runs WHERE due_wall <= ?1 ORDER BY due_wall LIMIT ?2)";
const PROMOTE_STORE: &str = "
    UPDATE afterhours_runs SET state = iif(state = 1, 0, state), due_store = NULL WHERE id IN (
        SELECT id FROM afterhours_runs WHERE due_store <= ?1 ORDER BY due_store LIMIT ?2)";

/// Where ready runs are looked for.
struct Among {
    /// One seek in the index for each kind that has ready runs, however many runs it has.
    next_kind: &'static str,
    candidates: &'static str,
    are_suspects: bool,
}

const UNSUSPECTED: Among = Among {
    next_kind: "SELECT kind FROM afterhours_runs WHERE state = 0 AND suspect = 0 AND kind > ?1 ORDER BY kind LIMIT 1",
    candidates: "
        SELECT id, priority FROM afterhours_runs WHERE state = 0 AND suspect = 0 AND kind = ?1
        ORDER BY priority DESC, id LIMIT ?2",
    are_suspects: false,
};
const SUSPECTS: Among = Among {
    next_kind: "SELECT kind FROM afterhours_runs WHERE suspect <> 0 AND kind > ?1 AND state = 0 ORDER BY kind LIMIT 1",
    candidates: "
        SELECT id, priority FROM afterhours_runs WHERE suspect <> 0 AND kind = ?1 AND state = 0
        ORDER BY priority DESC, id LIMIT ?2",
    are_suspects: true,
};
const HAS_SUSPECT: &str = "
    SELECT EXISTS (SELECT 1 FROM afterhours_runs WHERE suspect <> 0 AND state = 2 AND claim BETWEEN ?1 AND ?2)";
/// What is too large is not even read.
const READ: Many = many!(
    "SELECT id, attempts, lost, enqueued_at, due_at, iif(octet_length(options) <= ?3, options, NULL),
        iif(length(payload) <= ?4, payload, NULL), length(payload)
    FROM afterhours_runs WHERE",
    "id",
    ""
);
const CLAIM: Many = many!(
    "UPDATE afterhours_runs SET state = 2, claim = ?3, started_at = ?4, attempts = attempts + 1 WHERE",
    "id",
    ""
);

/// A run that cannot be claimed, and why.
type Unfit = (i64, String);

/// What claiming works on.
pub(super) struct Claim<'a> {
    pub(super) conn: &'a Connection,
    pub(super) kinds: &'a mut Kinds,
    pub(super) effects: &'a mut Effects,
    pub(super) max_payload: usize,
}

impl Claim<'_> {
    pub(super) fn claim(
        &mut self,
        held_up: &mut bool,
        request: &ClaimRequest,
        now: Now,
    ) -> Result<Claimed, Error> {
        let mut promoted = false;
        let mut promote = |sql, now| promote(self.conn, sql, now, &mut promoted);
        let wall = promote([NEXT_WALL, PROMOTE_WALL], now.wall)?;
        let store = promote([NEXT_STORE, PROMOTE_STORE], now.store)?;
        let mut limits = Limits::default();
        let mut found = Vec::new();
        let mut unwanted = false;
        for among in [&UNSUSPECTED, &SUSPECTS] {
            unwanted |= find(
                self.conn,
                self.kinds,
                &mut limits,
                request,
                among,
                &mut found,
            )?;
        }
        let (chosen, left) = choose(self.conn, &mut limits, request, found)?;
        *held_up |= limits.any_reached();
        let (runs, unfit) = self.read(&chosen, request)?;
        self.take(&runs, request, now)?;
        let again = !unfit.is_empty();
        for (id, reason) in unfit {
            park::put_aside(self.conn, self.effects, id, reason)?;
        }
        Ok(Claimed {
            runs,
            again,
            next: NextDue { wall, store },
            is_more: unwanted || left,
            promoted,
        })
    }

    /// What was chosen, in that order, and why some of it cannot be claimed.
    fn read(
        &self,
        chosen: &[Candidate],
        request: &ClaimRequest,
    ) -> Result<(Vec<ClaimedRun>, Vec<Unfit>), Error> {
        let (mut runs, mut unfit) = (Vec::with_capacity(chosen.len()), Vec::new());
        let mut places: Vec<_> = chosen.iter().enumerate().collect();
        places.sort_unstable_by_key(|(_, candidate)| candidate.id);
        let most = size(sealed_len(self.max_payload));
        for ids in Ids::of(chosen.iter().map(|candidate| candidate.id).collect()) {
            let (read, first, last) = ids.bind(&READ);
            let mut read = self.conn.prepare_cached(read)?;
            let mut rows = read.query(params![first, last, size(OPTIONS), most])?;
            while let Some(row) = rows.next()? {
                let id: i64 = row.get(0)?;
                let found = places.binary_search_by_key(&id, |(_, candidate)| candidate.id);
                let Some((place, candidate)) = found.ok().and_then(|found| places.get(found))
                else {
                    continue;
                };
                let run = match row.get(6)? {
                    Some(payload) => content(claimed_run(row, candidate, request, payload))?,
                    None => Err(self.too_large(row.get(7)?)),
                };
                match run {
                    Ok(run) => runs.push((*place, run)),
                    Err(reason) => unfit.push((id, reason)),
                }
            }
        }
        runs.sort_unstable_by_key(|(place, _)| *place);
        Ok((runs.into_iter().map(|(_, run)| run).collect(), unfit))
    }

    fn take(&self, runs: &[ClaimedRun], request: &ClaimRequest, now: Now) -> Result<(), Error> {
        if runs.is_empty() {
            return Ok(());
        }
        for ids in Ids::of(runs.iter().map(|run| run.id.0).collect()) {
            let (claim, first, last) = ids.bind(&CLAIM);
            self.conn.prepare_cached(claim)?.execute(params![
                first,
                last,
                request.claim.0,
                now.wall
            ])?;
        }
        claims::take(self.conn, request.claim, runs.iter().map(|run| run.id))?;
        failpoint::reached("in-claim");
        Ok(())
    }

    fn too_large(&self, size: i64) -> String {
        let most = self.max_payload;
        format!(
            "its arguments have {size} bytes, and this worker takes at most {most}: raise `max_payload` of its client's \
             builder"
        )
    }
}

/// Makes ready what is due on one clock; returns the next moment on it.
fn promote(
    conn: &Connection,
    [next, promote]: [&str; 2],
    now: Millis,
    promoted: &mut bool,
) -> Result<Option<Millis>, Error> {
    let mut next = conn.prepare_cached(next)?;
    let due: Option<Millis> = next.query_row([], |row| row.get(0))?;
    if due.is_none_or(|due| due > now) {
        return Ok(due);
    }
    conn.prepare_cached(promote)?
        .execute(params![now, PROMOTE])?;
    *promoted = true;
    Ok(next.query_row([], |row| row.get(0))?)
}

#[derive(Debug)]
struct Candidate {
    rank: usize,
    priority: Reverse<i64>,
    id: i64,
    means: Arc<Kind>,
    limit: Option<Limit>,
    is_suspect: bool,
}

/// Of each kind that the worker wants the first runs; true if there are others that it does not want.
fn find(
    conn: &Connection,
    kinds: &mut Kinds,
    limits: &mut Limits,
    request: &ClaimRequest,
    among: &Among,
    found: &mut Vec<Candidate>,
) -> Result<bool, Error> {
    let mut next_kind = conn.prepare_cached(among.next_kind)?;
    let mut read = conn.prepare_cached(among.candidates)?;
    // One beyond the limit tells that there are more.
    let beyond = request.limit.saturating_add(1);
    let mut unwanted = false;
    let mut after = i64::MIN;
    while let Some(kind) = next_kind.query_row([after], |row| row.get(0)).optional()? {
        after = kind;
        // What a kind that cannot be read means, others cannot read either.
        let Some(means) = kinds.kind(conn, kind)? else {
            continue;
        };
        let rank = request.wanted.rank(&means);
        unwanted |= rank.is_none();
        if let Some(rank) = rank {
            let limit = request.wanted.limit(&means.job);
            let most = match limit {
                Some(limit) => limits
                    .free(conn, kinds, &*request.wanted, limit)?
                    .min(beyond),
                None => beyond,
            };
            let candidate = |row: &Row<'_>| {
                Ok(Candidate {
                    rank,
                    priority: Reverse(row.get(1)?),
                    id: row.get(0)?,
                    means: Arc::clone(&means),
                    limit,
                    is_suspect: among.are_suspects,
                })
            };
            for candidate in read.query_map(params![kind, most], candidate)? {
                found.push(candidate?);
            }
        }
    }
    Ok(unwanted)
}

/// The first runs in the worker's order, as far as they may start; and whether others stay behind that it does not get.
fn choose(
    conn: &Connection,
    limits: &mut Limits,
    request: &ClaimRequest,
    mut found: Vec<Candidate>,
) -> Result<(Vec<Candidate>, bool), Error> {
    let mut may_suspect = found.iter().any(|candidate| candidate.is_suspect)
        && !has_suspect(conn, request.claim.worker())?;
    found.sort_unstable_by_key(|candidate| (candidate.rank, candidate.priority, candidate.id));
    let most = usize::try_from(request.limit).unwrap_or(usize::MAX);
    let (mut taken, mut left) = (Vec::new(), Vec::new());
    for candidate in found {
        if taken.len() == most || candidate.is_suspect && !may_suspect {
            left.push(candidate.limit);
        } else if candidate.limit.is_none_or(|limit| limits.take(limit)) {
            may_suspect &= !candidate.is_suspect;
            taken.push(candidate);
        }
    }
    let is_left = |limit: Option<Limit>| limit.is_none_or(|limit| limits.has_place(limit));
    Ok((taken, left.into_iter().any(is_left)))
}

/// Whether a suspect is at work in this worker.
fn has_suspect(conn: &Connection, worker: WorkerId) -> Result<bool, Error> {
    let (first, last) = ClaimId::range_of(worker);
    let mut has = conn.prepare_cached(HAS_SUSPECT)?;
    Ok(has.query_row([first, last], |row| row.get(0))?)
}

fn claimed_run(
    row: &Row<'_>,
    candidate: &Candidate,
    request: &ClaimRequest,
    payload: Vec<u8>,
) -> rusqlite::Result<ClaimedRun> {
    let enqueued_at = row.get(3)?;
    Ok(ClaimedRun {
        id: RunId(candidate.id),
        claim: request.claim,
        kind: Arc::clone(&candidate.means),
        attempt: row.get::<_, u32>(1)?.saturating_add(1),
        lost: row.get(2)?,
        enqueued_at,
        due_at: row.get::<_, Option<_>>(4)?.unwrap_or(enqueued_at),
        // Without what is no text the attribute holds.
        options: row.get(5).unwrap_or_default(),
        payload,
    })
}

/// A size as SQLite counts it.
fn size(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
