use crate::cases::Subject;
use crate::random::{Random, seeds};
use crate::trace::{Trace, raised, turns};
use greenlet::sync::{Event, OnceCell};
use greenlet::{JoinHandle, sleep, spawn, timeout, yield_now};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

/// Being initialised; the initialiser fails when it is opened, so the first that waits makes it.
fn turn_to_come() -> Subject {
    let cell = Rc::new(OnceCell::<i32>::new());
    let (itself, first, asked) = (Rc::downgrade(&cell), cell.clone(), cell.clone());
    let task = spawn(move || {
        let never = || {
            sleep(Duration::MAX);
            0
        };
        _ = *first.get_or_init(never);
    });
    yield_now();
    Subject {
        wait: Rc::new(move |limit| match limit {
            None => *cell.get_or_init(|| 7) == 7,
            Some(limit) => timeout(limit, || *cell.get_or_init(|| 7)).is_ok(),
        }),
        open: Rc::new(move || task.kill_soon()),
        state: Rc::new(move || format!("{asked:?}")),
        hands_over: true,
        itself,
    }
}

fn uncontended() {
    let mut cell = OnceCell::new();
    assert!(cell.get().is_none());
    assert_eq!(cell.get_or_try_init(|| Err("no")), Err("no"));
    assert_eq!(cell.get_or_init(|| 1), &1);
    assert_eq!((cell.get_or_init(|| 2), cell.get_or_try_init(|| Err(()))), (&1, Ok(&1)));
    assert_eq!(cell.set(3), Err(3));
    *cell.get_mut().unwrap() += 1;
    assert_eq!(format!("{cell:?}"), "OnceCell(Some(2))");
    assert_eq!(cell.take(), Some(2));
    assert_eq!(cell.set(4), Ok(()));
    assert_eq!((cell.into_inner(), OnceCell::from(5).into_inner()), (Some(4), Some(5)));
}

/// Those of the moment fit only by half, for `open` takes effect later.
mod turns {
    use super::*;
    use crate::cases;

    macro_rules! some_cases {
        ($($case:ident),*) => { $(#[test]
        fn $case() {
            cases::$case(turn_to_come());
        })* };
    }
    some_cases!(contended_in_order, timed_out, killed_while_waiting, thrown_at, shielded);
    some_cases!(limited_from_outside, refused_while_unwinding, killed_when_served);
    some_cases!(served_when_killed, all_killed_when_served);

    #[test]
    fn raw_greenlets_and_root() {
        cases::raw_greenlets_and_root(turn_to_come);
    }

    #[test]
    fn wound_up_with_waiters() {
        cases::wound_up_with_waiters(turn_to_come);
    }

    #[test]
    fn at_random() {
        cases::at_random(turn_to_come);
    }
}

#[test]
fn uncontended_without_hub() {
    crate::cases::without_hub(uncontended);
}

/// A task whose initialiser waits for an event, and then returns a number or panics.
fn maker(trace: &Trace, cell: &Rc<OnceCell<i32>>, name: &'static str, n: i32) -> Maker {
    let (cell, go_on, inside) = (cell.clone(), Rc::new(Event::new()), trace.clone());
    let event = go_on.clone();
    let task = trace.task(name, move || {
        let make = || {
            inside.say(format!("{name} makes it"));
            event.wait();
            assert!(n >= 0, "{name} fails");
            n
        };
        *cell.get_or_init(make)
    });
    Maker { task, go_on }
}

struct Maker {
    task: JoinHandle<()>,
    go_on: Rc<Event>,
}

#[test]
fn one_makes_it_and_all_get_it() {
    let (trace, cell) = (Trace::default(), Rc::new(OnceCell::new()));
    let makers = [("a", 1), ("b", 2), ("c", 3)].map(|(name, n)| maker(&trace, &cell, name, n));
    yield_now();
    assert_eq!((cell.get(), cell.set(9)), (None, Err(9)));
    makers[0].go_on.set();
    turns(2);
    trace.is(&["a makes it", "a: 1", "b: 1", "c: 1"]);
}

#[test]
fn after_a_panic_and_a_kill_it_is_the_next_ones_turn() {
    let (trace, cell) = (Trace::default(), Rc::new(OnceCell::new()));
    let makers =
        [("a", -1), ("b", 2), ("c", 3), ("d", 4)].map(|(name, n)| maker(&trace, &cell, name, n));
    yield_now();
    makers[0].go_on.set();
    turns(2);
    trace.is(&["a makes it", "a: a fails", "b makes it"]);
    makers[1].task.kill();
    yield_now();
    trace.is(&["b: killed", "c makes it"]);
    makers[2].go_on.set();
    turns(2);
    trace.is(&["c: 3", "d: 3"]);
}

/// In the moment in which it becomes its turn.
#[test]
fn killed_when_served() {
    let (trace, cell) = (Trace::default(), Rc::new(OnceCell::new()));
    let makers = [("a", 1), ("b", 2), ("c", 3)].map(|(name, n)| maker(&trace, &cell, name, n));
    yield_now();
    makers[0].task.kill_soon();
    makers[2].go_on.set();
    let (one, b) = (makers[1].task.greenlet().unwrap(), &makers[1].task);
    spawn(move || one.throw::<()>("a stone")).join().unwrap(); // after a's end
    b.wait();
    yield_now();
    trace.is(&["a makes it", "a: killed", "b: raised a stone", "c makes it", "c: 3"]);
}

#[test]
fn an_initialiser_that_asks_itself_is_told() {
    let cell = OnceCell::new();
    let told = catch_unwind(AssertUnwindSafe(|| *cell.get_or_init(|| *cell.get_or_init(|| 1))));
    let text = raised(&*told.unwrap_err());
    assert_eq!(text, "raised the initialiser of a cell cannot ask for its value");
    assert_eq!(cell.get_or_init(|| 2), &2);
}

#[test]
fn dropped_with_waiters() {
    let (trace, cell) = (Trace::default(), Rc::new(OnceCell::new()));
    let weak = Rc::downgrade(&cell);
    let makers = [("a", 1), ("b", 2)].map(|(name, n)| maker(&trace, &cell, name, n));
    yield_now();
    drop(cell);
    makers[1].task.kill();
    makers[0].task.kill();
    trace.is(&["a makes it", "b: killed", "a: killed"]);
    assert!(weak.upgrade().is_none());
}

/// One at a time makes it, until one succeeds; then nobody waits.
#[test]
fn at_random() {
    seeds(200, |seed| {
        let random = Rc::new(Random::new(seed));
        let (cell, making) = (Rc::new(OnceCell::new()), Rc::new(Cell::new(0)));
        let mut tasks: Vec<JoinHandle<i32>> = Vec::new();
        for n in 0..20 {
            let (random_inside, cell, making) = (random.clone(), cell.clone(), making.clone());
            let get = move || {
                let made = cell.get_or_try_init(|| {
                    struct Making(Rc<Cell<i32>>);
                    impl Drop for Making {
                        fn drop(&mut self) {
                            self.0.set(0);
                        }
                    }
                    assert_eq!(making.replace(1), 0);
                    let _making = Making(making.clone());
                    match random_inside.below(4) {
                        0 => return Err(()),
                        1 => sleep(Duration::from_micros(random_inside.below(200))),
                        _ => yield_now(),
                    }
                    if random_inside.one_in(3) { Err(()) } else { Ok(n) }
                });
                made.map_or(-1, |n| *n)
            };
            tasks.push(spawn(get));
            if random.one_in(3) {
                tasks[random.below(tasks.len() as u64) as usize].kill_soon();
            }
            if random.one_in(2) {
                yield_now();
            }
        }
        for task in &tasks {
            assert!(task.wait_timeout(Duration::from_secs(60)), "one waits for ever");
        }
        let values: Vec<_> = tasks.iter().filter_map(|task| task.value()).collect();
        assert!(values.iter().all(|n| **n == -1 || Some(*n) == cell.get()));
    });
}
