//! What the thread's state itself holds when the thread ends: the trace callback, the root's own values.

use crate::child::in_child;
use crate::log::OnDrop;
use greenlet::{Greenlet, SwitchError, Why, current, greenlet_local, set_trace, suspend};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

fn in_thread(work: impl FnOnce() + Send + 'static) {
    std::thread::spawn(work).join().unwrap();
}

/// A callback that holds a dead greenlet, and sees whether that is still known when it is dropped itself.
fn trace_with_a_greenlet() {
    let g = Greenlet::new(|()| ());
    let (held, known) = (g.clone(), (g.id(), current().id()));
    let () = g.switch(());
    let looks = OnDrop(move || {
        assert_eq!((held.id(), current().id()), known);
        let () = Greenlet::new(|()| ()).switch(());
        eprintln!("callback dropped");
    });
    set_trace(Some(Rc::new(move |_| _ = &looks)));
}

#[test]
fn a_trace_callback_is_dropped_while_its_thread_has_greenlets() {
    thread_local!(static LATE: OnDrop<fn()> = const { OnDrop(trace_with_a_greenlet) });
    let case = || {
        in_thread(trace_with_a_greenlet);
        in_thread(|| LATE.with(|_| ())); // set by a destructor, when there was no greenlet before
        in_thread(|| {
            LATE.with(|_| ()); // destroyed after the state has noticed the end
            drop(current());
        });
    };
    let name = "left_behind::a_trace_callback_is_dropped_while_its_thread_has_greenlets";
    let report = in_child(name, case).done();
    assert!(!report.contains("panicked"), "{report}");
    assert_eq!(report.matches("callback dropped").count(), 3, "{report}");
}

struct Watched(Cell<bool>);

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

thread_local!(static BORROWED: Watched = const { Watched(Cell::new(false)) });

greenlet_local! {
    static OF_ROOT: RefCell<Option<OnDrop<Box<dyn FnMut()>>>> = RefCell::new(None);
}

/// Leaves a greenlet that borrows a thread-local to the destructor of a value of the root's own.
fn leave_one_that_borrows_to_the_root() {
    let g = Greenlet::new(|()| {
        BORROWED.with(|borrowed| {
            suspend::<(), ()>(());
            assert!(!borrowed.0.get(), "read after it was destroyed");
        });
    });
    let () = g.switch(());
    let tries = move || {
        let why = Why::ThreadEnds;
        let refused = g.try_switch::<(), ()>(());
        assert!(matches!(refused, Err(SwitchError::Refused { why: w, .. }) if w == why));
        eprintln!("refused");
    };
    OF_ROOT.with(|of_root| of_root.replace(Some(OnDrop(Box::new(tries)))));
}

#[test]
fn a_destructor_of_the_roots_own_value_resumes_nobody_who_may_borrow_what_is_gone() {
    let case = || {
        in_thread(leave_one_that_borrows_to_the_root);
        leave_one_that_borrows_to_the_root(); // the case ends by an exit in the middle of this thread
    };
    let name = "left_behind::a_destructor_of_the_roots_own_value_resumes_nobody_who_may_borrow_what_is_gone";
    let report = in_child(name, case).done();
    assert!(!report.contains("panicked"), "{report}");
    assert_eq!(report.matches("refused").count(), 2, "{report}");
}
