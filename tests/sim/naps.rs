//! Sleeps and limits: never early, and the right one.

use super::ledger::{Ledger, Played, millis, task};
use super::plan::Part;
use greenlet::{Timeout, shield, sim, sleep, spawn_later, timeout, yield_now};
use std::time::Duration;

/// Runs `f`, which must take at least `least`, and exactly that where nothing goes wrong but the order.
fn takes(ledger: &Ledger, what: &str, least: Duration, f: impl FnOnce()) {
    let began = sim::elapsed();
    f();
    let took = sim::elapsed() - began;
    ledger.check(took >= least, || format!("{what} of {least:?} took {took:?}"));
}

/// Others run between two turns of one who yields; but not for ever.
const MOST_STEPS: u64 = 5_000;

pub(crate) fn play(part: &Part, _: usize, _: bool, ledger: &Ledger) -> Option<Played> {
    let Part::Naps { lengths_ms, kind } = part.clone() else { return None };
    let tasks = lengths_ms
        .into_iter()
        .map(|ms| {
            let (length, ledger) = (millis(ms), ledger.clone());
            task(move || match kind {
                0 => takes(&ledger, "a sleep", length, || sleep(length)),
                1 => takes(&ledger, "a limit", length, || {
                    let result = timeout(length, || sleep(length + millis(1 << 40)));
                    ledger.check(result.is_err(), || format!("a limit of {length:?} never came"));
                }),
                2 => {
                    // The outer limit comes first, and the inner one must not take it for its own: unless
                    // the clock has jumped beyond both.
                    let inner = length * 2 + millis(1);
                    takes(&ledger, "an outer limit", length, || {
                        let began = sim::elapsed();
                        let _ = timeout(length, || {
                            let result = timeout(inner, || sleep(inner * 2));
                            let took = sim::elapsed() - began;
                            let least = if result.is_ok() { inner * 2 } else { inner };
                            let fair = took >= least;
                            ledger
                                .check(fair, || format!("{result:?} of {inner:?} after {took:?}"));
                        });
                    });
                }
                5 => {
                    // Two of one length, of which the outer one comes first.
                    let _ = timeout(length, || {
                        sleep(length / 2);
                        let began = sim::elapsed();
                        let result = timeout(length, || sleep(length * 2));
                        let took = sim::elapsed() - began;
                        ledger.check(took >= length, || format!("{result:?} after {took:?}"));
                    });
                }
                3 => {
                    let limit = Timeout::start(length);
                    takes(&ledger, "a shield", length * 2, || shield(|| sleep(length * 2)));
                    let result = limit.catch(|| sleep(millis(1 << 40)));
                    ledger.check(result.is_err(), || "a limit was lost in a shield".to_owned());
                }
                _ => {
                    let began = sim::elapsed();
                    let later = spawn_later(length, move || sim::elapsed() - began);
                    for _ in 0..20 {
                        let before = ledger.step();
                        yield_now();
                        let others = ledger.step() - before;
                        ledger.check(others < MOST_STEPS, || format!("{others} steps in a yield"));
                    }
                    match later.join() {
                        Ok(after) => ledger.check(after >= length, || {
                            format!("begun after {after:?}, {length:?} were wanted")
                        }),
                        Err(error) => ledger.check(false, || format!("later: {error}")),
                    }
                }
            })
        })
        .collect();
    Some(Played { tasks, close: None, finish: Box::new(|_| ()) })
}
