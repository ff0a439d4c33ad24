//! What is sent to the dead arrives at their nearest living ancestor.

use crate::counted::{Counted, live};
use greenlet::{Greenlet, State, SwitchError, Why, current, suspend};

fn dead() -> Greenlet {
    let g = Greenlet::new(|()| ());
    let () = g.switch(());
    g
}

#[test]
fn a_switch_to_the_dead_comes_back_when_the_current_greenlet_is_next() {
    // The example of the documentation of the original: 42, then nothing.
    let inner = Greenlet::new(|()| 42);
    let outer = Greenlet::new({
        let inner = inner.clone();
        move |()| {
            inner.set_parent(&current()).unwrap();
            let result: i32 = inner.switch(());
            let () = inner.switch(());
            result
        }
    });
    assert_eq!(outer.switch::<(), i32>(()), 42);
    // Both are dead now, and the root is next.
    assert_eq!(inner.switch::<&str, &str>("back"), "back");
}

#[test]
fn every_kind_of_value_comes_back_from_the_dead() {
    let g = dead();
    let () = g.switch(());
    assert_eq!(g.switch::<i32, i32>(5), 5);
    assert_eq!(g.switch::<(i32, i32), (i32, i32)>((1, 2)), (1, 2));
    assert_eq!(g.switch_any(String::from("x")).get::<String>(), "x");
    assert!(g.switch::<_, Counted<1>>(Counted::<1>::new(1)).is(1));
    assert!(g.switch::<_, Counted<4096>>(Counted::<4096>::new(2)).is(2));
    assert!(g.switch_any(Counted::<100>::new(3)).get::<Counted<100>>().is(3));
    assert_eq!(live(), 0);
    match g.try_switch::<Counted<24>, i32>(Counted::new(4)) {
        Err(SwitchError::Refused { why: Why::WrongType { .. }, value }) => assert!(value.is(4)),
        other => panic!("{other:?}"),
    }
    assert_eq!(live(), 0);
}

#[test]
fn another_living_ancestor_receives_it_if_it_waits_for_the_type() {
    let parent = Greenlet::new(|()| {
        let child = Greenlet::new(|()| ());
        let () = child.switch(());
        let got: i32 = suspend(child);
        format!("parent got {got}")
    });
    let child: Greenlet = parent.switch(());
    assert!(child.is_dead());
    let refused = child.try_switch::<&str, String>("no");
    assert!(matches!(refused, Err(SwitchError::Refused { value: "no", .. })), "{refused:?}");
    assert_eq!(parent.state(), State::Suspended);
    assert_eq!(child.switch::<i32, String>(3), "parent got 3");
}

#[test]
fn an_unstarted_ancestor_is_started_with_it() {
    let parent = Greenlet::new(|x: i32| (x, 24));
    let child = dead();
    child.set_parent(&parent).unwrap();
    assert_eq!(child.switch::<i32, (i32, i32)>(42), (42, 24));
    assert!(parent.is_dead());
    // Both dead: the root is next.
    let () = child.switch(());
}

#[test]
fn the_dead_are_aliases_of_whatever_parent_they_get() {
    let alias = dead();
    for n in 0..3 {
        let parent = Greenlet::new(move |x: i32| x + n);
        alias.set_parent(&parent).unwrap();
        assert_eq!(alias.parent(), Some(parent.clone()));
        assert_eq!(alias.switch::<i32, i32>(10), 10 + n);
        assert!(alias.is_dead() && parent.is_dead());
    }
}

#[test]
fn a_chain_of_the_dead_is_climbed_to_its_end() {
    let mut last = dead();
    for _ in 0..1_000 {
        let g = dead();
        g.set_parent(&last).unwrap();
        last = g;
    }
    assert_eq!(last.switch::<u8, u8>(1), 1);
    let receiver = Greenlet::new(|()| {
        let x: u16 = suspend(());
        u32::from(x)
    });
    let () = receiver.switch(());
    let first = {
        let mut node = last.clone();
        while let Some(parent) = node.parent().filter(Greenlet::is_dead) {
            node = parent;
        }
        node
    };
    first.set_parent(&receiver).unwrap();
    assert_eq!(last.switch::<u16, u32>(7), 7);
}

#[test]
fn the_dead_with_an_ancestor_without_a_body_refuse() {
    let alias = dead();
    let unbound = Greenlet::unbound();
    alias.set_parent(&unbound).unwrap();
    let refused = alias.try_switch::<i32, i32>(1);
    assert!(matches!(refused, Err(SwitchError::Refused { why: Why::NoBody, value: 1 })));
}
