//! The asymmetric case with types: coroutines and generators.

use super::handle::{Greenlet, current_id};
use super::state::GreenletId;
use super::suspend::suspend;
use std::fmt;
use std::marker::PhantomData;

/// What [`Coroutine::resume`] returns.
#[doc(alias = "CoroutineState")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<Yield, Return> {
    /// It gave a value and waits.
    Yielded(Yield),
    /// It has ended.
    Returned(Return),
}

/// What a coroutine's body is given, to send values to the caller of [`Coroutine::resume`].
pub struct Yielder<In, Yield, Return = ()> {
    owner: GreenletId,
    types: PhantomData<fn(Yield, Return) -> In>,
}

impl<In: 'static, Yield: 'static, Return: 'static> Yielder<In, Yield, Return> {
    /// Gives `value` to the caller of [`Coroutine::resume`], and waits for the next one.
    ///
    /// # Panics
    /// If another greenlet than the coroutine itself calls it, or while the coroutine is being killed.
    ///
    /// # Cancellation
    /// Dropping the coroutine raises [`GreenletExit`](crate::GreenletExit) here.
    #[inline]
    #[track_caller]
    #[doc(alias("yield", "yield_", "suspend"))]
    pub fn give(&self, value: Yield) -> In {
        assert!(current_id() == self.owner, "give belongs into the body of its own coroutine");
        suspend(Step::<Yield, Return>::Yielded(value))
    }
}

impl<In, Yield, Return> fmt::Debug for Yielder<In, Yield, Return> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Yielder({})", self.owner)
    }
}

/// A greenlet with fixed types that always returns to the one that resumed it.
///
/// ```
/// use greenlet::{Coroutine, Step};
/// let mut sums = Coroutine::new(|out, mut x: i32| {
///     let mut sum = 0;
///     while x != 0 {
///         sum += x;
///         x = out.give(sum);
///     }
///     "done"
/// });
/// assert_eq!(sums.resume(3), Step::Yielded(3));
/// assert_eq!(sums.resume(4), Step::Yielded(7));
/// assert_eq!(sums.resume(0), Step::Returned("done"));
/// assert!(sums.is_done());
/// ```
pub struct Coroutine<In, Yield, Return> {
    greenlet: Greenlet,
    types: PhantomData<fn(In) -> Step<Yield, Return>>,
}

impl<In: 'static, Yield: 'static, Return: 'static> Coroutine<In, Yield, Return> {
    /// Makes a coroutine that will run `body` at the first [`resume`](Coroutine::resume).
    ///
    /// # Panics
    /// As [`Greenlet::new`].
    #[track_caller]
    pub fn new(
        body: impl FnOnce(&Yielder<In, Yield, Return>, In) -> Return + 'static,
    ) -> Coroutine<In, Yield, Return> {
        let greenlet = Greenlet::new(move |first: In| {
            let yielder = Yielder { owner: current_id(), types: PhantomData };
            Step::<Yield, Return>::Returned(body(&yielder, first))
        });
        Coroutine { greenlet, types: PhantomData }
    }

    /// Runs it until it gives a value or ends.
    ///
    /// # Panics
    /// If it has ended before, or is running (it resumed itself). A panic of the body is raised
    /// here.
    ///
    /// # Cancellation
    /// As [`Greenlet::switch`].
    #[inline]
    #[track_caller]
    pub fn resume(&mut self, value: In) -> Step<Yield, Return> {
        assert!(!self.is_done(), "a coroutine that has ended was resumed");
        self.greenlet.adopt();
        self.greenlet.switch(value)
    }

    /// Whether it has ended.
    pub fn is_done(&self) -> bool {
        self.greenlet.is_dead()
    }

    /// The greenlet underneath.
    pub fn greenlet(&self) -> &Greenlet {
        &self.greenlet
    }
}

impl<In, Yield, Return> fmt::Debug for Coroutine<In, Yield, Return> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Coroutine({:?})", self.greenlet)
    }
}

/// An iterator whose items a body gives one by one; made by [`generator`].
#[derive(Debug)]
pub struct Generator<Item>(Coroutine<(), Item, ()>);

/// An iterator whose items `body` gives one by one.
///
/// ```
/// let fibonacci = greenlet::generator(|out| {
///     let (mut a, mut b) = (0_u64, 1);
///     loop {
///         out.give(a);
///         (a, b) = (b, a + b);
///     }
/// });
/// assert_eq!(fibonacci.take(8).collect::<Vec<_>>(), [0, 1, 1, 2, 3, 5, 8, 13]);
/// ```
///
/// # Panics
/// As [`Greenlet::new`]; a panic of the body is raised by `next`.
///
/// # Cancellation
/// `next` is cancelled as [`Greenlet::switch`].
#[track_caller]
pub fn generator<Item: 'static>(
    body: impl FnOnce(&Yielder<(), Item>) + 'static,
) -> Generator<Item> {
    Generator(Coroutine::new(move |out, ()| body(out)))
}

impl<Item: 'static> Iterator for Generator<Item> {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        if self.0.is_done() {
            return None;
        }
        match self.0.resume(()) {
            Step::Yielded(item) => Some(item),
            Step::Returned(()) => None,
        }
    }
}

impl<Item: 'static> std::iter::FusedIterator for Generator<Item> {}
