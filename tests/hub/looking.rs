//! Looking at tasks: state, names, locals, words, backtraces.

use crate::ms;
use greenlet::{
    State, all, current, greenlet_local, root, sleep, spawn, stack_remaining, yield_now,
};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

greenlet_local! {
    static COUNT: Cell<u32> = Cell::new(0);
}

#[test]
fn states_of_a_task_s_greenlet() {
    let task = spawn(|| {
        assert_eq!(current().state(), State::Running);
        sleep(ms(1));
    });
    let g = task.greenlet().unwrap();
    assert_eq!((g.state(), g.is_active(), task.is_started()), (State::Unstarted, false, false));
    assert!(g.backtrace().is_none() && g.stack_used().is_none());
    yield_now();
    assert_eq!((g.state(), g.is_active(), task.is_started()), (State::Suspended, true, true));
    assert!(g.stack_used().unwrap() > 0);
    assert_eq!(g.id(), task.id());
    assert_eq!(task.spawned_by(), root().id());
    assert_eq!(task.spawned_at().file(), file!());
    task.wait();
    assert_eq!(g.state(), State::Dead);
    assert!(task.greenlet().is_none());
}

#[inline(never)]
fn parks_here() {
    sleep(ms(2));
}

#[test]
fn the_backtrace_of_a_parked_task_shows_where_it_waits() {
    let task = spawn(parks_here);
    yield_now();
    let text = task.greenlet().unwrap().backtrace().unwrap().to_string();
    if cfg!(debug_assertions) {
        assert!(text.contains("parks_here"), "{text}");
    }
    task.join().unwrap();
}

#[test]
fn each_task_has_its_own_locals() {
    COUNT.with(|count| count.set(100));
    let tasks: Vec<_> = (0..10_u32)
        .map(|n| {
            spawn(move || {
                for _ in 0..n {
                    COUNT.with(|count| count.set(count.get() + 1));
                    yield_now();
                }
                COUNT.with(Cell::get)
            })
        })
        .collect();
    for (n, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.join().unwrap(), n as u32);
    }
    assert_eq!(COUNT.with(Cell::get), 100);
}

#[test]
fn locals_are_dropped_with_their_task_however_it_ends() {
    struct Bump(Rc<Cell<u32>>);
    impl Drop for Bump {
        fn drop(&mut self) {
            sleep(Duration::from_micros(10)); // may wait: others run meanwhile
            self.0.set(self.0.get() + 1);
        }
    }
    greenlet_local! {
        static HELD: Cell<Option<Bump>> = Cell::new(None);
    }
    let drops = Rc::new(Cell::new(0));
    let make = |kind: u32| {
        let drops = drops.clone();
        spawn(move || {
            HELD.with(|held| held.set(Some(Bump(drops))));
            match kind {
                0 => {}
                1 => sleep(Duration::MAX),
                _ => std::panic::resume_unwind(Box::new(1_i32)),
            }
        })
    };
    let tasks: Vec<_> = (0..30).map(|n| make(n % 3)).collect();
    yield_now();
    tasks.iter().for_each(|task| task.kill_soon());
    tasks.into_iter().for_each(|task| drop(task.join()));
    sleep(ms(5));
    assert_eq!(drops.get(), 30);
}

#[test]
fn a_word_belongs_to_its_task() {
    let task = spawn(|| {
        let me = current();
        me.set_user_word(std::ptr::without_provenance_mut(16));
        yield_now();
        me.user_word().addr()
    });
    yield_now();
    assert_eq!(task.greenlet().unwrap().user_word().addr(), 16);
    assert_eq!(task.join().unwrap(), 16);
    let next = spawn(|| current().user_word().is_null());
    assert!(next.join().unwrap(), "nothing is left in the stack's block");
}

#[test]
fn everybody_is_in_all() {
    let tasks: Vec<_> = (0..5).map(|_| spawn(|| sleep(ms(1)))).collect();
    let everybody = all();
    assert!(tasks.iter().all(|task| everybody.contains(&task.greenlet().unwrap())));
    drop(everybody);
    tasks.into_iter().for_each(|task| task.join().unwrap());
    assert_eq!(all().len(), 2, "the root and the hub");
    assert!(spawn(|| stack_remaining().unwrap() > 32 << 10).join().unwrap());
}
