//! Every preserved register comes back from a switch as it was, whatever the other side does.

use crate::harness::{After, DIRECTION, FLAGS, PRESERVED, Registers, call_with, width};
use crate::pair::Pair;
use crate::random::Random;
use greenlet::Greenlet;
use greenlet::context::{Context, Word, leave};
use std::cell::Cell;

const ROUNDS: usize = if cfg!(debug_assertions) { 50_000 } else { 1_000_000 };

/// The first register that did not come back, seen by either side.
type Ball = Cell<Option<String>>;

/// Makes calls with ever new registers, and compares.
struct Side {
    random: Random,
    set: Registers,
}

impl Side {
    fn new(seed: u64) -> Side {
        let set =
            Registers { preserved: [0; PRESERVED.len()], flags: 0, dirt: [0; _], width: width() };
        Side { random: Random::new(seed), set }
    }

    fn call(&mut self, visit: extern "C" fn(*mut ()), data: *mut ()) -> Result<(), String> {
        let Side { random, set } = self;
        random.fill(&mut set.preserved);
        random.fill(&mut set.dirt);
        set.flags = random.next() & FLAGS;
        let mut after = After::default();
        // SAFETY: both records are ours; each visitor below is called with the data it expects.
        unsafe { call_with(visit, data, set, &mut after) };
        if after.flags & DIRECTION != 0 {
            return Err("the direction flag is set".to_owned());
        }
        let pairs = set.preserved.iter().zip(after.preserved);
        match PRESERVED.iter().zip(pairs).find(|(_, (before, after))| *before != after) {
            None => Ok(()),
            Some((name, (before, after))) => {
                Err(format!("{name} was {before:#x} and came back as {after:#x}"))
            }
        }
    }
}

#[inline(never)]
extern "C" fn cross_to_other(pair: *mut ()) {
    // SAFETY: called with the pair.
    unsafe { &*pair.cast::<Pair<Ball>>() }.to_other();
}

#[inline(never)]
extern "C" fn cross_to_main(pair: *mut ()) {
    // SAFETY: called with the pair.
    unsafe { &*pair.cast::<Pair<Ball>>() }.to_main();
}

unsafe extern "C" fn other(payload: Word, _: usize, _: *const Context, _: *const Context) -> ! {
    // SAFETY: the tests below make a pair with a `Ball`.
    let pair = unsafe { Pair::<Ball>::of(payload) };
    let mut side = Side::new(2);
    loop {
        if let Err(what) = side.call(cross_to_main, (&raw const *pair).cast_mut().cast()) {
            pair.ball.set(Some(format!("on the other side, {what}")));
        }
    }
}

#[test]
fn a_switch_keeps_what_a_call_keeps() {
    let pair = Pair::new(other, Ball::default());
    let mut side = Side::new(1);
    for round in 0..ROUNDS {
        if let Err(what) = side.call(cross_to_other, (&raw const *pair).cast_mut().cast()) {
            panic!("round {round}: {what}");
        }
        if let Some(what) = pair.ball.take() {
            panic!("round {round}: {what}");
        }
    }
}

/// As `other`, but for one time alone.
unsafe extern "C" fn ends(payload: Word, _: usize, from: *const Context, me: *const Context) -> ! {
    extern "C" fn nothing(_: *mut ()) {}
    // SAFETY: the test below makes a pair with a `Ball`.
    let pair = unsafe { Pair::<Ball>::of(payload) };
    if let Err(what) = Side::new(6).call(nothing, std::ptr::null_mut()) {
        pair.ball.set(Some(format!("on the other side, {what}")));
    }
    // SAFETY: `from` waits in `to_other`, and the pair is not crossed again.
    unsafe { leave(me, from, Word::new(std::ptr::null_mut()), 0) }
}

#[test]
fn one_who_leaves_for_ever_gives_back_what_a_call_keeps() {
    let mut side = Side::new(5);
    for round in 0..ROUNDS / 50 {
        let pair = Pair::new(ends, Ball::default());
        if let Err(what) = side.call(cross_to_other, (&raw const *pair).cast_mut().cast()) {
            panic!("round {round}: {what}");
        }
        assert_eq!(pair.ball.take(), None);
    }
}

/// The harness would notice: a function that breaks the promise for each register in turn.
#[test]
fn the_harness_sees_every_register() {
    extern "C" fn nothing(_: *mut ()) {}
    let mut side = Side::new(3);
    assert_eq!(side.call(nothing, std::ptr::null_mut()), Ok(()));
    for name in PRESERVED {
        let what = side.call(crate::operands::breaker(name), std::ptr::null_mut()).unwrap_err();
        assert!(what.starts_with(&format!("{name} was ")), "{what}");
    }
}

/// The same through the tree: plain switches, starts, ends and throws of greenlets.
#[test]
fn greenlets_keep_what_a_call_keeps() {
    extern "C" fn step(greenlet: *mut ()) {
        // SAFETY: called with a greenlet whose body takes and gives numbers.
        let greenlet = unsafe { &*greenlet.cast::<Greenlet>() };
        std::hint::black_box(greenlet.switch::<u64, u64>(7));
    }
    extern "C" fn throw(greenlet: *mut ()) {
        // SAFETY: called with a suspended greenlet.
        let greenlet = unsafe { &*greenlet.cast::<Greenlet>() };
        assert!(greenlet.try_throw::<u64>(5_u8).is_err());
    }
    extern "C" fn back(_: *mut ()) {
        std::hint::black_box(greenlet::suspend::<u64, u64>(8));
    }
    extern "C-unwind" fn back_or_unwind() {
        std::hint::black_box(greenlet::suspend::<u64, u64>(9));
    }
    let mut side = Side::new(4);
    for life in 0..ROUNDS / 100 {
        let mut greenlet = Greenlet::new(move |_: u64| -> u64 {
            let mut side = Side::new(life as u64);
            for _ in 0..10 {
                side.call(back, std::ptr::null_mut()).unwrap();
            }
            if life % 2 == 0 {
                back_or_unwind();
            }
            10
        });
        let data = (&raw mut greenlet).cast();
        for _ in 0..11 {
            side.call(step, data).unwrap();
        }
        if life % 2 == 0 {
            side.call(throw, data).unwrap();
        }
        assert!(greenlet.is_dead());
    }
}
