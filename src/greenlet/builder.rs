//! How a greenlet is made, and what can be chosen before.
#![expect(unsafe_code, reason = "stacks of memory that the caller brings")]

use super::control::{FOREIGN, UNBOUND, UNCOMMON};
use super::current::{Thread, thread};
use super::entry;
use super::handle::Greenlet;
use crate::stack::{Label, Shape, StackError, StackReuse};
use std::panic::Location;
use std::ptr::NonNull;

#[cold]
#[inline(never)]
#[track_caller]
fn new_without_stack_at_hand<A: 'static, R: 'static>(
    body: impl FnOnce(A) -> R + 'static,
) -> Greenlet {
    match Builder::new().create(body) {
        Ok(greenlet) => greenlet,
        Err(error) => panic!("cannot create a greenlet: {error}"),
    }
}

impl Greenlet {
    /// Makes a greenlet that will run `body` when the first value is sent to it. Runs nothing yet.
    ///
    /// The value that is sent first must be of `body`'s argument type; write `|()|` for none.
    /// Values are moved several times on their way: box what is larger than about a kilobyte.
    ///
    /// # Panics
    /// When there is no memory for another stack; see [`Greenlet::try_new`].
    #[inline(always)]
    #[track_caller]
    pub fn new<A: 'static, R: 'static>(body: impl FnOnce(A) -> R + 'static) -> Greenlet {
        let thread = thread();
        match thread.stacks.take_default() {
            Some(label) => entry::create(thread, label, 0, Location::caller(), body),
            None => new_without_stack_at_hand(body),
        }
    }

    /// As [`Greenlet::new`], but returns an error if there is no memory for another stack.
    ///
    /// # Errors
    /// [`StackError`], with nothing changed; `body` is dropped.
    #[inline]
    #[track_caller]
    pub fn try_new<A: 'static, R: 'static>(
        body: impl FnOnce(A) -> R + 'static,
    ) -> Result<Greenlet, StackError> {
        Builder::new().create(body)
    }

    /// Chooses name, stack and parent of a greenlet before it is made.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Makes a greenlet without a body, for greenlets that must know each other.
    ///
    /// Whatever is sent to it is refused until [`bind`](Greenlet::bind) has given it one. Bodies that hold
    /// each other's handles keep both greenlets alive until one has ended; if neither ever runs, both leak.
    /// To avoid that, let one hold the other by a [`WeakGreenlet`](crate::WeakGreenlet).
    ///
    /// ```
    /// use greenlet::Greenlet;
    /// let (a, b) = (Greenlet::unbound(), Greenlet::unbound());
    /// a.bind({ let b = b.clone(); move |x: i32| -> i32 { b.switch(x + 1) } });
    /// b.bind({ let a = a.clone(); move |x: i32| { a.switch_any(x * 10); } });
    /// assert_eq!(a.switch::<i32, i32>(1), 20);
    /// ```
    ///
    /// # Panics
    /// As [`Greenlet::new`].
    #[track_caller]
    pub fn unbound() -> Greenlet {
        match Builder::new().create_unbound() {
            Ok(greenlet) => greenlet,
            Err(error) => panic!("cannot create a greenlet: {error}"),
        }
    }

    /// Gives a body to a greenlet made by [`Greenlet::unbound`]; its parent stays.
    ///
    /// # Panics
    /// If it has a body already, or is dead.
    #[track_caller]
    #[doc(alias = "run")]
    pub fn bind<A: 'static, R: 'static>(&self, body: impl FnOnce(A) -> R + 'static) {
        match self.alive() {
            Some(block) if block.has(UNBOUND) => {
                block.clear(UNBOUND);
                entry::install(block, body);
            }
            Some(_) => panic!("{self} has a body already"),
            None => panic!("{self} is dead and cannot be given a body"),
        }
    }
}

/// Configures a greenlet before it is made; see [`Greenlet::builder`].
///
/// ```
/// use greenlet::Greenlet;
/// let g = Greenlet::builder().name("worker").stack_size(256 * 1024).create(|x: i32| x + 1)?;
/// assert_eq!(g.name().as_deref(), Some("worker"));
/// assert_eq!(g.switch::<i32, i32>(1), 2);
/// # Ok::<(), greenlet::StackError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder makes nothing until `create`"]
pub struct Builder {
    name: Option<Box<str>>,
    shape: Shape,
    memory: Option<(NonNull<u8>, usize)>,
    parent: Option<Greenlet>,
}

impl Builder {
    pub(super) fn new() -> Builder {
        Builder { name: None, shape: Shape::DEFAULT, memory: None, parent: None }
    }

    /// The name that reports use.
    pub fn name(mut self, name: impl Into<Box<str>>) -> Builder {
        self.name = Some(name.into());
        self
    }

    /// Usable stack, in bytes: 32 KiB to 8 MiB, rounded up to a power of two. Default 64 KiB.
    pub fn stack_size(mut self, bytes: usize) -> Builder {
        self.shape.stack_bytes = bytes;
        self
    }

    /// The guard below the stack, in bytes: at least a page, rounded up to pages. Default 64 KiB.
    ///
    /// One page is enough for Rust code, which touches each page of a large frame. C code compiled without
    /// `-fstack-clash-protection` can jump over any guard that is smaller than its largest frame.
    pub fn guard_size(mut self, bytes: usize) -> Builder {
        self.shape.guard_bytes = bytes;
        self
    }

    /// What happens to the old contents of a stack that is used again. Default [`StackReuse::Fast`].
    pub fn reuse(mut self, reuse: StackReuse) -> Builder {
        self.shape.reuse = reuse;
        self
    }

    /// The parent, instead of the current greenlet.
    pub fn parent(mut self, parent: &Greenlet) -> Builder {
        self.parent = Some(parent.clone());
        self
    }

    /// Runs the greenlet on the caller's memory: `bytes` from `memory` upwards, at least 4 KiB, or else
    /// [`create`](Builder::create) returns [`StackError::Size`]. Size, guard and reuse of this builder then have
    /// no effect.
    ///
    /// ```
    /// use greenlet::{Greenlet, StackError};
    /// use std::ptr::NonNull;
    /// let mut memory = vec![0_u8; 64 << 10];
    /// let start = NonNull::from(&mut memory[..]).cast();
    /// // SAFETY: the memory outlives the greenlet, and one that adds needs no more.
    /// let adder = unsafe { Greenlet::builder().stack_memory(start, memory.len()) };
    /// assert_eq!(adder.create(|x: i32| x + 1)?.switch::<i32, i32>(6), 7);
    /// // SAFETY: it is refused.
    /// let small = unsafe { Greenlet::builder().stack_memory(start, 4095) };
    /// assert!(matches!(small.create(|()| ()), Err(StackError::Size { least_bytes: 4096, .. })));
    /// # Ok::<(), StackError>(())
    /// ```
    ///
    /// # Safety
    /// - `memory` points to `bytes` writable bytes, which nothing else uses until the greenlet is dead and the call
    ///   that ended it has returned: also no other greenlet of this builder or of a clone of it. If the greenlet is
    ///   leaked, which is reported, nothing may ever use them again.
    /// - An overflow of this stack is not caught: the memory below it must be guarded, or the
    ///   body known not to need more.
    pub unsafe fn stack_memory(mut self, memory: NonNull<u8>, bytes: usize) -> Builder {
        self.memory = Some((memory, bytes));
        self
    }

    /// Makes the greenlet; runs nothing yet. See [`Greenlet::new`].
    ///
    /// # Errors
    /// [`StackError`], with nothing changed; `body` is dropped.
    #[track_caller]
    pub fn create<A: 'static, R: 'static>(
        self,
        body: impl FnOnce(A) -> R + 'static,
    ) -> Result<Greenlet, StackError> {
        let created = Location::caller();
        let thread = thread();
        let (label, flags) = self.stack(thread)?;
        let greenlet = entry::create(thread, label, flags, created, body);
        Ok(self.finish(greenlet))
    }

    /// Makes a greenlet without a body; see [`Greenlet::unbound`].
    ///
    /// # Errors
    /// [`StackError`], with nothing changed.
    #[track_caller]
    pub fn create_unbound(self) -> Result<Greenlet, StackError> {
        let created = Location::caller();
        let thread = thread();
        let (label, flags) = self.stack(thread)?;
        let greenlet = entry::create_unbound(thread, label, flags, created);
        Ok(self.finish(greenlet))
    }

    fn stack(&self, thread: &Thread) -> Result<(NonNull<Label>, u32), StackError> {
        if let Some((memory, bytes)) = self.memory {
            return Ok((thread.stacks.take_foreign(memory.as_ptr(), bytes)?, FOREIGN | UNCOMMON));
        }
        let Shape { stack_bytes, guard_bytes, reuse } = self.shape;
        let shape = Shape::new(stack_bytes, guard_bytes, reuse)?;
        if shape != Shape::DEFAULT {
            return Ok((thread.stacks.take(shape)?, UNCOMMON));
        }
        let ready = thread.stacks.take_default();
        Ok((ready.map_or_else(|| thread.stacks.take(shape), Ok)?, 0))
    }

    fn finish(self, greenlet: Greenlet) -> Greenlet {
        if let Some(block) = greenlet.alive()
            && let Some(name) = self.name
        {
            block.label.set_name(name);
            block.set(UNCOMMON);
        }
        if let Some(parent) = &self.parent {
            // A new greenlet has no descendants, so there is no cycle.
            let _ = greenlet.set_parent(parent);
        }
        greenlet
    }
}
