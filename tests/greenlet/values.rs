//! Values of all sizes on every way that a value can go: none lost, doubled or torn.

use crate::counted::{Counted, live};
use crate::raised::{Boom, boom, raised, try_raised};
use greenlet::{
    Greenlet, GreenletExit, Received, SwitchError, Why, current, set_trace, suspend, suspend_any,
};
use std::cell::RefCell;
use std::rc::Rc;

/// A greenlet with room for a value of 4 KiB, of which a build without optimisation makes many
/// copies.
fn roomy<A: 'static, R: 'static>(body: impl FnOnce(A) -> R + 'static) -> Greenlet {
    Greenlet::builder().stack_size(512 * 1024).create(body).unwrap()
}

fn under<A: 'static, R: 'static>(
    parent: &Greenlet,
    body: impl FnOnce(A) -> R + 'static,
) -> Greenlet {
    Greenlet::builder().parent(parent).stack_size(512 * 1024).create(body).unwrap()
}

/// One way through the tree, taken by values of several sizes.
macro_rules! ways {
    ($($(#[$attribute:meta])* fn $name:ident::<$size:ident>() $body:block)+) => {$(
        $(#[$attribute])*
        #[test]
        fn $name() {
            fn way<const $size: usize>() {
                $body
                assert_eq!(live(), 0, "{} bytes", $size);
            }
            way::<0>();
            way::<1>();
            way::<3>();
            way::<8>();
            way::<9>();
            way::<24>();
            way::<25>();
            way::<100>();
            way::<4096>();
        }
    )+};
}

ways! {
    fn to_an_unstarted_greenlet_and_back_as_its_result::<N>() {
        let g = roomy(|value: Counted<N>| {
            assert!(value.is(1));
            value
        });
        assert!(g.switch::<_, Counted<N>>(Counted::<N>::new(1)).is(1));
    }

    fn to_a_suspended_greenlet_and_back::<N>() {
        let g = roomy(|mut value: Counted<N>| {
            for seed in 1..10 {
                assert!(value.is(seed));
                value = suspend(value);
            }
            value
        });
        for seed in 1..11 {
            assert!(g.switch::<_, Counted<N>>(Counted::<N>::new(seed)).is(seed));
        }
        assert!(g.is_dead());
    }

    fn to_and_from_those_who_take_anything::<N>() {
        let g = roomy(|value: Received| {
            assert!(value.get::<Counted<N>>().is(1));
            let value = suspend_any(Counted::<N>::new(2));
            assert!(value.is::<Counted<N>>());
            // A `Received` is passed on as it is, not packed again.
            let value: Received = suspend(value);
            value.get::<Counted<N>>()
        });
        assert!(g.switch_any(Counted::<N>::new(1)).get::<Counted<N>>().is(2));
        let back: Received = g.switch_any(Counted::<N>::new(3));
        assert!(back.is::<Counted<N>>());
        assert!(g.switch::<Received, Counted<N>>(back).is(3));
    }

    fn dropped_unread_with_what_holds_it::<N>() {
        let g = roomy(|_: Received| suspend_any(Counted::<N>::new(2)));
        drop(g.switch_any(Counted::<N>::new(1)));
        drop(g.switch_any(Counted::<N>::new(3)));
        match current().switch_any(Counted::<N>::new(4)).try_get::<u128>() {
            Err(received) => drop(received),
            Ok(_) => panic!("no u128 was sent"),
        }
    }

    fn to_oneself_and_to_the_dead::<N>() {
        assert!(current().switch::<_, Counted<N>>(Counted::<N>::new(1)).is(1));
        assert!(current().switch_any(Counted::<N>::new(2)).get::<Counted<N>>().is(2));
        let g = roomy(|()| ());
        let () = g.switch(());
        assert!(g.switch::<_, Counted<N>>(Counted::<N>::new(3)).is(3));
        assert!(g.try_switch_any(Counted::<N>::new(4)).unwrap().get::<Counted<N>>().is(4));
    }

    fn back_from_a_refusal::<N>() {
        let waits = roomy(|()| suspend::<(), u128>(()));
        let () = waits.switch(());
        let unbound = Greenlet::unbound();
        for target in [&waits, &unbound, &roomy(|_: String| ()), &current()] {
            match target.try_switch::<_, ()>(Counted::<N>::new(5)) {
                Err(SwitchError::Refused { value, .. }) => assert!(value.is(5)),
                other => panic!("{other:?}"),
            }
            // The form that panics drops it.
            drop(raised(|| target.switch::<_, ()>(Counted::<N>::new(6))));
        }
    }

    fn back_from_a_refusal_while_unwinding::<N>() {
        let refused = Rc::new(RefCell::new(None));
        let g = roomy(|value: Counted<N>| drop(value));
        drop(raised(|| {
            let _in_drop = crate::trace::Defer(|| {
                *refused.borrow_mut() = Some(g.try_switch::<_, ()>(Counted::<N>::new(7)));
            });
            boom("unwinding")
        }));
        match refused.take() {
            Some(Err(SwitchError::Refused { why: Why::Unwinding, value })) => assert!(value.is(7)),
            other => panic!("{other:?}"),
        };
    }

    fn a_result_that_nobody_takes_is_dropped_once::<N>() {
        let g = roomy(|()| Counted::<N>::new(1));
        match g.try_switch::<(), u128>(()) {
            Err(SwitchError::ChildExited(exit)) => assert!(exit.type_name().is_some()),
            other => panic!("{other:?}"),
        }
        let parent = roomy(|_: u128| ());
        let g = under(&parent, |()| Counted::<N>::new(1));
        assert!(g.switch_any(()).exit().is_some());
        assert!(parent.is_dead());
    }

    fn a_result_climbs_unstarted_parents::<N>() {
        let top = roomy(|value: Counted<N>| value);
        let middle = under(&top, |value: Counted<N>| value);
        let low = under(&middle, |value: Counted<N>| value);
        assert!(low.switch::<_, Counted<N>>(Counted::<N>::new(9)).is(9));
    }

    /// What was sent belongs to the receiver, also when the sender is killed before it uses it.
    fn a_sender_killed_after_the_transfer_keeps_nothing::<N>() {
        let sender = roomy(|()| {
            let kept = Counted::<N>::new(1);
            suspend::<Counted<N>, ()>(Counted::<N>::new(2));
            drop(kept);
        });
        let got: Counted<N> = sender.switch(());
        drop(sender);
        assert_eq!(live(), 1);
        assert!(got.is(2));
    }

    /// The value is moved out before the sender, which nobody holds, is unwound.
    fn a_sender_without_a_handle_is_killed_after_its_value_arrived::<N>() {
        let sender = roomy(|()| {
            // Its last handle reaches it as the result of its child.
            let child = roomy(|handle: Greenlet| handle);
            let _kept = Counted::<N>::new(1);
            let myself: Greenlet = suspend(child.clone());
            drop(myself);
            suspend::<Counted<N>, ()>(Counted::<N>::new(2));
        });
        let child: Greenlet = sender.switch(());
        let weak = sender.downgrade();
        let got: Counted<N> = child.switch(sender);
        assert_eq!(live(), 1);
        assert!(got.is(2) && weak.upgrade().is_none());
    }

    fn what_the_unstarted_hold_is_dropped_with_them::<N>() {
        let held = Counted::<N>::new(1);
        let g = roomy(move |()| drop(held));
        assert!(g.kill().is::<GreenletExit>());
        assert_eq!(live(), 0);
        let held = Counted::<N>::new(2);
        drop(roomy(move |()| drop(held)));
        assert_eq!(live(), 0);
        let held = Counted::<N>::new(3);
        let g = roomy(move |()| assert!(held.is(3)));
        let () = g.switch(());
    }

    fn a_throw_instead_of_a_value_leaves_nothing::<N>() {
        let g = roomy(|first: Counted<N>| {
            let caught = try_raised(|| suspend::<Counted<N>, Counted<N>>(first));
            assert_eq!(caught.ok().unwrap(), "boom instead");
            Counted::<N>::new(2)
        });
        assert!(g.switch::<_, Counted<N>>(Counted::<N>::new(1)).is(1));
        assert!(g.throw::<Counted<N>>(Boom("instead")).is(2));
    }

    fn traced_values_arrive_too::<N>() {
        let count = Rc::new(std::cell::Cell::new(0));
        let seen = count.clone();
        set_trace(Some(Rc::new(move |_| seen.set(seen.get() + 1))));
        let g = roomy(|mut value: Counted<N>| {
            value = suspend(value);
            value
        });
        assert!(g.switch::<_, Counted<N>>(Counted::<N>::new(1)).is(1));
        assert!(g.switch_any(Counted::<N>::new(2)).get::<Counted<N>>().is(2));
        assert!(g.switch::<_, Counted<N>>(Counted::<N>::new(3)).is(3));
        set_trace(None);
        assert_eq!(count.get(), 5);
    }

    fn a_tracer_that_panics_drops_what_was_sent_once::<N>() {
        let arm = || drop(set_trace(Some(Rc::new(|_| boom("tracer")))));
        let waits = roomy(|()| {
            let caught = try_raised(|| suspend::<(), Counted<N>>(()));
            assert_eq!(caught.ok().unwrap(), "boom tracer");
        });
        let () = waits.switch(());
        arm();
        let () = waits.switch(Counted::<N>::new(1));
        assert_eq!(live(), 0);
        arm();
        let unstarted = roomy(|value: Counted<N>| drop(value));
        assert_eq!(raised(|| unstarted.switch::<_, ()>(Counted::<N>::new(2))), "boom tracer");
        assert_eq!(live(), 0);
        arm();
        let to_itself = raised(|| current().switch::<_, Counted<N>>(Counted::<N>::new(3)));
        assert_eq!(to_itself, "boom tracer");
        let answers = roomy(move |()| {
            arm();
            Counted::<N>::new(4)
        });
        assert_eq!(raised(|| answers.switch::<(), Counted<N>>(())), "boom tracer");
    }
}

#[test]
fn values_of_any_alignment_arrive_aligned() {
    fn way<T: Default + 'static>() {
        let aligned = |value: &T| (&raw const *value).addr().is_multiple_of(align_of::<T>());
        let g = roomy(move |value: T| {
            assert!(aligned(&value));
            let value: T = suspend(value);
            assert!(aligned(&value));
            let value = suspend_any(value).get::<T>();
            assert!(aligned(&value));
            value
        });
        for _ in 0..3 {
            assert!(aligned(&g.switch::<T, T>(T::default())));
        }
        let kept = T::default();
        let g = roomy(move |()| assert!(aligned(&kept)));
        let () = g.switch(());
    }
    #[derive(Default)]
    #[repr(align(16))]
    struct A16(#[expect(dead_code, reason = "content")] u8);
    #[derive(Default)]
    #[repr(align(64))]
    struct A64(#[expect(dead_code, reason = "content")] [u64; 3]);
    #[derive(Default)]
    #[repr(align(1024))]
    struct A1024(#[expect(dead_code, reason = "content")] u8);
    way::<A16>();
    way::<A64>();
    way::<A1024>();
    way::<u128>();
}

#[test]
fn an_aligned_value_without_bytes_asks_the_allocator_for_none() {
    #[repr(align(64))]
    struct Nothing(#[expect(dead_code, reason = "dropped")] Rc<()>, [u8; 0]);
    #[repr(align(64))]
    struct Empty;
    impl Drop for Empty {
        fn drop(&mut self) {
            assert_eq!((&raw const *self).addr() % 64, 0, "dropped where it is not aligned");
        }
    }
    let before = crate::allocator::empty_requests();
    let token = Rc::new(());
    let g = roomy(|_: Received| Nothing(Rc::new(()), []));
    drop(g.switch_any(Empty));
    drop(current().switch_any(Empty));
    drop(current().switch_any(Empty).get::<Empty>());
    drop(current().switch_any(Nothing(token.clone(), [])));
    assert_eq!(Rc::strong_count(&token), 1);
    assert_eq!(crate::allocator::empty_requests(), before);
}

#[test]
fn large_closures_need_no_more_stack() {
    let large = [7_u8; 80 * 1024];
    let g = Greenlet::new(move |at: usize| large[at]);
    assert_eq!(g.switch::<usize, u8>(70_000), 7);
    let unstarted = Greenlet::new(move |at: usize| large[at]);
    assert!(unstarted.kill().is::<GreenletExit>());
}

#[test]
fn a_large_result_survives_every_way_of_reuse() {
    use greenlet::StackReuse::{Fast, Fresh, Zeroed};
    for reuse in [Fast, Zeroed, Fresh] {
        for _ in 0..20 {
            let build = || Greenlet::builder().stack_size(256 * 1024).reuse(reuse);
            let exact = build().create(|()| Counted::<4096>::new(1)).unwrap();
            assert!(exact.switch::<(), Counted<4096>>(()).is(1));
            let any = build().create(|()| Counted::<4096>::new(2)).unwrap();
            let received = any.switch_any(());
            greenlet::trim_stacks(0);
            assert!(received.get::<Counted<4096>>().is(2));
        }
    }
    assert_eq!(live(), 0);
}
