//! Many seeds: those first that have failed before; what fails is made smaller, and remembered.

use super::plan::{Part, Plan};
use super::play::{play, play_with_lines};
use greenlet::sim::Faults;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

/// A line for each seed that has ever failed: the seed, and what was wrong.
fn book() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/sim/seeds.txt")
}

pub(crate) fn known() -> Vec<u64> {
    let text = fs::read_to_string(book()).unwrap_or_default();
    let first = |line: &str| line.split_whitespace().next().and_then(|word| word.parse().ok());
    text.lines().filter_map(first).collect()
}

fn remember(seed: u64, what: &str) {
    if known().contains(&seed) {
        return;
    }
    let file = fs::OpenOptions::new().append(true).create(true).open(book());
    let line = format!("{seed} {}\n", what.lines().next().unwrap_or_default());
    // Where the sources cannot be written to, the message has to do.
    let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
}

/// The environment's number, or another.
pub(crate) fn number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")),
        Err(_) => default,
    }
}

/// Runs a plan; every so often twice, which must be the same.
pub(crate) fn check(seed: u64) -> Result<(), String> {
    let plan = Plan::new(seed);
    let report = play(&plan)?;
    let depends_on_threads = plan.parts.iter().any(|part| matches!(part, Part::Errands { .. }));
    if seed.is_multiple_of(100) && !depends_on_threads {
        let again = play(&plan)?;
        if again != report {
            return Err(format!("two runs of one seed: {} and {}", report.hash, again.hash));
        }
    }
    Ok(())
}

/// Runs `count` seeds from `first` on, on all processors, after those of the book. Panics with the first
/// that fails, made smaller.
pub(crate) fn run(first: u64, count: u64) {
    for seed in known() {
        if let Err(what) = check(seed) {
            report(seed, &what);
        }
    }
    let (next, stop) = (AtomicU64::new(first), AtomicBool::new(false));
    let failed = Mutex::new(None);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        return;
                    }
                    if let Err(what) = check(seed) {
                        stop.store(true, Ordering::Relaxed);
                        failed.lock().unwrap().get_or_insert((seed, what));
                    }
                }
            });
        }
    });
    if let Some((seed, what)) = failed.into_inner().unwrap() {
        remember(seed, &what);
        report(seed, &what);
    }
}

/// Says what is wrong with a seed, by the smallest plan that shows it.
fn report(seed: u64, what: &str) -> ! {
    let (plan, small) = shrunk(Plan::new(seed), what.to_owned());
    let lines = play_with_lines(&plan);
    let last = lines.len().saturating_sub(number("GREENLET_LINES", 60) as usize);
    panic!(
        "seed {seed}: {what}\nsmallest: {small}\n{plan:#?}\nthe end of it:\n{}",
        lines[last..].join("\n")
    );
}

/// The smallest plan that still fails, and how.
pub(crate) fn shrunk(mut plan: Plan, mut what: String) -> (Plan, String) {
    loop {
        let smaller = smaller(&plan).into_iter().find_map(|plan| Some((play(&plan).err()?, plan)));
        match smaller {
            Some((how, smaller)) => (what, plan) = (how, smaller),
            None => return (plan, what),
        }
    }
}

/// Plans with one thing less: a group of faults, a blow, a part.
fn smaller(plan: &Plan) -> Vec<Plan> {
    let mut plans = Vec::new();
    for part in (0..plan.parts.len()).filter(|_| plan.parts.len() > 1) {
        let mut less = plan.clone();
        less.parts.remove(part);
        less.blows.retain(|blow| blow.part != part);
        less.blows.iter_mut().filter(|blow| blow.part > part).for_each(|blow| blow.part -= 1);
        plans.push(less);
    }
    for blow in 0..plan.blows.len() {
        let mut less = plan.clone();
        less.blows.remove(blow);
        plans.push(less);
    }
    for (_, group) in Faults::NAMES.iter().filter(|(_, group)| plan.faults.has(*group)) {
        plans.push(Plan { faults: plan.faults.without(*group), ..plan.clone() });
    }
    for part in 0..plan.parts.len() {
        if let Some(smaller) = plan.parts[part].smaller() {
            let mut less = plan.clone();
            less.parts[part] = smaller;
            plans.push(less);
        }
    }
    plans
}
