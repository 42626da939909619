//! The chart: a panel for each figure, and in it a bar for each library on a logarithmic axis. It has its own
//! background, light or dark as the reader's system is, so that it is readable on a page of either kind.

use std::fmt::Write;

use crate::runs::{Figure, Runs};
use crate::text::rounded;

struct Panel {
    title: &'static str,
    better: &'static str,
    scenario: &'static str,
    figure: Figure,
}

const PANELS: [Panel; 6] = [
    Panel {
        title: "Enqueue, one task",
        better: RATE,
        scenario: "one",
        figure: Figure::Rate,
    },
    Panel {
        title: "Enqueue, 64 tasks",
        better: RATE,
        scenario: "tasks64",
        figure: Figure::Rate,
    },
    Panel {
        title: "Enqueue, batches of 1,000",
        better: RATE,
        scenario: "batch",
        figure: Figure::Rate,
    },
    Panel {
        title: "Execute",
        better: RATE,
        scenario: "drain",
        figure: Figure::Rate,
    },
    Panel {
        title: "Start, same process",
        better: TIME,
        scenario: "start",
        figure: Figure::P50,
    },
    Panel {
        title: "Start, other process",
        better: TIME,
        scenario: "start-other",
        figure: Figure::P50,
    },
];
const RATE: &str = "jobs/s, more is better";
const TIME: &str = "p50 in µs, less is better";

const COLUMNS: usize = 2;
const WIDTH: f64 = 440.0;
const NAMES: f64 = 104.0;
/// For the number behind the longest bar.
const NUMBERS: f64 = 72.0;
const BARS: f64 = WIDTH - NAMES - NUMBERS;
const HEAD: f64 = 46.0;
const BAR: f64 = 22.0;
const FOOT: f64 = 34.0;

const STYLE: &str = "
    text { font: 13px system-ui, sans-serif; fill: #24292f; }
    .title { font-weight: 600; }
    .soft { font-size: 11px; fill: #57606a; }
    .page { fill: #ffffff; }
    .grid { stroke: #d0d7de; }
    .bar { fill: #8c959f; }
    .own { fill: #0969da; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .soft { fill: #9198a1; }
      .page { fill: #0d1117; }
      .grid { stroke: #30363d; }
      .bar { fill: #6e7681; }
      .own { fill: #4493f8; }
    }
";

pub(crate) fn chart(runs: &Runs) -> String {
    let libraries = runs.libraries();
    let height = HEAD + BAR * libraries.len() as f64 + FOOT;
    let (all_width, all_height) = (
        WIDTH * COLUMNS as f64 + 16.0,
        height * PANELS.len().div_ceil(COLUMNS) as f64,
    );
    let mut svg = Svg(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {all_width} {all_height}\" role=\"img\" \
         aria-label=\"Medians of all libraries and scenarios; the tables have the numbers\">\n\
         <style>{STYLE}</style>\n<rect class=\"page\" width=\"100%\" height=\"100%\" rx=\"6\"/>\n"
    ));
    for (at, panel) in PANELS.iter().enumerate() {
        let x = WIDTH * (at % COLUMNS) as f64 + 16.0;
        let y = height * (at / COLUMNS) as f64;
        svg.panel(panel, runs, &libraries, x, y);
    }
    svg.0.push_str("</svg>\n");
    svg.0
}

struct Svg(String);

impl Svg {
    fn panel(&mut self, panel: &Panel, runs: &Runs, libraries: &[&str], x: f64, y: f64) {
        let medians: Vec<_> = libraries
            .iter()
            .map(|library| runs.cell(library, panel.scenario))
            .map(|cell| {
                cell.spread(panel.figure)
                    .map(|spread| spread.median)
                    .ok_or(cell)
            })
            .collect();
        let axis = Axis::of(medians.iter().flatten().copied());
        self.text("title", x, y + 22.0, "start", panel.title);
        let end = x + NAMES + BARS;
        self.text("soft", end, y + 22.0, "end", panel.better);
        let bottom = y + HEAD + BAR * libraries.len() as f64;
        for decade in axis.lowest..=axis.highest {
            let at = x + NAMES + axis.length(10_f64.powi(decade));
            self.add(format_args!(
                "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{:.1}\" y2=\"{bottom:.1}\"/>",
                y + HEAD - 8.0
            ));
            self.text("soft", at, bottom + 14.0, "middle", &power(decade));
        }
        for (at, (library, median)) in libraries.iter().zip(medians).enumerate() {
            let middle = y + HEAD + BAR * (at as f64 + 0.5);
            self.text("", x + NAMES - 8.0, middle + 4.0, "end", library);
            match median {
                Ok(median) => self.bar(library, x + NAMES, middle, axis.length(median), median),
                Err(cell) => {
                    let failed = !cell.failures().is_empty();
                    let why = if failed { "failed" } else { "not possible" };
                    self.text("soft", x + NAMES + 6.0, middle + 4.0, "start", why);
                }
            }
        }
    }

    fn bar(&mut self, library: &str, x: f64, middle: f64, length: f64, value: f64) {
        let class = if library == "afterhours" {
            "bar own"
        } else {
            "bar"
        };
        self.add(format_args!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{length:.1}\" height=\"14\" rx=\"2\"/>",
            middle - 7.0
        ));
        self.text("", x + length + 6.0, middle + 4.0, "start", &rounded(value));
    }

    fn text(&mut self, class: &str, x: f64, y: f64, anchor: &str, text: &str) {
        self.add(format_args!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
        ));
    }

    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        // A `String` takes all that is written.
        let _ = writeln!(self.0, "{element}");
    }
}

/// From one power of ten to another.
struct Axis {
    lowest: i32,
    highest: i32,
}

impl Axis {
    fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let least = values.clone().fold(f64::INFINITY, f64::min);
        let most = values.fold(f64::NEG_INFINITY, f64::max);
        if !(least.is_finite() && most.is_finite() && least > 0.0) {
            return Self {
                lowest: 0,
                highest: 1,
            };
        }
        // The shortest bar is to be seen too.
        let lowest = (least.log10() - 0.2).floor() as i32;
        Self {
            lowest,
            highest: (most.log10().ceil() as i32).max(lowest + 1),
        }
    }

    fn length(&self, value: f64) -> f64 {
        let decades = f64::from(self.highest - self.lowest);
        BARS * (value.log10() - f64::from(self.lowest)) / decades
    }
}

fn power(decade: i32) -> String {
    match decade {
        0..3 => 10_f64.powi(decade).to_string(),
        3..6 => format!("{}k", 10_f64.powi(decade - 3)),
        6.. => format!("{}M", 10_f64.powi(decade - 6)),
        _ => format!("1e{decade}"),
    }
}
