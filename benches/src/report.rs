//! From samples to the table and to JSON.

use serde_json::{Value, json};

use crate::bars::{self, Bar, Limit};
use crate::measure::{Case, Samples};
use crate::questions::Question;
use crate::stats::Median;

/// One row of the table.
pub struct Row {
    pub peer: String,
    pub ns: Median,
    pub min: f64,
    /// To the base row: the median of the ratios of each round.
    pub ratio: Median,
    pub verdict: Option<Verdict>,
}

/// How a row stands to its bar.
pub struct Verdict {
    bar: &'static Bar,
    /// What the bar speaks of, in its own unit.
    figure: Median,
}

impl Verdict {
    fn limit(&self) -> f64 {
        match self.bar.limit {
            Limit::Ratio(limit) | Limit::MoreEachWay(limit) | Limit::Ns(limit) => limit,
        }
    }

    /// The median keeps the bar.
    pub fn holds(&self) -> bool {
        self.figure.median <= self.limit()
    }

    /// The interval lies on both sides of the bar.
    pub fn is_close(&self) -> bool {
        self.figure.low <= self.limit() && self.limit() < self.figure.high
    }

    fn text(&self) -> String {
        let word = if self.holds() { "holds" } else { "MISSED" };
        let close = if self.is_close() { " ~" } else { "" };
        format!("{word}{close}")
    }

    fn bar_text(&self) -> String {
        match self.bar.limit {
            Limit::Ratio(limit) => format!("≤ {limit:.2}"),
            Limit::MoreEachWay(limit) => {
                let figure = self.figure.median;
                format!("{figure:+.2} of ≤ {limit} ns")
            }
            Limit::Ns(limit) => format!("≤ {limit} ns"),
        }
    }
}

fn of_rounds(values: impl Iterator<Item = f64>) -> Median {
    Median::of(values).expect("there is at least one round")
}

/// The answers to one question.
pub struct Answer {
    pub name: String,
    pub text: &'static str,
    pub base: &'static str,
    pub rows: Vec<Row>,
}

impl Answer {
    /// `samples` as measured for `cases`; the first case is the base.
    pub fn new(question: &Question, cases: &[Case], samples: &Samples) -> Answer {
        let name = question.name();
        let base = &samples[0];
        let against_base = |own: &[f64], compare: fn(f64, f64) -> f64| {
            of_rounds(own.iter().zip(base).map(|(&own, &base)| compare(own, base)))
        };
        let rows = cases.iter().zip(samples).map(|(case, own)| {
            let ns = of_rounds(own.iter().copied());
            let ratio = against_base(own, |own, base| own / base);
            let verdict = bars::find(&name, &case.peer).map(|bar| Verdict {
                bar,
                figure: match bar.limit {
                    Limit::Ratio(_) => ratio,
                    Limit::MoreEachWay(_) => against_base(own, |own, base| (own - base) / 2.0),
                    Limit::Ns(_) => ns,
                },
            });
            let min = own.iter().copied().fold(f64::INFINITY, f64::min);
            Row { peer: case.peer.clone(), ns, min, ratio, verdict }
        });
        let rows = rows.collect();
        Answer { name, text: question.text, base: question.base, rows }
    }

    fn json(&self) -> Value {
        let row = |row: &Row| {
            let verdict = row.verdict.as_ref().map(|verdict| {
                json!({
                    "bar": verdict.bar_text(),
                    "limit": verdict.limit(),
                    "stretch": verdict.bar.stretch,
                    "figure": interval(&verdict.figure),
                    "holds": verdict.holds(),
                })
            });
            json!({
                "peer": row.peer,
                "ns": interval(&row.ns),
                "min_ns": row.min,
                "ratio": interval(&row.ratio),
                "verdict": verdict,
            })
        };
        let rows: Vec<Value> = self.rows.iter().map(row).collect();
        json!({ "question": self.name, "what": self.text, "base": self.base, "rows": rows })
    }
}

fn interval(median: &Median) -> Value {
    json!({ "median": median.median, "low": median.low, "high": median.high })
}

/// Everything, for programs.
pub fn json(environment: &[(&str, String)], rounds: usize, answers: &[Answer]) -> Value {
    let environment: serde_json::Map<String, Value> =
        environment.iter().map(|(name, value)| ((*name).into(), json!(value))).collect();
    let answers: Vec<Value> = answers.iter().map(Answer::json).collect();
    json!({ "environment": environment, "rounds": rounds, "questions": answers })
}

/// Everything, for readers: a block of rows under each question.
pub fn table(answers: &[Answer]) -> String {
    let peers = answers.iter().flat_map(|answer| &answer.rows).map(|row| row.peer.chars().count());
    let width = peers.max().unwrap_or(0);
    let mut text = format!(
        "{:width$}  {:>8}  {:>7}  {:17}  {:10}  {:17}  {}\n",
        "", "ns", "ratio", " 95 % interval", "", "bar", "stretch"
    );
    for answer in answers {
        text += &format!("\n{}: {}\n", answer.name, answer.text);
        for row in &answer.rows {
            text += &line(answer, row, width);
        }
    }
    text
}

fn line(answer: &Answer, row: &Row, width: usize) -> String {
    let mut line = format!("  {:width$}{:>8}", row.peer, figure(row.ns.median));
    let Median { median, low, high } = row.ratio;
    if row.peer == answer.base {
        line += "        1";
    } else {
        line += &format!("  {:>7}  {:>7} .. {:7}", figure(median), figure(low), figure(high));
    }
    if let Some(verdict) = &row.verdict {
        line = format!("{line:<0$}{1:10}  {2:17}", width + 40, verdict.text(), verdict.bar_text());
        if let Some(stretch) = verdict.bar.stretch {
            line += &format!("  ≤ {stretch:.2}");
        }
    }
    line.truncate(line.trim_end().len());
    line + "\n"
}

/// Three digits that say something.
fn figure(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
