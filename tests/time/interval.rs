//! `interval` and `sleep_until`. Real time has no upper bounds here; `tests/sim/ticks.rs` has exact times.

use super::{LONG, SHORT};
use greenlet::{GreenletExit, interval, sleep, sleep_until, spawn, timeout, yield_now};
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

#[test]
fn the_first_tick_comes_at_once_and_none_is_early() {
    let began = Instant::now();
    let mut ticks = interval(SHORT);
    let mut told = ticks.tick();
    for _ in 0..5 {
        told += ticks.tick();
        assert!(began.elapsed() >= SHORT * u32::try_from(told - 1).unwrap());
    }
    assert_eq!(ticks.period(), SHORT);
}

#[test]
fn a_tick_that_is_due_lets_the_others_run_once() {
    let mut ticks = interval(LONG);
    let ran = Rc::new(Cell::new(false));
    let other = spawn({
        let ran = ran.clone();
        move || ran.set(true)
    });
    assert_eq!((ticks.tick(), ran.get()), (1, true));
    other.join().unwrap();
}

#[test]
fn an_interrupted_tick_is_not_lost() {
    let mut ticks = interval(SHORT);
    ticks.tick();
    let mut far = interval(LONG);
    far.tick();
    assert!(timeout(SHORT, || far.tick()).is_err());
    let task = spawn(move || far.tick());
    yield_now();
    task.kill_with(GreenletExit);
    assert!(task.join().unwrap_err().is_killed());
    let began = Instant::now();
    while began.elapsed() < 4 * SHORT {
        let _ = timeout(Duration::ZERO, || sleep(SHORT));
    }
    let missed = ticks.tick();
    assert!(missed >= 4, "{missed}");
}

#[test]
#[should_panic(expected = "an interval of 0ns")]
fn an_interval_of_nothing_is_refused() {
    interval(Duration::ZERO);
}

#[test]
fn a_moment_that_has_passed_is_a_turn_for_the_others() {
    let other = spawn(|| ());
    sleep_until(Instant::now());
    assert!(other.is_finished());
    let moment = Instant::now() + SHORT;
    sleep_until(moment);
    assert!(Instant::now() >= moment);
}
