//! Plain transfers: suspended and unstarted targets, oneself, the dead.

use crate::payload::{Carried, alias_of, each_size, roomy};
use greenlet::{Greenlet, Received, SwitchError, Why, current, suspend};

#[derive(Debug)]
struct Other;

/// The refused value, whose reason must be the types.
#[track_caller]
fn refused<A, B>(answer: Result<B, SwitchError<A>>) -> A {
    match answer {
        Err(SwitchError::Refused { why: Why::WrongType { .. }, value }) => value,
        other => panic!("not refused: {:?}", other.map(|_| ())),
    }
}

each_size! {
    fn unstarted_and_suspended_take_what_they_await<T: Payload>() {
        let g = roomy(|first: T| {
            let mut got = first.tag();
            drop(first);
            for _ in 0..3 {
                let next: T = suspend(T::make(got + 1));
                got = next.tag();
            }
            T::make(200)
        });
        for tag in [10, 20, 30] {
            let back: T = g.switch(T::make(tag));
            assert_eq!(back.tag(), tag + 1);
        }
        let back: T = g.switch(T::make(40));
        assert_eq!(back.tag(), 200);
        assert!(g.is_dead());
    }

    fn siblings_pass_it_on<T: Payload>() {
        let b = roomy(|value: T| {
            let value: T = suspend(value);
            value
        });
        let to_b = b.clone();
        let a = roomy(move |value: T| {
            let _: T = to_b.switch(value); // b hands it to the root, its parent
            unreachable!("nobody comes back")
        });
        let root = current();
        let value: T = a.switch(T::make(7));
        assert_eq!(value.tag(), 7);
        assert!(b.parent().unwrap() == root);
        let value: T = b.switch(value);
        assert_eq!(value.tag(), 7);
        assert!(b.is_dead() && !a.is_dead());
    }

    fn mismatch_gives_the_value_back<T: Payload>() {
        let g = roomy(|x: T| {
            let y: T = suspend(x);
            y
        });
        let other: Other = refused(g.try_switch::<Other, ()>(Other));
        let _ = other;
        let value: T = g.switch(T::make(1));
        let pair = refused(g.try_switch::<(T, u8), ()>((value, 9)));
        assert_eq!((pair.0.tag(), pair.1), (1, 9));
        let boxed = refused(g.try_switch::<Box<T>, ()>(Box::new(pair.0)));
        let value: T = g.switch(*boxed);
        assert_eq!(value.tag(), 1);
        assert!(g.is_dead());
    }

    fn to_oneself_it_comes_straight_back<T: Payload>() {
        let inside = || {
            let back: T = current().switch(T::make(5));
            assert_eq!(back.tag(), 5);
            let back = current().switch_any(back).get::<T>();
            assert_eq!(back.tag(), 5);
            let back = refused(current().try_switch::<T, Other>(back));
            assert_eq!(back.tag(), 5);
        };
        inside();
        roomy(move |()| inside()).switch::<(), ()>(());
    }

    fn to_a_dead_one_below_oneself_it_comes_straight_back<T: Payload>() {
        let dead = roomy(|()| ());
        dead.switch::<(), ()>(());
        let back: T = dead.switch(T::make(5));
        let back = dead.switch_any(back).get::<T>();
        let back = refused(dead.try_switch::<T, Other>(back));
        assert_eq!(back.tag(), 5);
    }

    fn to_a_dead_one_below_another_it_goes_there<T: Payload>() {
        let outer = roomy(|()| {
            let value: T = suspend(());
            T::make(value.tag() + 1)
        });
        let dead = alias_of(&outer);
        outer.switch::<(), ()>(());
        let other = refused(dead.try_switch::<Other, T>(Other));
        let _ = other;
        let back: T = dead.switch(T::make(8));
        assert_eq!(back.tag(), 9);
        assert!(outer.is_dead());
    }

    fn to_a_dead_one_below_an_unstarted_one_it_starts_that<T: Payload>() {
        let middle = roomy(|()| ());
        middle.switch::<(), ()>(());
        let top = roomy(|value: T| T::make(value.tag() * 2));
        middle.set_parent(&top).unwrap();
        let bottom = alias_of(&middle);
        let bottom_weak = bottom.downgrade();
        let value = refused(bottom.try_switch::<u64, T>(3));
        assert_eq!(value, 3);
        let back: T = bottom.switch(T::make(21));
        assert_eq!(back.tag(), 42);
        assert!(top.is_dead());
        drop((bottom, middle, top));
        assert!(bottom_weak.upgrade().is_none());
    }

    fn one_that_awaits_received_takes_all<T: Payload>() {
        let g = roomy(|first: Received| {
            let first = first.get::<T>();
            let second = greenlet::suspend_any(first);
            second.try_get::<Other>().unwrap_err().get::<T>()
        });
        let back = g.switch_any(T::make(1));
        assert!(back.is::<T>() && !back.is::<Other>());
        let back = g.switch_any(back.get::<T>());
        assert_eq!(back.get::<T>().tag(), 1);
    }

    fn a_received_is_never_unpacked_or_nested<T: Payload>() {
        let exact = roomy(|value: T| value.tag());
        let received = exact_received(T::make(4));
        let received = refused(exact.try_switch::<Received, u8>(received));
        assert!(received.is::<T>(), "an exact waiter refuses the wrapper");
        let any = roomy(|value: Received| value.get::<T>().tag());
        assert_eq!(any.switch::<Received, u8>(received), 4);
    }
}

fn exact_received<T: Carried>(value: T) -> Received {
    current().switch_any(value)
}

#[test]
fn values_of_odd_shape_cross() {
    #[repr(align(64))]
    #[derive(PartialEq, Debug, Clone, Copy)]
    struct Aligned(u8);
    #[repr(align(64))]
    #[derive(PartialEq, Debug)]
    struct Nothing;
    type Empty = [Aligned; 0];
    fn there_and_back<T: 'static>(value: T, look: fn(&T) -> bool) {
        let g = Greenlet::new(move |value: T| {
            assert!(look(&value));
            let value = suspend::<T, T>(value);
            assert!(look(&value) && (&raw const value).is_aligned());
            value
        });
        let value: T = g.switch(value);
        assert!(look(&value) && (&raw const value).is_aligned());
        let value = g.switch_any(value).get::<T>();
        assert!(look(&value) && (&raw const value).is_aligned());
        let value = current().switch_any(value).get::<T>();
        assert!(look(&value) && (&raw const value).is_aligned());
    }
    there_and_back(Aligned(7), |value| value.0 == 7);
    there_and_back((Aligned(7), 3_u8), |value| value.0.0 == 7 && value.1 == 3);
    there_and_back(Nothing, |_| true);
    there_and_back([] as Empty, |_| true);
    there_and_back((), |()| true);
    there_and_back(None::<Box<u8>>, Option::is_none);
    there_and_back(Some(Box::new(3_u8)), |value| value.as_deref() == Some(&3));
    there_and_back(1_u128 << 99, |value| *value == 1 << 99);
    there_and_back("text", |value| *value == "text");
    there_and_back(f64::MAX, |value| *value == f64::MAX);
    there_and_back(|| 5, |value| value() == 5);
    there_and_back(Box::new(9) as Box<dyn std::any::Any>, |value| value.is::<i32>());
}

#[test]
fn equal_layout_is_not_equal_type() {
    struct Meters(#[expect(dead_code, reason = "only its type matters")] u32);
    let g = Greenlet::new(|value: u32| value);
    refused(g.try_switch::<Meters, u32>(Meters(1)));
    refused(g.try_switch::<i32, u32>(1));
    refused(g.try_switch::<[u32; 1], u32>([1]));
    let text = g.try_switch::<i32, u32>(1).unwrap_err().to_string();
    assert_eq!(text, "switch refused: sent i32, awaited u32");
    assert_eq!(g.switch::<u32, u32>(6), 6);
}

#[test]
fn an_unbound_greenlet_gives_the_value_back() {
    let g = Greenlet::unbound();
    let answer = g.try_switch::<String, ()>("kept".into());
    let Err(SwitchError::Refused { why: Why::NoBody, value }) = answer else { panic!("taken") };
    assert_eq!(value, "kept");
    let below = Greenlet::builder().parent(&g).create(|()| ()).unwrap();
    below.set_parent(&current()).unwrap();
    below.switch::<(), ()>(());
    below.set_parent(&g).unwrap();
    assert_eq!(below.try_switch::<u8, u8>(1).unwrap_err().why(), Some(Why::NoBody));
}
