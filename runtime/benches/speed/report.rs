//! What was measured, round by round, as a table or as JSON.

use afterhours::Result;
use serde_json::{Value, json};

use crate::machine;

/// What a figure should reach.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    /// So much of the raw reference in the same round, or more.
    Ratio(f64),
    /// The value itself, or less.
    AtMost(f64),
}

/// All figures of all rounds, in the order in which they first came.
#[derive(Default)]
pub(crate) struct Report(Vec<Line>);

struct Line {
    name: String,
    unit: &'static str,
    values: Vec<f64>,
    /// Of the reference that was measured in the same round.
    ratios: Vec<f64>,
    goal: Option<Goal>,
}

impl Report {
    /// A figure with nothing to compare it to.
    pub(crate) fn value(&mut self, name: impl Into<String>, unit: &'static str, value: f64) {
        self.line(name.into(), unit, None).values.push(value);
    }

    /// A figure that should not be larger than `most`.
    pub(crate) fn at_most(
        &mut self,
        name: impl Into<String>,
        unit: &'static str,
        value: f64,
        most: f64,
    ) {
        let line = self.line(name.into(), unit, Some(Goal::AtMost(most)));
        line.values.push(value);
    }

    /// A rate that should be at least `goal` times the reference's.
    pub(crate) fn ratio(&mut self, name: impl Into<String>, rate: f64, reference: f64, goal: f64) {
        let line = self.line(name.into(), "/s", Some(Goal::Ratio(goal)));
        line.values.push(rate);
        line.ratios.push(rate / reference);
    }

    /// How long something took: the median, two high percentiles and the longest. In microseconds.
    pub(crate) fn times(&mut self, name: &str, times: &mut [f64], most: Option<(Percentile, f64)>) {
        times.sort_by(f64::total_cmp);
        for percentile in Percentile::ALL {
            let (name, value) = (
                format!("{name}, {}", percentile.name()),
                percentile.of(times),
            );
            match most.filter(|(meant, _)| *meant == percentile) {
                Some((_, most)) => self.at_most(name, "us", value, most),
                None => self.value(name, "us", value),
            }
        }
    }

    fn line(&mut self, name: String, unit: &'static str, goal: Option<Goal>) -> &mut Line {
        let at = self.0.iter().position(|line| line.name == name);
        let at = at.unwrap_or_else(|| {
            self.0.push(Line {
                name,
                unit,
                values: Vec::new(),
                ratios: Vec::new(),
                goal,
            });
            self.0.len() - 1
        });
        &mut self.0[at]
    }

    pub(crate) fn print(&self, as_json: bool) -> Result {
        let machine = machine::facts()?;
        if as_json {
            let lines: Vec<Value> = self.0.iter().map(Line::json).collect();
            let all = json!({ "machine": machine, "lines": lines });
            println!("{}", serde_json::to_string_pretty(&all)?);
            return Ok(());
        }
        for (name, fact) in &machine {
            println!("{name}: {}", fact.as_str().unwrap_or_default());
        }
        println!(
            "\n{:<58} {:>12} {:>25} {:>7}  goal",
            "medians", "", "lowest .. highest", "of raw"
        );
        for line in &self.0 {
            line.print();
        }
        Ok(())
    }
}

impl Line {
    fn is_met(&self) -> Option<bool> {
        match self.goal? {
            Goal::Ratio(least) => Some(median(&self.ratios) >= least),
            Goal::AtMost(most) => Some(median(&self.values) <= most),
        }
    }

    fn print(&self) {
        let (lowest, highest) = range(&self.values);
        let value = format!("{} {}", short(median(&self.values)), self.unit);
        let range = format!("{} .. {}", short(lowest), short(highest));
        print!("{:<58} {value:>12} {range:>25}", self.name);
        let met = match self.is_met() {
            Some(true) => "met",
            Some(false) => "NOT MET",
            None => return println!(),
        };
        match self.goal {
            Some(Goal::Ratio(least)) => {
                println!(" {:>7.2}  {least} {met}", median(&self.ratios));
            }
            Some(Goal::AtMost(most)) => println!(" {:>7}  <= {} {met}", "", short(most)),
            None => println!(),
        }
    }

    fn json(&self) -> Value {
        let goal = match self.goal {
            Some(Goal::Ratio(least)) => json!({ "ratio": least }),
            Some(Goal::AtMost(most)) => json!({ "at_most": most }),
            None => Value::Null,
        };
        json!({
            "name": self.name,
            "unit": self.unit,
            "values": self.values,
            "ratios": self.ratios,
            "goal": goal,
            "met": self.is_met(),
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Percentile {
    P50,
    P95,
    P99,
    Max,
}

impl Percentile {
    const ALL: [Self; 4] = [Self::P50, Self::P95, Self::P99, Self::Max];

    fn name(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::Max => "max",
        }
    }

    /// Of sorted times.
    pub(crate) fn of(self, times: &[f64]) -> f64 {
        let percent = match self {
            Self::P50 => 50,
            Self::P95 => 95,
            Self::P99 => 99,
            Self::Max => 100,
        };
        let last = times.len().saturating_sub(1);
        times
            .get((last * percent).div_ceil(100))
            .copied()
            .unwrap_or(f64::NAN)
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    Percentile::P50.of(&sorted)
}

fn range(values: &[f64]) -> (f64, f64) {
    let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (lowest, highest)
}

/// Three figures that say something.
fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 1e6 => format!("{:.2}M", value / 1e6),
        size if size >= 1e4 => format!("{:.0}k", value / 1e3),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 1.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}
