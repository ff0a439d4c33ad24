//! The measured work, written once and instantiated for every Rust peer.
//!
//! A body suspends in an endless loop, either directly or at the bottom of a chain of calls that are
//! never inlined; so every round trip calls down the chain, suspends, is resumed and returns up
//! again, as a `recv` inside a handler does. The value makes the trip both ways and is changed on
//! each level, so that no call is a tail call and no step can be left out.

use std::hint::black_box;

use crate::measure::{Case, Stopwatch};

/// The way from a body back to whoever resumed it.
pub trait Out {
    /// Gives `value` to the resumer and waits for the next one.
    fn suspend(&self, value: usize) -> usize;
}

/// What a coroutine does.
pub trait Body: Send + 'static {
    /// Runs with the first value; the result is the coroutine's last one.
    fn run(self, out: &impl Out, first: usize) -> usize;
}

/// A body that does one thing for ever.
pub trait Endless: Body + Copy {
    /// Goes down its chain of calls, suspends there and comes back.
    fn step(self, out: &impl Out, value: usize) -> usize;
}

/// A kind of coroutine.
pub trait Peer: 'static {
    /// Its name in the table.
    const NAME: &'static str;
    /// A live coroutine; dropping it ends it.
    type Handle: 'static;

    /// Creates a coroutine that has not run yet.
    fn start(body: impl Body) -> Self::Handle;

    /// Gives `value` and waits for what the coroutine gives back.
    fn resume(handle: &mut Self::Handle, value: usize) -> usize;

    /// Creates one, runs it to its end and gives its stack back. `spare` is for peers whose only
    /// pool is a finished coroutine.
    #[inline(always)]
    fn finish_one(spare: &mut Option<Self::Handle>, value: usize) -> usize {
        let _ = spare;
        Self::resume(&mut Self::start(Finish), value)
    }

    /// Creates one, lets it suspend two calls deep and ends it there.
    #[inline(always)]
    fn kill_one(spare: &mut Option<Self::Handle>, value: usize) -> usize {
        let _ = spare;
        Self::resume(&mut Self::start(Two), value)
    }

    /// Creates one and drops it without ever running it.
    #[inline(always)]
    fn drop_one(spare: &mut Option<Self::Handle>) {
        let _ = spare;
        black_box(Self::start(Finish));
    }
}

#[inline(always)]
fn here<O: Out>(out: &O, value: usize) -> usize {
    out.suspend(value)
}

/// One call level. The step differs between the two chains: equal functions would be merged.
macro_rules! level {
    ($name:ident, $inner:ident, $step:literal) => {
        #[inline(never)]
        fn $name<O: Out>(out: &O, value: usize) -> usize {
            $inner(out, value.wrapping_add($step)).wrapping_add($step)
        }
    };
}

level!(one, here, 1);
level!(two, one, 1);
level!(three, two, 1);
level!(four, three, 1);
level!(other_one, here, 3);
level!(other_two, other_one, 3);

macro_rules! endless {
    ($(#[$doc:meta])* $body:ident, $inner:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $body;
        impl Endless for $body {
            #[inline(always)]
            fn step(self, out: &impl Out, value: usize) -> usize {
                $inner(out, value)
            }
        }
        impl Body for $body {
            #[inline(always)]
            fn run(self, out: &impl Out, first: usize) -> usize {
                let mut value = first;
                loop {
                    value = self.step(out, value);
                }
            }
        }
    };
}

endless!(
    /// Suspends in the body itself.
    Zero, here);
endless!(
    /// Suspends two calls below the body.
    Two, two);
endless!(
    /// Suspends four calls below the body.
    Four, four);
endless!(
    /// Suspends two calls below the body, in other functions than [`Two`].
    OtherTwo, other_two);

/// Returns at once.
#[derive(Clone, Copy)]
pub struct Finish;

impl Body for Finish {
    #[inline(always)]
    fn run(self, _: &impl Out, first: usize) -> usize {
        first.wrapping_add(1)
    }
}

#[inline(never)]
fn resumer_one<P: Peer>(handle: &mut P::Handle, value: usize) -> usize {
    P::resume(handle, value.wrapping_add(1)).wrapping_add(1)
}

#[inline(never)]
fn resumer_two<P: Peer>(handle: &mut P::Handle, value: usize) -> usize {
    resumer_one::<P>(handle, value.wrapping_add(1)).wrapping_add(1)
}

/// `step` again and again, each time with what it gave back the last time.
#[inline(always)]
fn repeated<S: 'static>(
    name: &'static str,
    mut state: S,
    step: impl Fn(&mut S, usize) -> usize + 'static,
) -> Case {
    Case::new(name, 1, move |laps| {
        let start = Stopwatch::start();
        let mut value = 0;
        for _ in 0..laps {
            value = step(&mut state, value);
        }
        black_box(value);
        start.elapsed()
    })
}

/// One coroutine, resumed from the loop itself.
pub fn round_trip<P: Peer>(body: impl Body) -> Case {
    let mut handle = P::start(body);
    P::resume(&mut handle, 0);
    repeated(P::NAME, handle, P::resume)
}

/// One coroutine, resumed two calls below the loop.
pub fn round_trip_from_two_calls<P: Peer>(body: impl Body) -> Case {
    let mut handle = P::start(body);
    P::resume(&mut handle, 0);
    repeated(P::NAME, handle, resumer_two::<P>)
}

/// Many coroutines, resumed in turn; the odd ones suspend inside the other chain of calls.
pub fn two_chains<P: Peer>(count: usize) -> Case {
    let start = |index| if index % 2 == 0 { P::start(Two) } else { P::start(OtherTwo) };
    in_turn::<P>((0..count).map(start).collect())
}

/// Many coroutines, resumed in turn.
pub fn ring<P: Peer>(count: usize) -> Case {
    in_turn::<P>((0..count).map(|_| P::start(Two)).collect())
}

fn in_turn<P: Peer>(mut handles: Vec<P::Handle>) -> Case {
    for handle in &mut handles {
        P::resume(handle, 0);
    }
    Case::new(P::NAME, handles.len(), move |laps| {
        let start = Stopwatch::start();
        let mut value = 0;
        for _ in 0..laps {
            for handle in &mut handles {
                value = P::resume(handle, value);
            }
        }
        black_box(value);
        start.elapsed()
    })
}

/// Create, run to the end, give the stack back.
pub fn create_finish<P: Peer>() -> Case {
    repeated(P::NAME, None, P::finish_one)
}

#[inline(never)]
fn creator_one<P: Peer>(spare: &mut Option<P::Handle>, value: usize) -> usize {
    P::finish_one(spare, value.wrapping_add(1)).wrapping_add(1)
}

#[inline(never)]
fn creator_two<P: Peer>(spare: &mut Option<P::Handle>, value: usize) -> usize {
    creator_one::<P>(spare, value.wrapping_add(1)).wrapping_add(1)
}

/// As [`create_finish`], two calls below the loop.
pub fn create_finish_in_two_calls<P: Peer>() -> Case {
    repeated(P::NAME, None, creator_two::<P>)
}

/// Create, run until it suspends two calls deep, end it there.
pub fn create_kill<P: Peer>() -> Case {
    repeated(P::NAME, None, P::kill_one)
}

/// Create and drop without ever running it.
pub fn create_unstarted<P: Peer>() -> Case {
    let mut spare = None;
    Case::new(P::NAME, 1, move |laps| {
        let start = Stopwatch::start();
        for _ in 0..laps {
            P::drop_one(&mut spare);
        }
        start.elapsed()
    })
}

/// Panics unless the peer carries values as the measured loops expect.
pub fn check<P: Peer>() {
    let mut deep = P::start(Four);
    assert_eq!(P::resume(&mut deep, 10), 14, "{}: four levels down", P::NAME);
    assert_eq!(P::resume(&mut deep, 100), 108, "{}: four up, four down", P::NAME);
    let mut flat = P::start(Zero);
    assert_eq!(P::resume(&mut flat, 7), 7, "{}: the first value", P::NAME);
    assert_eq!(P::resume(&mut flat, 8), 8, "{}: the second value", P::NAME);
    assert_eq!(resumer_two::<P>(&mut deep, 0), 12, "{}: from two calls", P::NAME);
    let mut spare = None;
    for value in 1..4 {
        assert_eq!(P::finish_one(&mut spare, value), value + 1, "{}: its result", P::NAME);
        assert_eq!(P::kill_one(&mut spare, value), value + 2, "{}: killed", P::NAME);
    }
    P::drop_one(&mut spare);
    P::drop_one(&mut spare);
}
