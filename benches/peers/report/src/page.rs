//! The page: what was measured, how, and what came out, with what failed and what cannot be compared.

use std::fmt::Write;

use serde_json::{Map, Value};

use crate::runs::{Cell, Figure, Runs, Spread};
use crate::text::{grouped, rounded};

/// What stands together in a table.
struct Group {
    title: &'static str,
    text: &'static str,
    columns: &'static [Column],
}

struct Column {
    title: &'static str,
    scenario: &'static str,
    figure: Figure,
}

const GROUPS: [Group; 3] = [
    Group {
        title: "Enqueue",
        text: "No worker runs. One task that awaits each enqueue, 64 tasks that do so at once, and the call for many jobs, \
               with 1,000 of them. Libraries whose calls block have threads for tasks.",
        columns: &[
            Column {
                title: "one task, jobs/s",
                scenario: "one",
                figure: Figure::Rate,
            },
            Column {
                title: "p50, µs",
                scenario: "one",
                figure: Figure::P50,
            },
            Column {
                title: "p99, µs",
                scenario: "one",
                figure: Figure::P99,
            },
            Column {
                title: "64 tasks, jobs/s",
                scenario: "tasks64",
                figure: Figure::Rate,
            },
            Column {
                title: "batches, jobs/s",
                scenario: "batch",
                figure: Figure::Rate,
            },
        ],
    },
    Group {
        title: "Execute",
        text: "Jobs that do nothing were enqueued before. A worker for 64 jobs at once is started, and the clock stops when \
               all were executed and are recorded as done, which is checked in the database.",
        columns: &[Column {
            title: "jobs/s",
            scenario: "drain",
            figure: Figure::Rate,
        }],
    },
    Group {
        title: "Start",
        text: "From the call of enqueue to the first line of the handler: one job at a time, with 11 ms in between, and a \
               worker that has nothing else to do, in the same process or in another one. The first ten are not counted.",
        columns: &[
            Column {
                title: "same process, p50, µs",
                scenario: "start",
                figure: Figure::P50,
            },
            Column {
                title: "p99, µs",
                scenario: "start",
                figure: Figure::P99,
            },
            Column {
                title: "other process, p50, µs",
                scenario: "start-other",
                figure: Figure::P50,
            },
            Column {
                title: "p99, µs",
                scenario: "start-other",
                figure: Figure::P99,
            },
        ],
    },
];

const SCENARIOS: [(&str, &str); 6] = [
    ("one", "one task"),
    ("tasks64", "64 tasks"),
    ("batch", "batches"),
    ("drain", "execute"),
    ("start", "start, same process"),
    ("start-other", "start, other process"),
];

pub(crate) fn page(runs: &Runs, machine: &Map<String, Value>) -> String {
    let mut page = String::new();
    introduction(&mut page, runs);
    for group in &GROUPS {
        table(&mut page, runs, group);
    }
    libraries(&mut page, runs);
    failures(&mut page, runs);
    counts(&mut page, runs);
    page.push_str("\n## The machine\n\n| | |\n|---|---|\n");
    for (name, fact) in machine {
        line(
            &mut page,
            format_args!("| {name} | {} |", fact.as_str().unwrap_or_default()),
        );
    }
    page
}

fn introduction(page: &mut String, runs: &Runs) {
    let rounds = runs.rounds();
    let noun = if rounds == 1 { "round" } else { "rounds" };
    line(
        page,
        format_args!(
            "# Benchmarks

How fast job queues for Rust are that keep their jobs in one SQLite file, each with the best settings that its
documentation names, and all with the same promise: WAL with `synchronous=NORMAL`, so that what was accepted survives
the death of the process, but not always a power cut.

This page is written by a program. It and the raw figures, [benchmarks.json](benchmarks.json), are renewed by

```sh
scripts/peers
```

The programs are in [benches/peers](../benches/peers), one folder for each library, and say which settings are used
and why. Whoever knows better ones for a library is asked to send them.

Each figure is the median of {rounds} {noun}, with the lowest and the highest behind it. In each round the libraries take
turns, with a fresh database and a fresh process each time, so that a machine that slows down for a while slows down
all. Figures whose ranges overlap do not differ. Jobs that do nothing show what the queue itself costs; where the work
of a job takes longer, that matters less, and what a library promises matters more.

![The medians, on a logarithmic axis](benchmarks.svg)"
        ),
    );
}

fn table(page: &mut String, runs: &Runs, group: &Group) {
    line(
        page,
        format_args!("\n## {}\n\n{}\n", group.title, group.text),
    );
    let titles: Vec<_> = group.columns.iter().map(|column| column.title).collect();
    line(page, format_args!("| | {} |", titles.join(" | ")));
    line(page, format_args!("|---|{}", "--:|".repeat(titles.len())));
    for library in runs.libraries() {
        let cells: Vec<_> = group
            .columns
            .iter()
            .map(|column| cell(&runs.cell(library, column.scenario), column.figure))
            .collect();
        line(page, format_args!("| {library} | {} |", cells.join(" | ")));
    }
    let mut scenarios: Vec<_> = group.columns.iter().map(|column| column.scenario).collect();
    scenarios.dedup();
    let mut separator = "\n";
    for library in runs.libraries() {
        for scenario in &scenarios {
            if let Some(note) = runs.cell(library, scenario).note() {
                let name = name(scenario);
                line(
                    page,
                    format_args!("{separator}- {library}, {name}: {note}."),
                );
                separator = "";
            }
        }
    }
}

fn cell(cell: &Cell<'_>, figure: Figure) -> String {
    let failed = cell.failures().len();
    let figures = match cell.spread(figure) {
        Some(spread) => figures(&spread),
        None if failed > 0 => return "failed".to_owned(),
        None => return "not possible".to_owned(),
    };
    if failed > 0 {
        return format!("{figures}, failed {failed} of {} times", cell.runs());
    }
    figures
}

fn figures(spread: &Spread) -> String {
    let [median, lowest, highest] = [spread.median, spread.lowest, spread.highest].map(rounded);
    format!("**{median}** ({lowest}..{highest})")
}

fn libraries(page: &mut String, runs: &Runs) {
    page.push_str("\n## Libraries\n\n| | version | SQLite | durability |\n|---|---|---|---|\n");
    for library in runs.libraries() {
        let [version, sqlite, durability] =
            ["version", "sqlite", "durability"].map(|key| runs.said(library, key));
        line(
            page,
            format_args!("| {library} | {version} | {sqlite} | {durability} |"),
        );
    }
}

fn failures(page: &mut String, runs: &Runs) {
    page.push_str("\n## What failed\n\n");
    let mut any = false;
    for library in runs.libraries() {
        for (scenario, name) in SCENARIOS {
            let cell = runs.cell(library, scenario);
            let reasons = cell.failures();
            if let Some(first) = reasons.first() {
                let (failed, all) = (reasons.len(), cell.runs());
                line(
                    page,
                    format_args!("- {library}, {name}, {failed} of {all} times: {first}"),
                );
                any = true;
            }
        }
    }
    if !any {
        page.push_str("Nothing.\n");
    }
}

/// Who is slow has fewer jobs, or a round would take an hour.
fn counts(page: &mut String, runs: &Runs) {
    page.push_str("\n## Jobs in each run\n\n");
    let libraries = runs.libraries();
    for (scenario, name) in SCENARIOS {
        let counts: Vec<_> = libraries
            .iter()
            .filter_map(|library| Some((*library, runs.cell(library, scenario).count()?)))
            .collect();
        let Some((_, first)) = counts.first() else {
            continue;
        };
        let mut text = grouped(*first);
        for (library, count) in counts.iter().filter(|(_, count)| count != first) {
            // A `String` takes all that is written.
            let _ = write!(text, "; {library} {}", grouped(*count));
        }
        line(page, format_args!("- {name}: {text}"));
    }
}

fn name(scenario: &str) -> &str {
    let named = SCENARIOS.iter().find(|(word, _)| *word == scenario);
    named.map_or(scenario, |(_, name)| name)
}

fn line(page: &mut String, text: std::fmt::Arguments<'_>) {
    // A `String` takes all that is written.
    let _ = writeln!(page, "{text}");
}
