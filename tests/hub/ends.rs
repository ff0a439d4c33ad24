//! What runs while a greenlet ends, and waits: it is interrupted, woken and looked at meanwhile.

use crate::log::OnDrop;
use crate::ms;
use crate::thread_end::thread;
use greenlet::{
    Greenlet, GreenletExit, SwitchError, current, generator, greenlet_local, idle, run, shield,
    sleep, spawn, spawn_detached, sync::Event, timeout,
};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

greenlet_local! {
    static AT_END: RefCell<Option<OnDrop<Box<dyn FnMut()>>>> = RefCell::new(None);
}

/// Has `f` called when the locals of the current greenlet are dropped.
fn at_end(f: impl FnMut() + 'static) {
    AT_END.with(|at_end| at_end.replace(Some(OnDrop(Box::new(f)))));
}

/// A throw arrives while the result, which nobody takes, is dropped. Nobody will raise it any more, and
/// whoever gets the stack next is not raised it, either.
#[test]
fn what_is_thrown_at_one_that_ends_ends_with_it() {
    thread(|| {
        run(|| {
            let [drops, thrown] = [(); 2].map(|()| Rc::new(Event::new()));
            let (dropping, waited_for) = (drops.clone(), thrown.clone());
            let g = Greenlet::new(move |()| {
                OnDrop(move || {
                    dropping.set();
                    shield(|| waited_for.wait());
                })
            });
            let h = g.clone();
            let throws = drops.clone();
            spawn_detached(move || {
                throws.wait();
                h.throw(GreenletExit)
            });
            spawn_detached(move || {
                drops.wait();
                thrown.set(); // behind the one that throws
            });
            let ended = g.try_switch::<(), u8>(());
            assert!(matches!(ended, Err(SwitchError::ChildExited(_))));
            for _ in 0..3 {
                let limited = || timeout(ms(2), || sleep(Duration::MAX)).is_err();
                assert!(spawn(limited).join().is_ok_and(|elapsed| elapsed));
            }
        });
    });
}

/// Its end was lost on a parked parent, and then it went on waiting: the parent, which waits for
/// something else now, is not told once more.
#[test]
fn an_end_under_a_parked_parent_is_not_told_to_it_when_it_waits_in_a_switch() {
    thread(|| {
        run(|| {
            let [begin, go_on, end, answer] = [(); 4].map(|()| Rc::new(Event::new()));
            let made = Rc::new(RefCell::new(None));
            let (making, goes_on, answers) = (made.clone(), go_on.clone(), answer.clone());
            let (begins, ends) = (begin.clone(), end.clone());
            let parent = spawn(move || {
                let child = Greenlet::new(move |()| {
                    begins.wait();
                    OnDrop(move || {
                        let ends = ends.clone();
                        at_end(move || shield(|| ends.wait()));
                    })
                });
                making.replace(Some(child));
                goes_on.wait();
                let other = Greenlet::new(move |()| {
                    answers.wait();
                    7_i32
                });
                other.switch_any(()).try_get::<i32>().ok()
            });
            idle();
            let child = made.take().unwrap();
            spawn_detached(move || child.switch::<(), ()>(())); // until `run` ends it
            for event in [begin, go_on, end, answer] {
                idle();
                event.set();
            }
            assert_eq!(parent.join().unwrap(), Some(7));
        });
    });
}

/// A task is no orphan while its locals are dropped: nobody kills it there.
#[test]
fn a_tasks_local_may_drop_a_generator_and_then_wait() {
    thread(|| {
        let slept = Rc::new(Cell::new(false));
        let sleeps = slept.clone();
        let task = spawn(move || {
            let mut numbers = generator(|out| (0..9).for_each(|n| out.give(n)));
            assert_eq!(numbers.next(), Some(0));
            let mut numbers = Some(numbers);
            at_end(move || {
                drop(numbers.take());
                drop(current());
                sleep(ms(5));
                sleeps.set(true);
            });
        });
        task.join().unwrap();
        (0..1000).take_while(|_| !slept.get()).for_each(|_| sleep(ms(5)));
        assert!(slept.get());
    });
}

/// As above, of a task that is killed by drop.
#[test]
fn locals_of_a_task_that_is_killed_by_drop_are_dropped_once() {
    thread(|| {
        let dropped = Rc::new(Cell::new(0));
        let counts = dropped.clone();
        run(move || {
            spawn_detached(move || {
                at_end(move || counts.set(counts.get() + 1));
                Greenlet::new(|()| sleep(Duration::MAX)).switch::<(), ()>(());
            });
            sleep(ms(1));
        });
        assert_eq!(dropped.get(), 1);
        assert_eq!(greenlet::all().len(), 2, "the root and the hub's");
    });
}
