//! The seam for a scheduler: greenlets that only it may wake.
//!
//! A parked greenlet waits for a private type, so that no user's value matches. Whoever throws at
//! it hands the payload to its hook; whoever dies under it hands over to the thread's fallback.
#![expect(unsafe_code, reason = "the hook lies on the parked stack and is called by address")]

use super::control::{Block, ParkHook};
use super::current::thread;
use super::error::{Payload, Thrown};
use super::switch::{Cargo, Raised, depart};
use super::value::ValueType;
use crate::arch::Word;

/// What a wake brings. Private: nobody else can send one.
pub(crate) struct Woken;

/// Suspends the current greenlet until [`wake`], handing control to `next`.
///
/// # Safety
/// - `next` is a live greenlet of this thread that waits for `()`, or is parked.
/// - `hook` stays valid until this call returns.
#[cfg_attr(not(test), expect(dead_code, reason = "its caller, the hub, is a later part"))]
pub(crate) unsafe fn park(hook: &ParkHook, next: &Block) -> Result<(), Payload> {
    let thread = thread();
    let me = thread.current();
    me.park.set(hook);
    let mut woken = std::mem::MaybeUninit::<Woken>::uninit();
    let kind = next.awaited().unwrap_or(ValueType::of::<()>());
    let cargo = Cargo::Value { kind, word: Word::uninit() };
    // SAFETY: `next` waits for a type without content, by the caller's promise.
    let back =
        unsafe { depart(thread, next, cargo, ValueType::of::<Woken>(), woken.as_mut_ptr().cast()) };
    me.park.set(std::ptr::null());
    match back {
        Ok(()) => Ok(()),
        Err(Raised::Throw(thrown)) => Err(thrown.payload),
        Err(Raised::Exit(_)) => unreachable!("no death is delivered to a parked greenlet"),
    }
}

/// Resumes a parked greenlet, with `payload` to be raised if there is one; returns when somebody sends
/// the current greenlet a `()` or wakes it.
///
/// # Safety
/// - `target` is parked.
#[cfg_attr(not(test), expect(dead_code, reason = "its caller, the hub, is a later part"))]
pub(crate) unsafe fn wake(target: &Block, payload: Option<Payload>) {
    let cargo = match payload {
        Some(payload) => Cargo::Throw(Thrown::by_panic(payload)),
        None => Cargo::Value { kind: ValueType::of::<Woken>(), word: Word::uninit() },
    };
    let mut back = ();
    // SAFETY: a parked greenlet awaits a `Woken`; `()` has no bytes to be written.
    let back =
        unsafe { depart(thread(), target, cargo, ValueType::of::<()>(), (&raw mut back).cast()) };
    debug_assert!(back.is_ok(), "a scheduler is only ever told to go on");
}

/// Is this greenlet parked?
pub(super) fn is_parked(block: &Block) -> bool {
    !block.park.get().is_null()
}

/// Hands `payload` to the hook of a parked greenlet.
pub(super) fn deliver(block: &Block, payload: Payload) {
    // SAFETY: **Parked memory stays**: the hook lies on the parked stack until it is woken.
    unsafe {
        let hook = &*block.park.get();
        (hook.deliver)(hook.data, payload);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Greenlet, Received, SwitchError, Why, current, root};
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;

    #[derive(Default)]
    struct Delivered(RefCell<Vec<Payload>>);

    unsafe fn deliver_to_list(data: *mut (), payload: Payload) {
        // SAFETY: the tests give the address of a list that they keep.
        unsafe { &*data.cast::<Delivered>() }.0.borrow_mut().push(payload);
    }

    /// A greenlet that parks once and says how it was woken.
    fn parker(delivered: &Rc<Delivered>, log: &Rc<RefCell<Vec<String>>>) -> Greenlet {
        let (delivered, log) = (delivered.clone(), log.clone());
        Greenlet::new(move |()| {
            let hook =
                ParkHook { deliver: deliver_to_list, data: Rc::as_ptr(&delivered) as *mut () };
            // SAFETY: the root waits for `()` in the tests; the hook lives in this frame.
            let woken = unsafe { park(&hook, root().alive().unwrap()) };
            log.borrow_mut().push(match woken {
                Ok(()) => "woken".to_owned(),
                Err(payload) => format!("raised {}", payload.downcast_ref::<i32>().unwrap()),
            });
        })
    }

    #[test]
    fn a_parked_greenlet_is_woken_by_its_scheduler_alone() {
        let (delivered, log) = (Rc::default(), Rc::default());
        let parked = parker(&delivered, &log);
        let () = parked.switch(());
        let refused = parked.try_switch::<i32, ()>(1);
        assert!(matches!(refused, Err(SwitchError::Refused { why: Why::Parked, value: 1 })));
        let refused = parked.try_throw::<i32>(2_i32);
        assert!(matches!(refused, Err(SwitchError::Refused { why: Why::Parked, .. })));
        // SAFETY: it is parked.
        unsafe { wake(parked.alive().unwrap(), None) };
        assert!(parked.is_dead());
        assert_eq!(*log.borrow(), ["woken"]);
    }

    #[test]
    fn a_throw_at_the_parked_goes_through_its_hook() {
        let (delivered, log) = (Rc::<Delivered>::default(), Rc::default());
        let parked = parker(&delivered, &log);
        let () = parked.switch(());
        let () = parked.throw(7_i32);
        assert!(!parked.is_dead(), "only queued");
        let payload = delivered.0.borrow_mut().pop();
        // SAFETY: it is parked.
        unsafe { wake(parked.alive().unwrap(), payload) };
        assert!(parked.is_dead());
        assert_eq!(*log.borrow(), ["raised 7"]);
    }

    #[test]
    fn a_death_under_the_parked_goes_to_the_fallback() {
        let (delivered, log) = (Rc::<Delivered>::default(), Rc::default());
        let fallback = parker(&delivered, &log);
        let () = fallback.switch(());
        thread().fallback.set(fallback.alive().unwrap());
        let parked = parker(&delivered, &log);
        let () = parked.switch(());
        let child = Greenlet::builder().parent(&parked).create(|x: i32| assert_eq!(x, 1)).unwrap();
        // The fallback is woken, ends, and hands its own end to the root, its parent.
        let end: Received = child.switch_any(1);
        assert!(end.is::<()>());
        assert!(child.is_dead() && fallback.is_dead() && !parked.is_dead());
        let failing = Greenlet::builder()
            .parent(&parked)
            .create(|()| std::panic::resume_unwind(Box::new(9_i32)));
        let again = parker(&delivered, &log);
        let () = again.switch(());
        thread().fallback.set(again.alive().unwrap());
        let _ = failing.unwrap().switch_any(());
        let payload = delivered.0.borrow_mut().pop();
        // SAFETY: it is parked.
        unsafe { wake(parked.alive().unwrap(), payload) };
        assert_eq!(*log.borrow(), ["woken", "woken", "raised 9"]);
        thread().fallback.set(std::ptr::null());
        assert_eq!(current(), root());
    }
}
