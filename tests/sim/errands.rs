//! Calls on other threads: their results come, and the world's clock waits for them.

use super::ledger::{Ledger, Played, task};
use super::plan::Part;
use greenlet::{offload, sim};
use std::time::Duration;

/// Without a wake the hub would sleep until its next deadline.
const LONGEST: Duration = Duration::from_secs(15);

pub(crate) fn play(part: &Part, _: usize, _: bool, ledger: &Ledger) -> Option<Played> {
    let Part::Errands { count } = *part else { return None };
    let ledger = ledger.clone();
    let caller = task(move || {
        for number in 0..count {
            let began = sim::elapsed();
            let answer = offload(move || {
                std::thread::yield_now();
                number * 7
            });
            let took = sim::elapsed() - began;
            ledger.check(answer == number * 7, || format!("errand {number} brought {answer}"));
            ledger.check(took < LONGEST, || format!("nobody was told of an errand for {took:?}"));
        }
    });
    Some(Played { tasks: vec![caller], close: None, finish: Box::new(|_| ()) })
}
