//! Judges what many processes have written into the ledger while they were killed.

use std::collections::{BTreeMap, BTreeSet};

use super::process::{Entry, restarts};

/// When each process was sent its last signal. Its lines go on until it has died, so that was not before the last.
pub(crate) struct Deaths(BTreeMap<u32, u64>);

impl Deaths {
    pub(crate) fn new(signalled: &BTreeMap<u32, u64>, lines: &[Entry]) -> Self {
        let mut deaths = signalled.clone();
        for line in lines {
            if let Some(died) = deaths.get_mut(&line.pid) {
                *died = line.time.max(*died);
            }
        }
        Self(deaths)
    }

    fn of(&self, pid: u32) -> u64 {
        self.0.get(&pid).copied().unwrap_or(u64::MAX)
    }
}

/// Attempts that started while an earlier one of their run was at work.
pub(crate) fn doubled(lines: &[Entry], deaths: &Deaths) -> Vec<String> {
    restarts(lines)
        .into_iter()
        .filter(|(earlier, later)| later.time < deaths.of(earlier.pid))
        .map(|(earlier, later)| format!("{later:?} started beside {earlier:?}"))
        .collect()
}

/// How many of these runs were at work at a time at most.
pub(crate) fn most_at_once(lines: &[Entry], deaths: &Deaths, runs: &BTreeSet<String>) -> usize {
    let mut moments: Vec<(u64, Option<&Entry>, u32)> = lines
        .iter()
        .filter(|line| runs.contains(&line.run))
        .map(|line| (line.time, Some(line), line.pid))
        .collect();
    moments.extend(deaths.0.iter().map(|(pid, died)| (*died, None, *pid)));
    // A process wrote its last line before it died.
    moments.sort_by_key(|(time, line, _)| (*time, line.is_none()));
    let mut at_work = BTreeSet::new();
    let mut most = 0;
    for (_, line, pid) in moments {
        match line {
            Some(line) if line.what == "start" => {
                at_work.insert((line.run.as_str(), pid));
            }
            Some(line) => {
                at_work.remove(&(line.run.as_str(), pid));
            }
            None => at_work.retain(|(_, of)| *of != pid),
        }
        most = most.max(at_work.len());
    }
    most
}

/// How long each run that was at work at a kill has waited for its next attempt, sorted; without those of which
/// something else was to be waited for.
pub(crate) fn rescues(
    lines: &[Entry],
    kills: &BTreeMap<u32, u64>,
    has_excuse: impl Fn(&Entry, u64, u64) -> bool,
) -> Vec<u64> {
    let mut waited: Vec<u64> = restarts(lines)
        .into_iter()
        .filter_map(|(earlier, later)| Some((*kills.get(&earlier.pid)?, later)))
        .filter(|(killed, later)| !has_excuse(later, *killed, later.time))
        .map(|(killed, later)| later.time.saturating_sub(killed))
        .collect();
    waited.sort_unstable();
    waited
}

/// Of sorted values the one below which this share lies.
pub(crate) fn quantile(sorted: &[u64], share: f64) -> u64 {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss
    )] // An index into a list that fits into memory.
    let at = (sorted.len() as f64 * share) as usize;
    sorted.get(at).or(sorted.last()).copied().unwrap_or(0)
}

fn entry(run: &str, attempt: u32, what: &str, pid: u32, time: u64) -> Entry {
    Entry {
        run: run.to_owned(),
        attempt,
        what: what.to_owned(),
        pid,
        time,
    }
}

/// A judge who never condemns is none.
#[test]
fn what_runs_twice_at_a_time_is_found() {
    let lines = [
        entry("1", 1, "start", 10, 100),
        entry("2", 1, "start", 10, 110),
        entry("1", 2, "start", 11, 200),
        entry("2", 2, "start", 11, 300),
    ];
    let runs = BTreeSet::from(["1".to_owned(), "2".to_owned()]);
    let killed = BTreeMap::from([(10, 250)]);
    let deaths = Deaths::new(&killed, &lines);
    assert_eq!(doubled(&lines, &deaths).len(), 1);
    assert_eq!(most_at_once(&lines, &deaths, &runs), 3);
    assert_eq!(rescues(&lines, &killed, |_, _, _| false), [0, 50]);
    let deaths = Deaths::new(&BTreeMap::from([(10, 150)]), &lines);
    assert!(doubled(&lines, &deaths).is_empty());
    assert_eq!(most_at_once(&lines, &deaths, &runs), 2);
}
