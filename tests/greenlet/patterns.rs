//! Programs: generators, nested generators, permutations.

use crate::raised::raised;
use greenlet::{Coroutine, Generator, Greenlet, Step, current, generator, root, suspend};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

#[test]
fn a_generator_gives_its_items_as_they_are_asked_for() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    for _ in 0..3 {
        let inside = seen.clone();
        let items = generator(move |out| {
            for i in 0..5 {
                inside.borrow_mut().push(i);
                out.give(i);
            }
        });
        for item in items {
            seen.borrow_mut().push(item);
        }
    }
    let once = [0, 0, 1, 1, 2, 2, 3, 3, 4, 4];
    assert_eq!(*seen.borrow(), [once, once, once].concat());
}

#[test]
fn an_item_may_be_given_from_nested_calls() {
    let nested = |n: i32| {
        generator(move |out| {
            let give = |i| out.give(i);
            for i in 0..n {
                give(i);
            }
        })
    };
    assert_eq!(nested(5).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
}

fn up_to(n: i32) -> Generator<i32> {
    generator(move |out| {
        if n > 0 {
            for item in up_to(n - 1) {
                out.give(item);
            }
            out.give(n);
        }
    })
}

#[test]
fn generators_nest_in_generators() {
    assert_eq!(up_to(5).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert_eq!(up_to(60).last(), Some(60));
}

fn permutations(list: Vec<u32>) -> Generator<Vec<u32>> {
    generator(move |out| {
        if list.len() <= 1 {
            out.give(list);
            return;
        }
        for first in &list {
            let rest = list.iter().copied().filter(|other| other != first).collect();
            for permutation in permutations(rest) {
                out.give([vec![*first], permutation].concat());
            }
        }
    })
}

#[test]
fn permutations_come_from_recursive_generators() {
    let all: Vec<_> = permutations((0..4).collect()).collect();
    assert_eq!(all.len(), 4 * 3 * 2);
    assert!(all.is_sorted() && all.contains(&vec![0, 1, 2, 3]) && all.contains(&vec![3, 2, 1, 0]));
    // The shorter one ends the pairs, and the longer one is unwound by its drop.
    let pairs: Vec<_> =
        permutations((0..4).collect()).zip(permutations((0..3).collect())).collect();
    let expected = [
        ([0, 1, 2, 3], [0, 1, 2]),
        ([0, 1, 3, 2], [0, 2, 1]),
        ([0, 2, 1, 3], [1, 0, 2]),
        ([0, 2, 3, 1], [1, 2, 0]),
        ([0, 3, 1, 2], [2, 0, 1]),
        ([0, 3, 2, 1], [2, 1, 0]),
    ];
    assert_eq!(pairs, expected.map(|(four, three)| (four.to_vec(), three.to_vec())));
    assert_eq!(greenlet::all(), [root()]);
}

/// Generators that give past their parent: `give` of level 2 goes to the parent's parent, and the
/// next item of the outer one is then asked of the inner one.
#[derive(Clone)]
struct Levels {
    greenlet: Greenlet,
    /// The inner generator that gave past us.
    child: Rc<RefCell<Option<Levels>>>,
}

thread_local! {
    static LEVELS: RefCell<HashMap<u64, Levels>> = RefCell::default();
}

impl Levels {
    fn new(body: impl FnOnce() + 'static) -> Levels {
        let greenlet = Greenlet::new(move |()| {
            body();
            LEVELS.with_borrow_mut(|all| all.remove(&current().id().get()));
            None::<i32>
        });
        let levels = Levels { greenlet, child: Rc::default() };
        LEVELS.with_borrow_mut(|all| all.insert(levels.greenlet.id().get(), levels.clone()));
        levels
    }

    fn of(greenlet: &Greenlet) -> Levels {
        LEVELS
            .with_borrow(|all| all.get(&greenlet.id().get()).cloned())
            .expect("give outside of a generator")
    }

    fn give(value: i32, level: u32) {
        let mut to = Levels::of(&current());
        for _ in 1..level {
            let above = Levels::of(&to.greenlet.parent().unwrap());
            *above.child.borrow_mut() = Some(to);
            to = above;
        }
        to.greenlet.parent().unwrap().switch(Some(value))
    }
}

impl Iterator for Levels {
    type Item = i32;

    fn next(&mut self) -> Option<i32> {
        let mut inner = self.child.take();
        while let Some(next) = inner.as_ref().and_then(|inner| inner.child.take()) {
            inner = Some(next);
        }
        match inner {
            Some(inner) => inner.greenlet.switch(()),
            None => {
                self.greenlet.set_parent(&current()).unwrap();
                self.greenlet.switch(())
            }
        }
    }
}

#[test]
fn items_may_be_given_to_the_parent_of_the_parent() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let outer = Levels::new({
        let seen = seen.clone();
        move || {
            let inner = Levels::new(|| {
                for i in 1..5 {
                    Levels::give(i, 1);
                    Levels::give(i * i, 2);
                }
            });
            for item in inner {
                seen.borrow_mut().push(item);
            }
        }
    });
    for item in outer {
        seen.borrow_mut().push(item);
    }
    assert_eq!(*seen.borrow(), [1, 1, 2, 4, 3, 9, 4, 16]);
}

#[test]
fn giving_outside_of_a_generator_is_an_error() {
    let text = raised(|| Levels::give(10, 1));
    assert!(text.contains("give outside of a generator"), "{text}");
    // With the crate's own: the body of another greenlet is no place to give from.
    let mut coroutine = Coroutine::new(|out, ()| {
        let elsewhere =
            std::thread::scope(|scope| scope.spawn(|| raised(|| out.give(1))).join().unwrap());
        out.give(2);
        elsewhere
    });
    assert_eq!(coroutine.resume(()), Step::Yielded(2));
    match coroutine.resume(()) {
        Step::Returned(text) => assert!(text.contains("its own coroutine"), "{text}"),
        Step::Yielded(_) => panic!("it had no more to give"),
    }
    assert!(raised(|| coroutine.resume(())).contains("has ended"));
}

#[test]
fn an_endless_generator_ends_by_its_drop() {
    let fibonacci = generator(|out| {
        let (mut a, mut b) = (0_u64, 1);
        loop {
            out.give(a);
            (a, b) = (b, a + b);
        }
    });
    let first: Vec<_> = fibonacci.take(10).collect();
    assert_eq!(first, [0, 1, 1, 2, 3, 5, 8, 13, 21, 34]);
    assert_eq!(greenlet::all(), [root()]);
}

#[test]
fn a_generator_moves_on_in_whoever_asks() {
    let items = Rc::new(RefCell::new(generator(|out| (0..4).for_each(|n| out.give(n)))));
    let next = {
        let items = items.clone();
        move || {
            // Not borrowed while it runs: it is taken out, and put back.
            let mut taken = items.replace(generator(|_| ()));
            let item = taken.next();
            items.replace(taken);
            item
        }
    };
    assert_eq!(next(), Some(0));
    let elsewhere = Greenlet::new({
        let next = next.clone();
        move |()| {
            let first = next();
            suspend::<Option<i32>, ()>(first);
            next()
        }
    });
    assert_eq!(elsewhere.switch::<(), Option<i32>>(()), Some(1));
    assert_eq!(next(), Some(2));
    assert_eq!(elsewhere.switch::<(), Option<i32>>(()), Some(3));
    assert_eq!(next(), None);
    assert_eq!(next(), None);
}

#[test]
fn a_producer_and_a_consumer_take_turns() {
    let consumer = Greenlet::unbound();
    let producer = Greenlet::new({
        let consumer = consumer.clone();
        move |()| {
            for item in ["bread", "milk"] {
                let () = consumer.switch(Some(item));
            }
            consumer.switch_any(None::<&str>);
        }
    });
    consumer.bind({
        let producer = producer.downgrade();
        move |mut item: Option<&'static str>| {
            let mut bought = Vec::new();
            while let Some(one) = item {
                bought.push(one);
                item = producer.upgrade().unwrap().switch(());
            }
            bought
        }
    });
    assert_eq!(producer.switch::<(), Vec<&str>>(()), ["bread", "milk"]);
}

/// Its maker is dead, and whoever resumes it stands where that one stood.
#[test]
fn a_coroutine_goes_on_in_one_that_has_its_makers_stack() {
    let maker = Greenlet::new(|()| {
        Coroutine::<i32, i32, ()>::new(|out, mut x| {
            loop {
                x = out.give(x + 1);
            }
        })
    });
    let mut counter: Coroutine<i32, i32, ()> = maker.switch(());
    let user = Greenlet::new(move |()| match (counter.resume(1), counter.resume(5)) {
        (Step::Yielded(two), Step::Yielded(six)) => (two, six),
        _ => (0, 0),
    });
    assert_eq!(user.switch::<(), (i32, i32)>(()), (2, 6));
}
