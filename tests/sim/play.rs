//! Runs a plan in its world, and says what was wrong.
//!
//! What must hold, whatever the world does: every operation ends once, at its waiter, and leaves its memory
//! alone after that; no closed number is used; nothing comes early; nobody is passed over for ever; a
//! stream carries an exact beginning of what was sent; who was killed and waited for has ended; when
//! faults cease, everything ends; and then nothing is left.

use super::ledger::{Ledger, Played, millis};
use super::plan::{Blow, Plan};
use super::{crew, errands, goods, locks, naps, post, reuse, serve, talk};
use greenlet::sim::{self, Report, Sim};
use greenlet::{Config, JoinHandle, sleep, spawn};
use std::rc::Rc;

/// When faults cease.
const CALM_AFTER_MS: u64 = 20_000;
/// So long after that everything has ended: there are naps of many days.
const LAST_MS: u64 = 400 * 86_400_000;

/// What has happened, or the first thing that was wrong.
pub(crate) fn play(plan: &Plan) -> Result<Report, String> {
    run(plan, false).map_err(|(what, _)| what)
}

/// The same with a line for everything that has happened.
pub(crate) fn play_with_lines(plan: &Plan) -> Vec<String> {
    match run(plan, true) {
        Ok(report) => report.lines,
        Err((_, lines)) => lines,
    }
}

type Lines = Vec<String>;

fn run(plan: &Plan, keeps_lines: bool) -> Result<Report, (String, Lines)> {
    let mut world = Sim::new(plan.seed).faults(plan.faults);
    // Rounds of all lengths.
    world = world.config(Config::new().round(1 << (plan.seed % 7)));
    if keeps_lines {
        world = world.keep_lines();
    }
    let (wrong, report) = match world.try_run(|| act(plan)) {
        Ok(done) => done,
        Err(failure) => {
            let lines = failure.report().map(|report| report.lines.clone()).unwrap_or_default();
            return Err((failure.message().to_owned(), lines));
        }
    };
    let left = (report.open_descriptors, report.in_flight, report.greenlets);
    match wrong.is_empty() {
        false => Err((wrong.join("; "), report.lines)),
        true if left != (0, 0, 0) => {
            Err((format!("descriptors, operations, greenlets are left: {left:?}"), report.lines))
        }
        true => Ok(report),
    }
}

fn act(plan: &Plan) -> Vec<String> {
    let ledger = Ledger::default();
    let mut played: Vec<(usize, Played)> = Vec::new();
    for (number, part) in plan.parts.iter().enumerate() {
        let is_calm = plan.is_calm(number);
        let one = talk::play(part, number, is_calm, &ledger)
            .or_else(|| serve::play(part, number, is_calm, &ledger))
            .or_else(|| post::play(part, number, is_calm, &ledger))
            .or_else(|| naps::play(part, number, is_calm, &ledger))
            .or_else(|| goods::play(part, number, is_calm, &ledger))
            .or_else(|| locks::play(part, number, is_calm, &ledger))
            .or_else(|| crew::play(part, number, is_calm, &ledger))
            .or_else(|| reuse::play(part, number, is_calm, &ledger))
            .or_else(|| errands::play(part, number, is_calm, &ledger));
        played.extend(one.map(|one| (number, one)));
    }
    let blows: Vec<JoinHandle<()>> =
        plan.blows.iter().filter_map(|blow| strike(blow, &played, &ledger)).collect();
    sleep(millis(CALM_AFTER_MS));
    sim::calm();
    for blow in blows {
        let ended = blow.wait_timeout(millis(LAST_MS));
        ledger.check(ended, || "a kill does not end".to_owned());
    }
    // Whoever was to close something may have been killed.
    sleep(millis(CALM_AFTER_MS));
    for (number, one) in &played {
        one.close.iter().filter(|_| plan.is_hit(*number)).for_each(|close| close());
    }
    for (number, one) in &played {
        for (which, task) in one.tasks.iter().enumerate() {
            if !task.wait_timeout(millis(LAST_MS)) {
                ledger.check(false, || format!("task {which} of part {number} does not end"));
            } else if let Some(text) = task.payload_as_str() {
                ledger.check(false, || format!("task {which} of part {number}: {text}"));
            }
        }
    }
    if ledger.wrong().is_empty() {
        for (_, one) in played {
            drop(one.close);
            // Taken, so that nobody reports what was thrown at them.
            for task in one.tasks {
                let _ = Rc::try_unwrap(task).map(JoinHandle::join);
            }
            (one.finish)(&ledger);
        }
    }
    ledger.wrong()
}

/// Something happens to a part, in its time.
fn strike(blow: &Blow, played: &[(usize, Played)], ledger: &Ledger) -> Option<JoinHandle<()>> {
    let (_, part) = played.iter().find(|(number, _)| *number == blow.part)?;
    let task = part.tasks.get(blow.which % part.tasks.len())?.clone();
    let (at, kind, ledger) = (millis(blow.at_ms), blow.kind, ledger.clone());
    let close: Option<Rc<dyn Fn()>> = part.close.clone();
    Some(spawn(move || {
        sleep(at);
        match (kind, close) {
            (0, Some(close)) => close(),
            (1, _) => {
                task.kill();
                ledger.check(task.is_finished(), || "killed, and goes on".to_owned());
            }
            (2, _) => task.kill_soon(),
            _ => task.kill_soon_with(Reason),
        }
    }))
}

/// What is thrown at some of them.
struct Reason;
