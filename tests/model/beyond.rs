//! The crate's side of what no program can say: other types, other threads, destructors that switch.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use greenlet::{Greenlet, SwitchError, Why, suspend_any};

/// Fact 1, second half: in Python no arguments arrive as `()`.
#[test]
fn a_unit_sent_to_a_dead_greenlet_comes_back() {
    let dead = Greenlet::new(|()| ());
    dead.switch::<(), ()>(());
    dead.switch::<(), ()>(());
    assert!(dead.is_dead());
}

/// Fact 13 for a `Drop` instead of a cleanup: it runs while the thread unwinds, so it may not switch away.
#[test]
fn a_destructor_that_a_throw_runs_may_not_switch_away() {
    struct Switches(Rc<Cell<Option<Why>>>);
    impl Drop for Switches {
        fn drop(&mut self) {
            let refused = greenlet::try_suspend::<i64, i64>(1);
            self.0.set(refused.err().as_ref().and_then(SwitchError::why));
        }
    }
    let why = Rc::new(Cell::new(None));
    let seen = why.clone();
    let greenlet = Greenlet::new(move |()| {
        let _local = Switches(seen);
        suspend_any(());
    });
    greenlet.switch_any(());
    let thrown = catch_unwind(AssertUnwindSafe(|| greenlet.throw_any("out")));
    assert!(thrown.is_err_and(|payload| payload.is::<&str>()));
    assert_eq!(why.get(), Some(Why::Unwinding));
    assert!(greenlet.is_dead());
}

/// Fact 14: what is an error in Python does not compile here.
#[test]
fn handles_stay_on_their_thread() {
    trait NotSend<Marker> {
        const PROVED: () = ();
    }
    impl<T: ?Sized> NotSend<()> for T {}
    impl<T: ?Sized + Send> NotSend<u8> for T {}
    // If handles were `Send`, this could mean either of the two.
    <Greenlet as NotSend<_>>::PROVED
}
