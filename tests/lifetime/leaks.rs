//! Memory stays flat, and as many are destroyed as were created: rules 134 to 136, 143.

use crate::child::in_child;
use greenlet::{Greenlet, SwitchError, suspend};
use std::cell::Cell;
use std::panic::resume_unwind;

thread_local! {
    static ALIVE: Cell<i64> = const { Cell::new(0) };
}

struct Counted;

impl Counted {
    fn new() -> Counted {
        ALIVE.set(ALIVE.get() + 1);
        Counted
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        ALIVE.set(ALIVE.get() - 1);
    }
}

/// Resident memory, in KiB.
fn resident() -> i64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: i64 = statm.split_whitespace().nth(1).unwrap().parse().unwrap();
    pages * 4
}

/// Runs `round` until it has its memory, then many times more: the memory does not grow.
///
/// In a child process, because other tests of this one grow too.
fn stays_flat(test: &str, round: fn()) {
    stays_as_flat(test, || (), round);
}

/// As [`stays_flat`], beside a round that does the same without greenlets: emulators keep memory of
/// their own for every thread that ever was.
fn stays_as_flat(test: &str, without: fn(), round: fn()) {
    in_child(test, || {
        let grows = |round: fn()| {
            (0..3).for_each(|_| round());
            let before = resident();
            (0..10).for_each(|_| round());
            resident() - before
        };
        let (without, grown) = (grows(without), grows(round));
        assert!(grown - without < 512, "grew by {grown} KiB, {without} KiB without greenlets");
        assert_eq!(ALIVE.get(), 0);
        assert_eq!(greenlet::all().len(), 1);
    })
    .done();
}

#[test]
fn ten_thousand_rounds_of_create_run_die_are_flat() {
    stays_flat("leaks::ten_thousand_rounds_of_create_run_die_are_flat", || {
        for i in 0..10_000_u32 {
            let held = Counted::new();
            let g = Greenlet::new(move |x: u32| {
                let _held = held;
                x + 1
            });
            assert_eq!(g.switch::<u32, u32>(i), i + 1);
        }
    });
}

#[test]
fn ten_thousand_suspended_and_dropped_are_flat() {
    stays_flat("leaks::ten_thousand_suspended_and_dropped_are_flat", || {
        let suspended: Vec<_> = (0..10_000)
            .map(|_| {
                let g = Greenlet::new(|()| {
                    let _held = Counted::new();
                    suspend::<(), ()>(());
                });
                g.switch::<(), ()>(());
                g
            })
            .collect();
        assert_eq!(ALIVE.get(), 10_000);
        drop(suspended);
    });
}

#[test]
fn the_unstarted_the_unbound_and_the_thrown_at_are_flat() {
    stays_flat("leaks::the_unstarted_the_unbound_and_the_thrown_at_are_flat", || {
        for _ in 0..3_000 {
            let held = [(); 3].map(|()| Counted::new());
            let [a, b, c] = held;
            drop(Greenlet::new(move |()| drop(a)));
            let unbound = Greenlet::builder().name("named").create_unbound().unwrap();
            unbound.bind(move |()| drop(b));
            let g = Greenlet::new(move |()| drop(c));
            assert!(g.try_throw::<()>(5_u8).is_err());
            let large = [0_u8; 5_000];
            drop(Greenlet::new(move |()| large.len()));
        }
    });
}

#[test]
fn panics_exits_and_mismatches_are_flat() {
    stays_flat("leaks::panics_exits_and_mismatches_are_flat", || {
        for _ in 0..1_000 {
            let g = Greenlet::builder().name("panics").create(|()| {
                let _held = Counted::new();
                resume_unwind(Box::new(Counted::new().alive()));
            });
            let g: Greenlet = g.unwrap();
            assert!(matches!(g.try_switch::<(), ()>(()), Err(SwitchError::Thrown(_))));
            let g = Greenlet::builder().name("mismatch").create(|()| Counted::new()).unwrap();
            assert!(matches!(g.try_switch::<(), ()>(()), Err(SwitchError::ChildExited(_))));
            let g = Greenlet::new(|()| suspend::<Counted, ()>(Counted::new()));
            drop(g.switch_any(()));
            drop(g.kill());
            let chain = Greenlet::new(|()| {
                let inner = Greenlet::new(|()| suspend::<(), ()>(()));
                inner.switch_any(());
                suspend::<Greenlet, ()>(inner);
            });
            drop(chain.switch_any(()));
        }
    });
}

impl Counted {
    fn alive(&self) -> i64 {
        ALIVE.get()
    }
}

#[test]
fn traced_rounds_are_flat() {
    stays_flat("leaks::traced_rounds_are_flat", || {
        greenlet::set_trace(Some(std::rc::Rc::new(|_| {
            // Transfers out of and into a running callback.
            let g = Greenlet::new(|()| ());
            g.switch::<(), ()>(());
        })));
        for _ in 0..1_000 {
            let g = Greenlet::new(|()| suspend::<(), ()>(()));
            g.switch::<(), ()>(());
        }
        greenlet::set_trace(None);
    });
}

#[test]
fn threads_come_and_go_flat() {
    fn fifty_threads(work: fn(u32)) {
        (0..50).for_each(|i| std::thread::spawn(move || work(i)).join().unwrap());
    }
    let without = || fifty_threads(|_| ());
    stays_as_flat("leaks::threads_come_and_go_flat", without, || {
        fifty_threads(|i| {
            let work = || {
                let g = Greenlet::new(|()| suspend::<(), ()>(()));
                g.switch::<(), ()>(());
                let dead = Greenlet::new(|()| ());
                dead.switch::<(), ()>(());
            };
            if i % 2 == 0 { greenlet::run(work) } else { work() }
        });
    });
}

#[test]
fn a_thousand_panics_across_greenlets_leave_none_behind() {
    for _ in 0..1_000 {
        let outer = Greenlet::new(|()| {
            let inner = Greenlet::new(|()| resume_unwind(Box::new(1_u8)));
            inner.switch::<(), ()>(());
        });
        assert!(outer.try_switch::<(), ()>(()).is_err());
    }
    assert_eq!(greenlet::all().len(), 1);
}
