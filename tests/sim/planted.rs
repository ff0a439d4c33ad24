//! Do the checker and the traces find what is there? Each bug that can be planted is found, in a child process, which it
//! may well crash; how many seeds that took is printed.
//!
//! ```text
//! RUSTFLAGS="--cfg planted" cargo test --release --features sim --test sim planted -- --nocapture
//! ```

use super::in_child::{self, this_test};
use super::{seeds, traces};
use greenlet::sim;

/// So many seeds have to be enough for each.
const MOST_SEEDS: u64 = 10_000;

/// So many have to be enough for the traces, of whatever primitive.
const TRACES: u64 = 400;

/// Bugs of order, which are for the traces: printed are the primitives, each with its first seed.
const OF_ORDER: [&str; 3] = ["newest first", "keep the turn", "overtake"];

fn look_for(bug: &str) {
    sim::plant(bug);
    if OF_ORDER.contains(&bug) {
        let found = traces::first_failures(TRACES);
        assert!(!found.is_empty(), "not found in {TRACES} seeds");
        return println!("found: {}", found.join(", "));
    }
    for seed in 0..MOST_SEEDS {
        println!("at seed {seed}");
        if let Err(what) = seeds::check(seed) {
            println!("found: {}", what.lines().next().unwrap_or_default());
            return;
        }
    }
    panic!("not found in {MOST_SEEDS} seeds");
}

#[test]
fn every_planted_bug_is_found() {
    let names = sim::plant("");
    assert!(names.len() >= 8 && OF_ORDER.iter().all(|name| names.contains(name)));
    let cases: Vec<in_child::Case<'_>> =
        names.iter().map(|name| (*name, look_for as fn(&str))).collect();
    in_child::cases_in_children(this_test!(), &cases, |name, outcome| {
        let text = outcome.stdout();
        let seeds = text.lines().filter(|line| line.starts_with("at seed")).count();
        let how = text.lines().find_map(|line| line.strip_prefix("found: "));
        let seeds = if seeds == 0 { String::new() } else { format!("{seeds} seeds ") };
        println!("{name}: {seeds}({})", how.unwrap_or("the hub ended the process"));
        // What stands still for ever is ended by the hub, with a line that says so.
        let aborted = outcome.signal() == Some(libc::SIGABRT);
        assert!(how.is_some() || aborted, "{name} was not found\n{outcome}");
    });
}
