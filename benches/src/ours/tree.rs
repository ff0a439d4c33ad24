//! The greenlets themselves.

use std::any::Any;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use greenlet::{Greenlet, SwitchError, current, set_trace, suspend};

use super::{AHEAD as AHEAD_NAME, SUSPEND, SWITCH};
use crate::measure::{Case, Stopwatch};
use crate::work::{self, Body, Endless, Out, Peer, Two};

/// A way to carry a word to a greenlet and back through a handle of the other side.
macro_rules! peer {
    ($(#[$doc:meta])* $peer:ident, $name:expr, |$target:ident, $value:ident| $switch:expr,
     sends $sent:ty, $wrap:expr, $unwrap:expr) => {
        $(#[$doc])*
        pub(super) struct $peer;
        impl Peer for $peer {
            const NAME: &'static str = $name;
            type Handle = Greenlet;

            #[inline(always)]
            fn start(body: impl Body) -> Greenlet {
                struct Home(Greenlet);
                impl Out for Home {
                    #[inline(always)]
                    fn suspend(&self, $value: usize) -> usize {
                        let $target = &self.0;
                        $switch
                    }
                }
                let home = current();
                Greenlet::new(move |first: $sent| -> $sent {
                    $wrap(body.run(&Home(home), $unwrap(first)))
                })
            }

            #[inline(always)]
            fn resume($target: &mut Greenlet, $value: usize) -> usize {
                $switch
            }
        }
    };
}

#[inline(always)]
fn same(value: usize) -> usize {
    value
}

#[inline(always)]
fn widen(value: usize) -> [usize; 3] {
    [value, 0, 0]
}

#[inline(always)]
fn narrow([value, _, _]: [usize; 3]) -> usize {
    value
}

#[inline(always)]
fn taken(result: Result<usize, SwitchError<usize>>) -> usize {
    match result {
        Ok(value) => value,
        Err(SwitchError::Thrown(payload)) => payload.resume(),
        Err(error) => panic!("{error}"),
    }
}

peer!(
    /// `switch` through a handle both ways.
    Switch, SWITCH, |target, value| target.switch::<usize, usize>(value), sends usize, same, same);
peer!(
    /// `try_switch` both ways.
    TrySwitch, "try_switch", |target, value| taken(target.try_switch::<usize, usize>(value)),
    sends usize, same, same);
peer!(
    /// `switch_any` both ways.
    SwitchAny, "switch_any", |target, value| target.switch_any(value).get::<usize>(),
    sends usize, same, same);
peer!(
    /// `switch` with a value too large for a register.
    Wide, "24-byte value", |target, value| narrow(target.switch(widen(value))),
    sends [usize; 3], widen, narrow);

/// `switch` to the greenlet, `suspend` as the way back.
pub(super) struct Suspend;

struct ToParent;

impl Out for ToParent {
    #[inline(always)]
    fn suspend(&self, value: usize) -> usize {
        suspend::<usize, usize>(value)
    }
}

impl Peer for Suspend {
    const NAME: &'static str = SUSPEND;
    type Handle = Greenlet;

    #[inline(always)]
    fn start(body: impl Body) -> Greenlet {
        Greenlet::new(move |first: usize| -> usize { body.run(&ToParent, first) })
    }

    #[inline(always)]
    fn resume(handle: &mut Greenlet, value: usize) -> usize {
        handle.switch(value)
    }
}

/// As [`work::ring`] of [`Suspend`], for a driver that knows who is next.
pub(super) fn ring_looking_ahead(count: usize) -> Case {
    const AHEAD: usize = 6;
    let mut handles: Vec<Greenlet> = (0..count).map(|_| Suspend::start(Two)).collect();
    for handle in &mut handles {
        Suspend::resume(handle, 0);
    }
    Case::new(AHEAD_NAME, count, move |laps| {
        let start = Stopwatch::start();
        let mut value = 0;
        for _ in 0..laps {
            for place in 0..count {
                if let Some(coming) = handles.get(place + AHEAD) {
                    coming.prefetch();
                }
                value = Suspend::resume(&mut handles[place], value);
            }
        }
        black_box(value);
        start.elapsed()
    })
}

/// The round trip of [`Switch`] with a tracer that does nothing.
pub(super) fn traced(body: impl Endless) -> Case {
    let mut inner = work::round_trip::<Switch>(body);
    Case::new("empty tracer set", 1, move |laps| {
        let before = set_trace(Some(Rc::new(|_| {})));
        let took = inner.run(laps);
        set_trace(before);
        took
    })
}

/// [`Two`] adds this between two suspensions: one on each of two levels, down and up.
const CHAIN_ADDS: usize = 4;
const CHAIN_ADDS_GOING_UP: usize = 2;

/// On to the next sibling, or home when the value has counted down to zero.
struct Onward {
    next: Greenlet,
    home: Greenlet,
}

impl Out for Onward {
    #[inline(always)]
    fn suspend(&self, value: usize) -> usize {
        let left = value - CHAIN_ADDS - 1;
        let target = if left == 0 { &self.home } else { &self.next };
        target.switch::<usize, usize>(left)
    }
}

/// Siblings that switch straight to one another. Each holds the next one's handle, a cycle that
/// lives until the program ends.
pub(super) fn direct(count: usize) -> Case {
    let siblings: Vec<Greenlet> = (0..count).map(|_| Greenlet::unbound()).collect();
    for (index, sibling) in siblings.iter().enumerate() {
        let onward = Onward { next: siblings[(index + 1) % count].clone(), home: current() };
        sibling
            .bind(move |first: usize| -> usize { Two.run(&onward, first + CHAIN_ADDS_GOING_UP) });
    }
    Case::new(SWITCH, count, move |laps| {
        let hops = laps as usize * count;
        let start = Stopwatch::start();
        black_box(siblings[0].switch::<usize, usize>(hops));
        start.elapsed()
    })
}

/// A throw that `try_switch` takes as a value.
pub(super) fn throw_caught() -> Case {
    throwing(|home, value| match home.try_switch::<usize, usize>(value) {
        Ok(value) => value,
        Err(SwitchError::Thrown(payload)) => thrown(payload.into_inner()),
        Err(error) => panic!("{error}"),
    })
}

/// A throw that `switch` raises, caught two calls further up.
pub(super) fn throw_unwinding() -> Case {
    #[inline(never)]
    fn two(home: &Greenlet, value: usize) -> usize {
        one(home, value).wrapping_add(1)
    }
    #[inline(never)]
    fn one(home: &Greenlet, value: usize) -> usize {
        home.switch::<usize, usize>(value).wrapping_add(1)
    }
    throwing(|home, value| match catch_unwind(AssertUnwindSafe(|| two(home, value))) {
        Ok(value) => value,
        Err(payload) => thrown(payload),
    })
}

/// The word that was thrown; anything else is the end of the body.
#[inline(always)]
fn thrown(payload: Box<dyn Any + Send>) -> usize {
    *payload.downcast().unwrap_or_else(|payload| resume_unwind(payload))
}

fn throwing(wait: impl Fn(&Greenlet, usize) -> usize + 'static) -> Case {
    let home = current();
    let target = Greenlet::new(move |first: usize| -> usize {
        let mut value = first;
        loop {
            value = wait(&home, value);
        }
    });
    target.switch::<usize, usize>(0);
    Case::new(SWITCH, 1, move |laps| {
        let start = Stopwatch::start();
        let mut value = 0;
        for _ in 0..laps {
            value = target.throw::<usize>(value);
        }
        black_box(value);
        start.elapsed()
    })
}

/// Panics unless every way carries values as the measured loops expect.
pub(super) fn check() {
    work::check::<Switch>();
    work::check::<TrySwitch>();
    work::check::<SwitchAny>();
    work::check::<Wide>();
    work::check::<Suspend>();
}
