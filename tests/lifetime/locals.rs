//! Greenlet-local values: rules 155 to 157, as far as they are offered.

use crate::log::{AtEnd, Log, OnDrop};
use greenlet::{Greenlet, greenlet_local, suspend};
use std::cell::{Cell, RefCell};

greenlet_local! {
    static NUMBER: Cell<u32> = Cell::new(7);
    static ENDS: RefCell<Vec<AtEnd>> = RefCell::new(Vec::new());
    static RECURSIVE: u32 = NUMBER.with(Cell::get) + 1;
}

#[test]
fn a_new_greenlet_starts_with_defaults_and_keeps_its_own() {
    NUMBER.with(|number| number.set(1));
    let g = Greenlet::new(|()| {
        assert_eq!(NUMBER.with(Cell::get), 7);
        NUMBER.with(|number| number.set(2));
        suspend::<(), ()>(());
        assert_eq!(NUMBER.with(Cell::get), 2);
        let inner = Greenlet::new(|()| NUMBER.with(Cell::get));
        assert_eq!(inner.switch::<(), u32>(()), 7);
        NUMBER.with(Cell::get)
    });
    g.switch::<(), ()>(());
    assert_eq!(NUMBER.with(Cell::get), 1, "invisible outside");
    NUMBER.with(|number| number.set(3));
    assert_eq!(g.switch::<(), u32>(()), 2);
    assert_eq!(NUMBER.with(Cell::get), 3);
}

#[test]
fn an_initialiser_may_use_other_locals() {
    assert_eq!(Greenlet::new(|()| RECURSIVE.with(|x| *x)).switch::<(), u32>(()), 8);
}

#[test]
fn values_end_with_their_greenlet() {
    let log = Log::default();
    let keep = |log: &Log, line| {
        let end = log.at_end(line);
        ENDS.with(|ends| ends.borrow_mut().push(end));
    };
    let returns = Greenlet::new({
        let log = log.clone();
        move |()| {
            keep(&log, "returned");
            log.say("body ends");
        }
    });
    returns.switch::<(), ()>(());
    let killed = Greenlet::new({
        let log = log.clone();
        move |()| {
            keep(&log, "killed");
            let _end = log.at_end("frames first");
            suspend::<(), ()>(());
        }
    });
    killed.switch::<(), ()>(());
    drop(killed);
    let panics = Greenlet::new({
        let log = log.clone();
        move |()| {
            keep(&log, "panicked");
            std::panic::resume_unwind(Box::new(1_u8));
        }
    });
    assert!(panics.try_switch::<(), ()>(()).is_err());
    assert_eq!(log.lines(), ["body ends", "returned", "frames first", "killed", "panicked"]);
}

#[test]
fn a_value_may_be_used_across_switches() {
    let g = Greenlet::new(|()| {
        NUMBER.with(|number| {
            suspend::<u32, ()>(number.get());
            number.set(number.get() + 1);
            suspend::<u32, ()>(number.get());
        });
    });
    assert_eq!(g.switch::<(), u32>(()), 7);
    let others: Vec<_> = (0..100).map(|_| Greenlet::new(|()| NUMBER.with(Cell::get))).collect();
    assert!(others.iter().all(|other| other.switch::<(), u32>(()) == 7));
    assert_eq!(g.switch::<(), u32>(()), 8);
}

#[test]
fn values_used_by_the_drop_of_a_result_that_nobody_takes_end_with_the_greenlet() {
    // The result is dropped on the dying stack, after the locals were; its drop makes new ones.
    let log = Log::default();
    let g = Greenlet::new({
        let log = log.clone();
        move |()| {
            OnDrop(move || {
                NUMBER.with(|number| number.set(99));
                let end = log.at_end("made by the drop");
                ENDS.with(|ends| ends.borrow_mut().push(end));
            })
        }
    });
    assert!(g.try_switch::<(), u8>(()).is_err());
    assert_eq!(log.lines(), ["made by the drop"]);
    // And whoever gets the stack next does not get them with it.
    let next = Greenlet::new(|()| NUMBER.with(Cell::get));
    assert_eq!(next.switch::<(), u32>(()), 7, "a value of the dead greenlet before it");
}

#[test]
fn values_used_by_the_drop_of_a_victims_result_end_with_it() {
    let log = Log::default();
    let g = Greenlet::new({
        let log = log.clone();
        move |()| {
            let _ = std::panic::catch_unwind(|| suspend::<(), ()>(()));
            OnDrop(move || {
                NUMBER.with(|number| number.set(98));
                let end = log.at_end("made by the drop");
                ENDS.with(|ends| ends.borrow_mut().push(end));
            })
        }
    });
    g.switch::<(), ()>(());
    drop(g);
    assert_eq!(log.lines(), ["made by the drop"]);
    let next = Greenlet::new(|()| NUMBER.with(Cell::get));
    assert_eq!(next.switch::<(), u32>(()), 7);
}

#[test]
fn values_made_by_the_drops_of_values_end_too() {
    let log = Log::default();
    greenlet_local! {
        static FIRST: RefCell<Option<Box<dyn Fn()>>> = RefCell::new(None);
    }
    struct CallsAtEnd(Log);
    impl Drop for CallsAtEnd {
        fn drop(&mut self) {
            let end = self.0.at_end("second round");
            ENDS.with(|ends| ends.borrow_mut().push(end));
        }
    }
    let g = Greenlet::new({
        let log = log.clone();
        move |()| {
            let calls = CallsAtEnd(log);
            FIRST.with(|first| *first.borrow_mut() = Some(Box::new(move || drop(calls.0.clone()))));
        }
    });
    g.switch::<(), ()>(());
    assert_eq!(log.lines(), ["second round"]);
}

#[test]
fn values_of_the_root_end_with_the_thread() {
    let (send, receive) = std::sync::mpsc::channel();
    struct Sends(std::sync::mpsc::Sender<u8>);
    impl Drop for Sends {
        fn drop(&mut self) {
            self.0.send(1).unwrap();
        }
    }
    greenlet_local! {
        static SENDS: RefCell<Option<Sends>> = RefCell::new(None);
    }
    let thread = std::thread::spawn(move || {
        SENDS.with(|sends| *sends.borrow_mut() = Some(Sends(send)));
    });
    thread.join().unwrap();
    assert_eq!(receive.try_recv(), Ok(1));
}

#[test]
fn cells_are_used_as_those_of_threads() {
    greenlet_local! {
        static MADE: Cell<u8> = unreachable!("set before it is asked for");
        static LIST: RefCell<Vec<u8>> = unreachable!("likewise");
    }
    let uses = |first: u8| {
        MADE.set(first);
        assert_eq!((MADE.get(), MADE.replace(5), MADE.take(), MADE.get()), (first, first, 5, 0));
        MADE.set(6);
        LIST.set(vec![first]);
        LIST.with_borrow_mut(|list| list.push(2));
        assert_eq!(LIST.with_borrow(Vec::len), 2);
        assert_eq!(
            (LIST.replace(vec![9]), LIST.take(), LIST.take()),
            (vec![first, 2], vec![9], vec![])
        );
        LIST.set(vec![4]);
    };
    uses(1);
    let () = Greenlet::new(uses).switch(3_u8);
    assert_eq!((MADE.get(), LIST.take()), (6, vec![4]));
}
