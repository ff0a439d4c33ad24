//! corosensei, on our stacks.

use std::any::Any;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use corosensei::{Coroutine, CoroutineResult, Yielder};

use crate::measure::{Case, Stopwatch};
use crate::slab::Slot;
use crate::work::{Body, Out, Peer};

/// corosensei with values of one word.
pub struct Corosensei;

struct Back<'a>(&'a Yielder<usize, usize>);

impl Out for Back<'_> {
    #[inline(always)]
    fn suspend(&self, value: usize) -> usize {
        self.0.suspend(value)
    }
}

impl Peer for Corosensei {
    const NAME: &'static str = super::BASE;
    type Handle = Coroutine<usize, usize, usize, Slot>;

    #[inline(always)]
    fn start(body: impl Body) -> Self::Handle {
        Coroutine::with_stack(Slot::take(), move |out, first| body.run(&Back(out), first))
    }

    #[inline(always)]
    fn resume(handle: &mut Self::Handle, value: usize) -> usize {
        match handle.resume(value) {
            CoroutineResult::Yield(value) | CoroutineResult::Return(value) => value,
        }
    }
}

type Thrown = Result<usize, Box<dyn Any + Send>>;

/// What stands in for a throw here: an error as the value that `suspend` returns. The body takes it
/// as a value.
pub fn caught_as_value() -> Case {
    throwing("corosensei (error as a value)", |out, value| match out.suspend(value) {
        Ok(value) => value,
        Err(payload) => *payload.downcast().expect("a word was thrown"),
    })
}

/// The same, but the body raises it and catches it again two calls further up.
pub fn caught_by_unwinding() -> Case {
    #[inline(never)]
    fn two(out: &Yielder<Thrown, usize>, value: usize) -> usize {
        one(out, value).wrapping_add(1)
    }
    #[inline(never)]
    fn one(out: &Yielder<Thrown, usize>, value: usize) -> usize {
        out.suspend(value).unwrap_or_else(|payload| resume_unwind(payload))
    }
    throwing("corosensei (error raised by hand)", |out, value| {
        match catch_unwind(AssertUnwindSafe(|| two(out, value))) {
            Ok(value) => value,
            // Anything else is corosensei's own way to end the body.
            Err(payload) => *payload.downcast().unwrap_or_else(|payload| resume_unwind(payload)),
        }
    })
}

fn throwing(name: &str, wait: impl Fn(&Yielder<Thrown, usize>, usize) -> usize + 'static) -> Case {
    let mut handle: Coroutine<Thrown, usize, (), Slot> =
        Coroutine::with_stack(Slot::take(), move |out, first: Thrown| {
            let mut value = first.unwrap_or(0);
            loop {
                value = wait(out, value);
            }
        });
    handle.resume(Ok(0));
    Case::new(name, 1, move |laps| {
        let start = Stopwatch::start();
        let mut value = 0;
        for _ in 0..laps {
            match handle.resume(Err(Box::new(value))) {
                CoroutineResult::Yield(back) => value = back,
                CoroutineResult::Return(()) => unreachable!("the body is endless"),
            }
        }
        black_box(value);
        start.elapsed()
    })
}
