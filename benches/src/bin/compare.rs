//! Asks every question once, peers interleaved, and prints one table.

#[allow(dead_code, reason = "its own main is not run here")]
#[path = "../../../examples/million.rs"]
mod million;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Parser;
use greenlet_benches::machine;
use greenlet_benches::measure::interleaved;
use greenlet_benches::questions::{self, Outside};
use greenlet_benches::report::{self, Answer};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

/// The same work on every peer: one table with ratios, bars and verdicts.
#[derive(Parser)]
struct Options {
    /// About 15 seconds: fewer and shorter rounds
    #[arg(long)]
    quick: bool,
    /// Only questions whose name (as ring/100) contains this
    #[arg(long, value_name = "SUBSTRING")]
    filter: Option<String>,
    /// Write everything that was measured to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The CPU to measure on (default: the last one allowed)
    #[arg(long)]
    cpu: Option<usize>,
    /// Rounds per question
    #[arg(long, value_parser = clap::value_parser!(u16).range(5..=1000))]
    rounds: Option<u16>,
}

const LEGEND: &str = "\
ns: median of the rounds, per operation (round trip, creation, throw; in `direct` one switch). ratio: to
the base (corosensei; in `checks` the bare switch), median of the ratios of each round, with the
order-statistic interval. A bar holds when that median keeps it; ~ marks a bar inside the interval.
Equal stacks for all but generator, python and go: 64 KiB + 64 KiB guard, 128 KiB apart, tops staggered
by 32 x 64 B, reused last in first out. corosensei and generator have no direct switch (corosensei's
row goes through the resumer) and no throw (their rows pass an error and raise it by hand).";

fn main() {
    let options = Options::parse();
    let began = Instant::now();
    let cpu = match options.cpu {
        Some(cpu) => match machine::pin(cpu) {
            Ok(()) => cpu,
            Err(error) => fail(&format!("CPU {cpu}: {error}")),
        },
        None => machine::pin_to_last(),
    };
    let environment = machine::environment(cpu);
    for (name, value) in &environment {
        println!("{name:14} {value}");
    }

    if cfg!(debug_assertions) {
        println!("{:14} not a release build: the figures mean nothing", "WARNING");
    }

    let filter = options.filter.as_deref().unwrap_or("");
    let questions: Vec<_> =
        questions::all().into_iter().filter(|question| question.name().contains(filter)).collect();
    let memory = if options.quick { 100_000 } else { 1_000_000 };
    let memory = Some(memory).filter(|count| format!("memory/{count}").contains(filter));
    if questions.is_empty() && memory.is_none() {
        let names: Vec<String> = questions::all().iter().map(|question| question.name()).collect();
        fail(&format!("no question contains {filter:?}; there are {}, memory", names.join(", ")));
    }
    let (rounds, slice) = if options.quick { (15, 2) } else { (41, 4) };
    let rounds = options.rounds.map_or(rounds, usize::from);
    let answers = ask(&questions, rounds, Duration::from_millis(slice));

    if !answers.is_empty() {
        println!("\n{}\n{LEGEND}", report::table(&answers));
    }
    let memory = memory.and_then(measure_memory);

    let rows = answers.iter().flat_map(|answer| &answer.rows);
    let mut verdicts: Vec<bool> =
        rows.filter_map(|row| Some(row.verdict.as_ref()?.holds())).collect();
    let bars = memory.iter().flat_map(million::Report::bars);
    verdicts.extend(bars.map(|(_, figure, limit)| figure <= limit));
    let missed = verdicts.iter().filter(|holds| !**holds).count();
    println!("\n{} of {} bars hold, {missed} missed", verdicts.len() - missed, verdicts.len());
    println!("{rounds} rounds, {:.0} s", began.elapsed().as_secs_f64());

    if let Some(path) = options.json {
        let mut json = report::json(&environment, rounds, &answers);
        json["memory"] = memory.map_or(Value::Null, |report| memory_json(&report));
        if let Err(error) = std::fs::write(&path, format!("{json:#}\n")) {
            fail(&format!("{}: {error}", path.display()));
        }
    }
}

/// Prints what so many suspended greenlets cost, or why that is not known.
fn measure_memory(asked: usize) -> Option<million::Report> {
    let (count, why) = million::affordable(asked);
    if let Some(why) = why {
        println!("\nmemory/{asked}: {count} instead, {why}");
    }
    match million::measure(count) {
        Ok(report) => {
            println!("\nmemory/{asked}: {report}");
            Some(report)
        }
        Err(why) => {
            println!("\nmemory/{asked}: not measured, {why}");
            None
        }
    }
}

fn memory_json(report: &million::Report) -> Value {
    let bars = report.bars();
    let bars =
        bars.map(|(name, figure, limit)| json!({ "name": name, "figure": figure, "limit": limit }));
    json!({ "count": report.count, "creation_ns": report.own.ns, "bars": bars })
}

fn ask(questions: &[questions::Question], rounds: usize, slice: Duration) -> Vec<Answer> {
    const ROWS_GUESSED: u64 = 8;
    let rounds_total = rounds as u64;
    let bar = ProgressBar::new(questions.len() as u64 * ROWS_GUESSED * rounds_total);
    let style = "{bar:40} {percent:>3} % {elapsed} {msg}";
    bar.set_style(ProgressStyle::with_template(style).expect("the template is well formed"));

    let outside = Outside::start();
    let mut answers = Vec::new();
    for question in questions {
        bar.set_message(question.name());
        let mut cases = question.cases(&outside);
        bar.set_length(
            bar.length().unwrap_or(0) + cases.len() as u64 * rounds_total
                - ROWS_GUESSED * rounds_total,
        );
        if cases.is_empty() {
            continue;
        }
        let samples = interleaved(&mut cases, rounds, slice, || bar.inc(1));
        answers.push(Answer::new(question, &cases, &samples));
    }
    bar.finish_and_clear();
    answers
}

fn fail(why: &str) -> ! {
    eprintln!("compare: {why}");
    std::process::exit(2)
}
