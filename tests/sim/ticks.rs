//! The ticks of an interval, by the world's clock.

use greenlet::sim::Sim;
use greenlet::{interval, sleep, timeout};
use std::time::Duration;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// How many ticks were told, and when: after milliseconds.
fn ticks(steps: impl FnOnce() -> Vec<u64> + Send) -> (Vec<u64>, u128) {
    let (told, report) = Sim::new(1).run(steps);
    (told, report.virtual_time.as_millis())
}

#[test]
fn they_do_not_drift() {
    let busy = || {
        let mut ticks = interval(ms(10));
        let told = (0..5).map(|_| {
            let told = ticks.tick(); // at 0, 10, 20, 30, 40 ms
            sleep(ms(7));
            told
        });
        told.collect()
    };
    assert_eq!(ticks(busy), (vec![1; 5], 47));
}

#[test]
fn who_comes_late_is_told_how_many_were_due_and_waits_for_the_next_multiple() {
    let late = || {
        let mut ticks = interval(ms(10));
        let first = ticks.tick();
        sleep(ms(35));
        let [missed, next] = [ticks.tick(), ticks.tick()]; // those of 10, 20 and 30 ms; of 40 ms
        ticks.reset();
        vec![first, missed, next, ticks.tick()] // of 50 ms
    };
    assert_eq!(ticks(late), (vec![1, 3, 1, 1], 50));
}

#[test]
fn a_limit_takes_no_tick() {
    let limited = || {
        let mut ticks = interval(ms(10));
        ticks.tick();
        assert!(timeout(ms(4), || ticks.tick()).is_err());
        vec![ticks.tick()]
    };
    assert_eq!(ticks(limited), (vec![1], 10));
}
