//! generator-rs, on its own stacks of the same size (it takes none from outside).

use std::cell::UnsafeCell;
use std::hint::black_box;

use generator::{Gn, Scope};

use crate::slab::{GUARD, STRIDE};
use crate::work::{Body, Finish, Out, Peer, Two};

/// generator-rs with values of one word.
pub struct Generator;

type Handle = generator::Generator<'static, usize, usize>;

const STACK_WORDS: usize = (STRIDE - GUARD) / size_of::<usize>();

/// `yield_` wants the scope mutably; a body lends it out shared.
struct Back<'s>(UnsafeCell<Scope<'s, 'static, usize, usize>>);

impl Out for Back<'_> {
    #[inline(always)]
    fn suspend(&self, value: usize) -> usize {
        // SAFETY: the scope belongs to one body, which is suspended while it is in use.
        let scope = unsafe { &mut *self.0.get() };
        scope.yield_(value).expect("every resume brings a value")
    }
}

#[inline(always)]
fn run(body: impl Body, mut scope: Scope<'_, 'static, usize, usize>) -> usize {
    let first = scope.get_yield().expect("the first resume brings a value");
    body.run(&Back(UnsafeCell::new(scope)), first)
}

/// A finished generator is this peer's pool: a new body is put into the old stack.
#[inline(always)]
fn reuse(spare: &mut Option<Handle>, body: impl Body) -> &mut Handle {
    match spare {
        Some(handle) => {
            handle.scoped_init(move |scope| run(body, scope));
            handle
        }
        None => spare.insert(Generator::start(body)),
    }
}

impl Peer for Generator {
    const NAME: &'static str = "generator";
    type Handle = Handle;

    #[inline(always)]
    fn start(body: impl Body) -> Self::Handle {
        Gn::new_scoped_opt(STACK_WORDS, move |scope| run(body, scope))
    }

    #[inline(always)]
    fn resume(handle: &mut Self::Handle, value: usize) -> usize {
        handle.send(value)
    }

    #[inline(always)]
    fn finish_one(spare: &mut Option<Self::Handle>, value: usize) -> usize {
        reuse(spare, Finish).send(value)
    }

    #[inline(always)]
    fn kill_one(spare: &mut Option<Self::Handle>, value: usize) -> usize {
        let handle = reuse(spare, Two);
        let value = handle.send(value);
        handle.cancel();
        value
    }

    #[inline(always)]
    fn drop_one(spare: &mut Option<Self::Handle>) {
        // The body that was put in by the call before is dropped by the next `scoped_init`.
        black_box(reuse(spare, Finish));
    }
}
