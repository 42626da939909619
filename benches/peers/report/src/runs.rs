//! The lines of all runs, and what they come to for each library and scenario.

use serde_json::{Map, Value};

use crate::Result;

/// All runs, in the order in which they were made.
pub(crate) struct Runs(Vec<Value>);

/// What is read of each line.
#[derive(Clone, Copy)]
pub(crate) enum Figure {
    Rate,
    P50,
    P99,
}

/// The figures of some runs.
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
}

/// All runs of a library in a scenario.
pub(crate) struct Cell<'a>(Vec<&'a Value>);

impl Runs {
    /// Each line is the number of a round and an object.
    pub(crate) fn parse(lines: &str) -> Result<Self> {
        let parse = |line: &str| -> Result<Value> {
            let (round, object) = line.split_once(' ').ok_or("no round in a line")?;
            let mut run = Map::new();
            run.insert("round".to_owned(), round.parse::<u64>()?.into());
            run.extend(serde_json::from_str::<Map<_, _>>(object)?);
            Ok(Value::Object(run))
        };
        Ok(Self(lines.lines().map(parse).collect::<Result<_>>()?))
    }

    pub(crate) fn raw(&self) -> &[Value] {
        &self.0
    }

    pub(crate) fn rounds(&self) -> u64 {
        let rounds = self.0.iter().filter_map(|run| run["round"].as_u64());
        rounds.max().unwrap_or_default()
    }

    /// In the order of the first round.
    pub(crate) fn libraries(&self) -> Vec<&str> {
        let mut all = Vec::new();
        for library in self.0.iter().filter_map(|run| run["library"].as_str()) {
            if !all.contains(&library) {
                all.push(library);
            }
        }
        all
    }

    pub(crate) fn cell(&self, library: &str, scenario: &str) -> Cell<'_> {
        let runs = self.0.iter();
        Cell(
            runs.filter(|run| run["library"] == library && run["scenario"] == scenario)
                .collect(),
        )
    }

    /// The first that a library has said of itself.
    pub(crate) fn said(&self, library: &str, key: &str) -> &str {
        let mut runs = self.0.iter().filter(|run| run["library"] == library);
        runs.find_map(|run| run[key].as_str()).unwrap_or("unknown")
    }
}

impl Cell<'_> {
    /// None if no run has one.
    pub(crate) fn spread(&self, figure: Figure) -> Option<Spread> {
        let key = match figure {
            Figure::Rate => "rate",
            Figure::P50 => "p50_us",
            Figure::P99 => "p99_us",
        };
        let mut values: Vec<f64> = self.0.iter().filter_map(|run| run[key].as_f64()).collect();
        values.sort_by(f64::total_cmp);
        let (lowest, highest) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        };
        Some(Spread {
            median,
            lowest,
            highest,
        })
    }

    pub(crate) fn runs(&self) -> usize {
        self.0.len()
    }

    /// How many jobs a run has.
    pub(crate) fn count(&self) -> Option<u64> {
        self.0.first()?["count"].as_u64()
    }

    pub(crate) fn note(&self) -> Option<&str> {
        self.0.iter().find_map(|run| run["note"].as_str())
    }

    /// Why runs failed: one reason for each.
    pub(crate) fn failures(&self) -> Vec<&str> {
        let failed = self.0.iter().filter_map(|run| run["failed"].as_str());
        failed.collect()
    }
}
