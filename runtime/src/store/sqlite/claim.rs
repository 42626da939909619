//! Claim: ready runs become a worker's. Also promotes what has become due, because only claiming needs it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::limits::Limits;
use super::many::{Ids, Many, many};
use super::ready::{self, Place};
use super::strange::content;
use super::{Kinds, park, queues, running};
use crate::clock::{Millis, Now};
use crate::codec::sealed_len;
use crate::error::Error;
use crate::failpoint;
use crate::run::RunId;
use crate::sizes::OPTIONS;
use crate::store::{
    ClaimId, ClaimRequest, Claimed, ClaimedRun, Effects, Kind, Limit, NextDue, SUSPECT_CRASHES,
    WorkerId,
};

/// So many scheduled runs become ready in one claim at most; the next claim follows at once.
const MOST_DUE: u32 = 1000;

const NEXT_WALL: &str = "SELECT min(due_wall) FROM afterhours_runs WHERE due_wall IS NOT NULL";
const NEXT_STORE: &str = "SELECT min(due_store) FROM afterhours_runs WHERE due_store IS NOT NULL";
const DUE_WALL: &str =
    "SELECT id FROM afterhours_runs WHERE due_wall <= ?1 ORDER BY due_wall LIMIT ?2";
const DUE_STORE: &str =
    "SELECT id FROM afterhours_runs WHERE due_store <= ?1 ORDER BY due_store LIMIT ?2";
/// A run that is due and not scheduled was written by a stranger; it is due no more.
const PROMOTE: Many = many!(
    "UPDATE afterhours_runs SET state = iif(state = 1, 0, state), due_wall = NULL, due_store = NULL WHERE",
    "id",
    ""
);

/// One seek for each kind that has ready runs, however many runs it has.
const NEXT_KIND: &str =
    "SELECT kind FROM afterhours_ready WHERE suspect = ?1 AND kind > ?2 ORDER BY kind LIMIT 1";
const CANDIDATES: &str = "
    SELECT run, priority FROM afterhours_ready WHERE suspect = ?1 AND kind = ?2 ORDER BY priority DESC, run LIMIT ?3";
const HAS_SUSPECT: &str = "
    SELECT EXISTS (
        SELECT 1 FROM afterhours_running CROSS JOIN afterhours_runs ON afterhours_runs.id = run
        WHERE claim BETWEEN ?1 AND ?2 AND crashes >= ?3)";
/// What is too large is not even read.
const READ: Many = many!(
    "SELECT id, attempts, lost, enqueued_at, due_at, iif(octet_length(options) <= ?3, options, NULL),
        iif(length(payload) <= ?4, payload, NULL)
    FROM afterhours_runs WHERE state = 0 AND",
    "id",
    ""
);
const SIZE: &str = "SELECT length(payload) FROM afterhours_runs WHERE id = ?1";

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
        let wall = promote([NEXT_WALL, DUE_WALL], now.wall)?;
        let store = promote([NEXT_STORE, DUE_STORE], now.store)?;
        let mut limits = Limits::default();
        let mut found = Vec::new();
        let mut unwanted = false;
        let paused = queues::paused(self.conn)?;
        for are_suspects in [false, true] {
            unwanted |= self.find(&mut limits, request, &paused, are_suspects, &mut found)?;
        }
        let (chosen, left) = choose(self.conn, &mut limits, request, found)?;
        *held_up |= limits.any_reached();
        let (runs, unfit) = self.read(&chosen, request)?;
        self.take(&chosen, &runs, request, now)?;
        // A stranger may have made runs ready that are not.
        let again = runs.len() < chosen.len();
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

    /// Of each kind that the worker wants the first runs; true if there are others that it does not want.
    fn find(
        &mut self,
        limits: &mut Limits,
        request: &ClaimRequest,
        paused: &BTreeSet<String>,
        are_suspects: bool,
        found: &mut Vec<Candidate>,
    ) -> Result<bool, Error> {
        let conn = self.conn;
        let mut next_kind = conn.prepare_cached(NEXT_KIND)?;
        let mut read = conn.prepare_cached(CANDIDATES)?;
        // One beyond the limit tells that there are more.
        let beyond = request.limit.saturating_add(1);
        let mut unwanted = false;
        let mut after = i64::MIN;
        while let Some(kind) = next_kind
            .query_row(params![are_suspects, after], |row| row.get(0))
            .optional()?
        {
            after = kind;
            // What a kind that cannot be read means, others cannot read either.
            let Some(means) = self.kinds.kind(conn, kind)? else {
                continue;
            };
            if paused.contains(&*means.queue) {
                continue;
            }
            let rank = request.wanted.rank(&means);
            unwanted |= rank.is_none();
            if let Some(rank) = rank {
                let limit = request.wanted.limit(&means.job);
                let most = match limit {
                    Some(limit) => limits
                        .free(conn, self.kinds, &*request.wanted, limit)?
                        .min(beyond),
                    None => beyond,
                };
                let candidate = |row: &Row<'_>| {
                    Ok(Candidate {
                        rank,
                        place: Place {
                            is_suspect: are_suspects,
                            kind,
                            priority: row.get(1)?,
                        },
                        id: row.get(0)?,
                        means: Arc::clone(&means),
                        limit,
                    })
                };
                for candidate in read.query_map(params![are_suspects, kind, most], candidate)? {
                    found.push(candidate?);
                }
            }
        }
        Ok(unwanted)
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
                    None => Err(self.too_large(id)?),
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

    /// What was chosen is ready no more; what can be claimed of it runs.
    fn take(
        &self,
        chosen: &[Candidate],
        runs: &[ClaimedRun],
        request: &ClaimRequest,
        now: Now,
    ) -> Result<(), Error> {
        let mut places: BTreeMap<Place, Vec<i64>> = BTreeMap::new();
        for candidate in chosen {
            places
                .entry(candidate.place)
                .or_default()
                .push(candidate.id);
        }
        for (place, ids) in places {
            ready::take(self.conn, place, ids)?;
        }
        let ids = runs.iter().map(|run| run.id.0).collect();
        running::take(self.conn, request.claim, ids, now.wall)?;
        if !runs.is_empty() {
            failpoint::reached("in-claim");
        }
        Ok(())
    }

    fn too_large(&self, id: i64) -> Result<String, Error> {
        let size: i64 = self
            .conn
            .prepare_cached(SIZE)?
            .query_row([id], |row| row.get(0))?;
        let most = self.max_payload;
        Ok(format!(
            "its arguments have {size} bytes, and this worker takes at most {most}: raise `max_payload` of its client's \
             builder"
        ))
    }
}

/// Makes ready what is due on one clock; returns the next moment on it.
fn promote(
    conn: &Connection,
    [next, all]: [&str; 2],
    now: Millis,
    promoted: &mut bool,
) -> Result<Option<Millis>, Error> {
    let mut next = conn.prepare_cached(next)?;
    let due: Option<Millis> = next.query_row([], |row| row.get(0))?;
    if due.is_none_or(|due| due > now) {
        return Ok(due);
    }
    let due: Vec<i64> = conn
        .prepare_cached(all)?
        .query_map(params![now, MOST_DUE], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for ids in Ids::of(due) {
        let (promote, first, last) = ids.bind(&PROMOTE);
        conn.prepare_cached(promote)?.execute([first, last])?;
        ready::add_all(conn, &ids)?;
    }
    *promoted = true;
    Ok(next.query_row([], |row| row.get(0))?)
}

#[derive(Debug)]
struct Candidate {
    rank: usize,
    place: Place,
    id: i64,
    means: Arc<Kind>,
    limit: Option<Limit>,
}

/// The first runs in the worker's order, as far as they may start; and whether others stay behind that it does not get.
fn choose(
    conn: &Connection,
    limits: &mut Limits,
    request: &ClaimRequest,
    mut found: Vec<Candidate>,
) -> Result<(Vec<Candidate>, bool), Error> {
    let mut may_suspect = found.iter().any(|candidate| candidate.place.is_suspect)
        && !has_suspect(conn, request.claim.worker())?;
    found.sort_unstable_by_key(|candidate| {
        (
            candidate.rank,
            Reverse(candidate.place.priority),
            candidate.id,
        )
    });
    let most = usize::try_from(request.limit).unwrap_or(usize::MAX);
    let (mut taken, mut left) = (Vec::new(), Vec::new());
    for candidate in found {
        if taken.len() == most || candidate.place.is_suspect && !may_suspect {
            left.push(candidate.limit);
        } else if candidate.limit.is_none_or(|limit| limits.take(limit)) {
            may_suspect &= !candidate.place.is_suspect;
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
    Ok(has.query_row(params![first, last, SUSPECT_CRASHES], |row| row.get(0))?)
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
