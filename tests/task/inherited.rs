//! Values that a task inherits from whoever spawns it.

use crate::LONG;
use crate::trace::{Guard, Trace};
use greenlet::pool::Group;
use greenlet::{
    Greenlet, InheritedKey, JoinHandle, TaskBuilder, inherited_local, scope, sleep, spawn,
    spawn_later, yield_now,
};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::Duration;

inherited_local! {
    static NUMBER: u32 = 1;
    static NAME: String = String::from("nobody");
    static TREE: RefCell<Vec<u32>> = RefCell::new(Vec::new());
    static NEXT: u32 = NUMBER.with(|number| *number) + 1;
    static LOGGED: Option<Guard> = None;
}

fn number() -> u32 {
    NUMBER.with(|number| *number)
}

#[test]
fn a_task_begins_with_what_its_spawner_has_at_that_moment() {
    NUMBER.set(2);
    let task = spawn(number);
    NUMBER.set(3);
    let inner = spawn(|| spawn(number).join().unwrap());
    assert_eq!((task.join().unwrap(), inner.join().unwrap(), number()), (2, 3, 3));
}

#[test]
fn every_way_of_spawning_inherits() {
    NUMBER.set(2);
    let borrowed = 10;
    let scoped = scope(|s| s.spawn(|| number() + borrowed).join().unwrap());
    assert_eq!(scoped, 12);
    assert_eq!(spawn_later(Duration::from_millis(1), number).join().unwrap(), 2);
    assert_eq!(TaskBuilder::new().name("named").spawn(number).unwrap().join().unwrap(), 2);
    assert_eq!(Group::new().map([1, 2], |factor| factor * number()).unwrap(), [2, 4]);
}

#[test]
fn what_one_sets_the_others_do_not_see() {
    let task = spawn(|| {
        NUMBER.set(5);
        yield_now();
        number()
    });
    yield_now();
    assert_eq!(number(), 1);
    NUMBER.set(6);
    assert_eq!(task.join().unwrap(), 5);
    assert_eq!(number(), 6);
}

#[test]
fn a_tree_of_tasks_can_share_a_cell() {
    TREE.set(RefCell::default());
    let tasks: Vec<JoinHandle<()>> =
        (0..3).map(|number| spawn(move || spawn(move || push(number)).join().unwrap())).collect();
    greenlet::join_all(tasks).join().values().unwrap();
    assert_eq!(TREE.with(|tree| tree.borrow().clone()), [0, 1, 2]);

    fn push(number: u32) {
        TREE.with(|tree| tree.borrow_mut().push(number));
    }
}

#[test]
fn greenlets_that_are_no_tasks_begin_without() {
    NUMBER.set(4);
    assert_eq!(Greenlet::new(|()| number()).switch::<(), u32>(()), 1);
}

#[test]
fn a_scope_ends_also_by_a_panic() {
    NUMBER.set(2);
    let inside = NUMBER.scope(3, || {
        NUMBER.set(4); // gone with the scope
        NAME.set("somebody".to_owned()); // not its value
        spawn(number)
    });
    assert_eq!((number(), inside.join().unwrap()), (2, 4));
    assert_eq!(NAME.with(String::clone), "somebody");
    let thrown = catch_unwind(|| NUMBER.scope(9, || resume_unwind(Box::new("thrown"))));
    assert!(thrown.is_err());
    assert_eq!(number(), 2);
    NAME.scope("inner".to_owned(), || assert_eq!(NAME.with(String::len), 5));

    let unset = spawn(|| NAME.scope("x".to_owned(), || ()));
    unset.join().unwrap();
}

#[test]
fn a_scope_around_what_was_never_set_takes_it_away() {
    NUMBER.scope(3, || assert_eq!(number(), 3));
    assert_eq!(number(), 1);
}

#[test]
fn a_value_stays_while_it_is_looked_at() {
    NAME.set("first".to_owned());
    NAME.with(|name| {
        NAME.set("second".to_owned());
        yield_now();
        assert_eq!(name, "first");
    });
    assert_eq!(NAME.with(String::clone), "second");
}

#[test]
fn initialisers_use_other_keys_and_not_themselves_for_ever() {
    NUMBER.set(6);
    assert_eq!(NEXT.with(|next| *next), 7);
    static DEPTH: InheritedKey<Cell<u32>> = InheritedKey::new(|| Cell::new(0));
    static TWICE: InheritedKey<u32> = InheritedKey::new(|| {
        let depth = DEPTH.with(|depth| depth.replace(depth.get() + 1));
        if depth == 0 { TWICE.with(|inner| inner + 1) } else { 20 }
    });
    assert_eq!(TWICE.with(|value| *value), 20, "the first that was stored stays");
}

#[test]
fn the_last_who_has_a_value_drops_it() {
    let trace = Trace::default();
    let task = LOGGED.scope(Some(trace.guard("value")), || {
        let short = spawn(|| LOGGED.with(|logged| assert!(logged.is_some())));
        let long = spawn(|| sleep(LONG));
        short.join().unwrap();
        long
    });
    yield_now();
    assert_eq!(trace.take(), "", "the sleeper has it");
    task.kill();
    assert_eq!(trace.take(), "value dropped");
}

#[test]
fn what_was_killed_unbegun_lets_go_of_its_values() {
    let trace = Trace::default();
    let task = LOGGED.scope(Some(trace.guard("value")), || spawn(|| unreachable!()));
    assert!(task.cancel());
    assert!(task.join().unwrap_err().is_killed());
    assert_eq!(trace.take(), "value dropped");
}

#[test]
fn a_panic_in_the_drop_of_a_value_harms_nobody() {
    struct Explodes(Rc<Cell<bool>>);
    impl Drop for Explodes {
        fn drop(&mut self) {
            self.0.set(true);
            resume_unwind(Box::new("in the drop of a value"));
        }
    }
    static EXPLODES: InheritedKey<Option<Explodes>> = InheritedKey::new(|| None);
    let dropped = Rc::new(Cell::new(false));
    let task = spawn({
        let dropped = dropped.clone();
        move || EXPLODES.set(Some(Explodes(dropped)))
    });
    task.join().unwrap();
    yield_now();
    assert!(dropped.get());
    let own = catch_unwind(AssertUnwindSafe(|| {
        EXPLODES.set(Some(Explodes(dropped.clone())));
        EXPLODES.set(None); // raised here: the setter drops it
    }));
    assert!(own.is_err());
    assert!(EXPLODES.with(Option::is_none));
}
