//! Does the checker find what is there? Each bug that can be planted is found, in a child process, which it
//! may well crash; how many seeds that took is printed.
//!
//! ```text
//! RUSTFLAGS="--cfg planted" cargo test --release --features sim --test sim planted -- --nocapture
//! ```

use super::in_child::{self, this_test};
use super::seeds;
use greenlet::sim;

/// So many seeds have to be enough for each.
const MOST_SEEDS: u64 = 10_000;

fn look_for(bug: &str) {
    sim::plant(bug);
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
    assert!(names.len() >= 8);
    let cases: Vec<in_child::Case<'_>> =
        names.iter().map(|name| (*name, look_for as fn(&str))).collect();
    in_child::cases_in_children(this_test!(), &cases, |name, outcome| {
        let text = outcome.stdout();
        let seeds = text.lines().filter(|line| line.starts_with("at seed")).count();
        let how = text.lines().find_map(|line| line.strip_prefix("found: "));
        println!("{name}: {seeds} seeds ({})", how.unwrap_or("the hub ended the process"));
        // What stands still for ever is ended by the hub, with a line that says so.
        let aborted = outcome.signal() == Some(libc::SIGABRT);
        assert!(how.is_some() || aborted, "{name} was not found\n{outcome}");
    });
}
