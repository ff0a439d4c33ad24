//! The plain switch: what `switch`, `suspend` and `throw` are when nothing else is to be done.
//!
//! All of it is inlined where a user calls it: a function that returns on another stack than it was called on
//! makes the processor mispredict that return and those after it.
#![expect(unsafe_code, reason = "crosses stacks")]

use super::control::{Block, Taken};
use super::current::{Thread, thread_or_none};
use super::error::Thrown;
use super::switch::{ANY, THROW};
use super::value::{ValueType, pack};
use crate::arch::{self, Arrival, Word};
use std::mem::ManuallyDrop;

/// The block that `living` finds, and where: if a plain switch of an `A` to it is all there is to do. The thread may
/// have no state yet.
#[inline(always)]
pub(super) fn plain_target<'a, A: 'static>(
    living: impl FnOnce(&'a Thread) -> Option<&'a Block>,
) -> Option<(&'a Thread, &'a Block)> {
    // First: it may call out of line, and nothing has to be kept over that yet. Each register for that would be a
    // word more in the frame, and frames in fewer lines of the caches are what many greenlets live on.
    if std::thread::panicking() {
        return None;
    }
    let thread = thread_or_none();
    let target = living(thread)?;
    let plain = thread.flags.get() == 0 && target.plainly_awaits::<A>();
    plain.then_some((thread, target))
}

/// Sends `value` to the living `target`, if it is suspended and takes an `A` in one way or the other, and waits for
/// a `B`; `None` if it is not as simple as that.
///
/// # Safety
/// - Nobody uses `value` again where something has arrived.
#[inline(always)]
pub(super) unsafe fn cross_if_taken<A: 'static, B: 'static>(
    thread: &Thread,
    target: Option<&Block>,
    value: &mut ManuallyDrop<A>,
) -> Option<Arrival> {
    let target = target.filter(|_| thread.flags.get() == 0 && !std::thread::panicking())?;
    let taken = target.takes::<A>()?;
    // SAFETY: no flag is set, and the target takes the value like this; forwarded.
    Some(unsafe {
        match taken {
            Taken::AsItIs => cross::<A, B>(thread, target, value),
            Taken::AsReceived => cross_any::<A, B>(thread, target, value),
        }
    })
}

/// Sends `value` to `target` and waits for a `B`; what arrives with a tag goes to [`received`](super::switch::received).
///
/// # Safety
/// - `target` is suspended or unstarted and awaits an `A`.
/// - The thread's flags are all clear.
/// - Nobody uses `value` again.
#[inline(always)]
pub(super) unsafe fn cross<A: 'static, B: 'static>(
    thread: &Thread,
    target: &Block,
    value: &mut ManuallyDrop<A>,
) -> Arrival {
    // SAFETY: forwarded; tag 0 goes with exactly the awaited type.
    unsafe { leave_for::<B>(thread, target, pack(value), 0) }
}

/// Switches to `target`, and awaits a `B`.
///
/// # Safety
/// - `target` is suspended or unstarted, and takes what the word and the tag mean.
/// - The thread's flags are all clear.
#[inline(always)]
unsafe fn leave_for<B: 'static>(
    thread: &Thread,
    target: &Block,
    word: Word,
    tag: usize,
) -> Arrival {
    let me = thread.current();
    me.expect.set(Some(ValueType::describe::<B>));
    target.expect.set(None);
    thread.set_current(target);
    // SAFETY: `target` is suspended (**Saved frame**) and `me` runs.
    unsafe { arch::switch(&me.header, &target.header, word, tag) }
}

/// As [`cross`], for a target that waits for a value of any type.
///
/// # Safety
/// - `target` is suspended or unstarted and awaits a [`Received`](super::value::Received), but no `A`.
/// - The thread's flags are all clear.
/// - Nobody uses `value` again.
#[inline(always)]
pub(super) unsafe fn cross_any<A: 'static, B: 'static>(
    thread: &Thread,
    target: &Block,
    value: &mut ManuallyDrop<A>,
) -> Arrival {
    let tag = (&raw const *ValueType::of::<A>()).expose_provenance() | ANY;
    // SAFETY: forwarded.
    unsafe { leave_for::<B>(thread, target, pack(value), tag) }
}

/// As [`cross`], with something that is raised instead of a value.
///
/// # Safety
/// - `target` is suspended and not parked.
/// - The thread's flags are all clear.
#[inline(always)]
pub(super) unsafe fn cross_throw<B: 'static>(
    thread: &Thread,
    target: &Block,
    thrown: Thrown,
) -> Arrival {
    let thrown = ManuallyDrop::new(thrown);
    let tag = (&raw const *thrown).expose_provenance() | THROW;
    // SAFETY: forwarded.
    unsafe { leave_for::<B>(thread, target, Word::uninit(), tag) }
}

#[cfg(test)]
mod tests {
    use crate::greenlet::value::ValueType;
    use crate::greenlet::{Greenlet, Received, SwitchError, Why, suspend};

    /// As another crate would describe the type: at another address.
    fn number_elsewhere() -> &'static ValueType {
        ValueType::of::<u32>()
    }

    fn received_elsewhere() -> &'static ValueType {
        ValueType::of::<Received>()
    }

    fn refused<T>(result: Result<T, SwitchError<u64>>) -> (&'static str, &'static str) {
        match result {
            Err(SwitchError::Refused { why: Why::WrongType { sent, awaited }, value: 5 }) => {
                (sent, awaited)
            }
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("it was taken"),
        }
    }

    #[test]
    fn a_type_that_another_crate_describes_is_the_same_type() {
        let doubler = Greenlet::new(|mut n: u32| {
            loop {
                n = suspend(2 * n);
            }
        });
        let as_elsewhere = || doubler.alive().unwrap().expect.set(Some(number_elsewhere));
        as_elsewhere();
        assert_eq!(doubler.switch::<u32, u32>(4), 8);
        as_elsewhere();
        assert_eq!(doubler.try_switch::<u32, u32>(5).unwrap(), 10);
        as_elsewhere();
        assert_eq!(refused(doubler.try_switch::<u64, u32>(5)), ("u64", "u32"));
        assert_eq!(doubler.switch::<u32, u32>(6), 12, "nothing had happened");
    }

    #[test]
    fn one_that_takes_all_takes_all_from_another_crate() {
        let taker = Greenlet::new(|mut any: Received| {
            loop {
                any = suspend(any.get::<u64>() + 1);
            }
        });
        for n in 1..4 {
            taker.alive().unwrap().expect.set(Some(received_elsewhere));
            assert_eq!(taker.switch::<u64, u64>(n), n + 1);
        }
    }

    #[test]
    fn a_parent_in_another_crate_takes_what_is_suspended_and_returned() {
        let parent = Greenlet::new(|()| {
            let child = Greenlet::new(|()| {
                let me = greenlet_parent();
                me.alive().unwrap().expect.set(Some(number_elsewhere));
                let () = suspend(1u32);
                me.alive().unwrap().expect.set(Some(number_elsewhere));
                2u32
            });
            let suspended: u32 = child.switch(());
            let returned: u32 = child.switch(());
            (suspended, returned)
        });
        assert_eq!(parent.switch::<(), (u32, u32)>(()), (1, 2));
    }

    fn greenlet_parent() -> Greenlet {
        crate::greenlet::current().parent().unwrap()
    }
}
