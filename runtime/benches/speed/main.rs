//! How fast this library is, beside raw rusqlite in the same run.
//!
//! `cargo bench -p afterhours --bench speed` prints each figure of the parts below, its ratio to the raw reference of
//! the same round, and the goal. What is compared takes turns within a round, so that a machine that slows down for a
//! while slows down both sides.
//!
//! A number as an argument sets the rounds (default 5); words pick parts by name, the slow ones only by name; `--json`
//! prints everything as JSON instead: `-- 9 drain start`. `MINUTES=10` says how long `sustained` takes (default 10).

// A benchmark is a program: what it prints is its result.
#![allow(clippy::print_stdout)]

mod child;
mod crowd;
mod drain;
mod enqueue;
mod full;
mod growth;
mod headline;
mod idle;
mod machine;
mod raw;
mod report;
mod stage;
mod start;
mod sustained;
mod unknown;
mod waiting;

use afterhours::Result;
use report::Report;
use tokio::runtime::Runtime;

/// One round of a part.
type Part = fn(&Runtime, &mut Report) -> Result;

const PARTS: [(&str, Part); 8] = [
    ("enqueue", enqueue::part),
    ("drain", drain::part),
    ("start", start::part),
    ("headline", headline::part),
    ("crowd", crowd::part),
    ("full", full::part),
    ("unknown", unknown::part),
    ("idle", idle::part),
];

/// These take minutes, or very much of the disk.
const SLOW_PARTS: [(&str, Part); 3] = [
    ("waiting", waiting::part),
    ("growth", growth::part),
    ("sustained", sustained::part),
];

fn main() -> Result {
    let mut arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    if child::role(&arguments)? {
        return Ok(());
    }
    let as_json = arguments.iter().any(|argument| argument == "--json");
    arguments.retain(|argument| argument != "--json");
    let rounds = arguments.iter().find_map(|argument| argument.parse().ok());
    let words: Vec<&String> = arguments
        .iter()
        .filter(|argument| argument.parse::<usize>().is_err())
        .collect();
    let parts = chosen(&words)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let mut report = Report::default();
    for _ in 0..rounds.unwrap_or(5) {
        for part in &parts {
            part(&runtime, &mut report)?;
        }
    }
    report.print(as_json)
}

fn chosen(words: &[&String]) -> Result<Vec<Part>> {
    let all = || PARTS.into_iter().chain(SLOW_PARTS);
    if let Some(word) = words
        .iter()
        .find(|word| all().all(|(name, _)| name != word.as_str()))
    {
        let names: Vec<_> = all().map(|(name, _)| name).collect();
        return Err(format!("no part is called `{word}`; there are {}", names.join(", ")).into());
    }
    if words.is_empty() {
        return Ok(PARTS.map(|(_, part)| part).to_vec());
    }
    let is_chosen = |name: &str| words.iter().any(|word| *word == name);
    Ok(all()
        .filter(|(name, _)| is_chosen(name))
        .map(|(_, part)| part)
        .collect())
}
