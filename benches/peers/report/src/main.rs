//! Writes what `scripts/peers` has measured: the raw figures as JSON, a page that sums them up, and a chart.
//!
//! `report failed <library> <scenario> <count> <reason>` prints the line of a run that ended without one.
//! `report write <lines> <database folder> <date> <docs>` reads all lines, each with the number of its round before it,
//! and writes `benchmarks.{json,md,svg}`.

mod chart;
mod machine;
mod page;
mod runs;
mod text;

use std::path::Path;

use runs::Runs;
use serde_json::json;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["failed", library, scenario, count, reason] => {
            let count: u64 = count.parse()?;
            println!(
                "{}",
                json!({ "library": library, "scenario": scenario, "count": count, "failed": reason })
            );
            Ok(())
        }
        ["write", lines, databases, date, docs] => write(
            &std::fs::read_to_string(lines)?,
            Path::new(databases),
            date,
            Path::new(docs),
        ),
        _ => Err("usage: failed <library> <scenario> <count> <reason> | write <lines> <database folder> <date> <docs>".into()),
    }
}

fn write(lines: &str, databases: &Path, date: &str, docs: &Path) -> Result {
    let runs = Runs::parse(lines)?;
    let machine = machine::facts(databases, date)?;
    let all = json!({ "machine": machine, "rounds": runs.rounds(), "runs": runs.raw() });
    std::fs::create_dir_all(docs)?;
    std::fs::write(
        docs.join("benchmarks.json"),
        serde_json::to_string_pretty(&all)? + "\n",
    )?;
    std::fs::write(docs.join("benchmarks.md"), page::page(&runs, &machine))?;
    std::fs::write(docs.join("benchmarks.svg"), chart::chart(&runs))?;
    Ok(())
}
