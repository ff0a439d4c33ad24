//! `Greenlet`: the handle, and everything that can be done with it.
#![expect(unsafe_code, reason = "a handle is two addresses")]

use super::control::{Block, Node, nowhere};
use super::cross::{cross, cross_if_taken, plain_target};
use super::current::{ORPHAN, Thread, thread};
use super::error::GreenletExit;
use super::state::GreenletId;
use super::switch::{TakesThrows, switch_slowly};
use super::value::Received;
use super::weak::WeakGreenlet;
use super::{RaisedPayload, SwitchError, kill, throw};
use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::mem::ManuallyDrop;

/// A greenlet: a body with a stack of its own, that runs when something is sent to it.
///
/// A handle is two words; clones name the same greenlet. It belongs to the thread that made it.
///
/// - The [`parent`](Greenlet::parent) is the greenlet that was current when this one was made; it
///   receives what the body returns or raises.
/// - When the last handle of a suspended greenlet is dropped, [`GreenletExit`] is raised in it and
///   it unwinds before the drop returns. Parents and children do not keep each other alive.
///
/// ```
/// use greenlet::{Greenlet, suspend};
/// let doubler = Greenlet::new(|mut x: i32| {
///     while x < 100 {
///         x = suspend(2 * x); // hand a value to the parent, wait for the next one
///     }
///     -1
/// });
/// let a: i32 = doubler.switch(4);
/// let b: i32 = doubler.switch(5);
/// let end: i32 = doubler.switch(100);
/// assert_eq!((a, b, end), (8, 10, -1));
/// assert!(doubler.is_dead());
/// ```
///
/// It cannot leave its thread:
/// ```compile_fail,E0277
/// let g = greenlet::Greenlet::new(|()| ());
/// std::thread::spawn(move || g.switch::<(), ()>(()));
/// ```
///
/// Bodies own what they use:
/// ```compile_fail,E0597
/// let local = String::new();
/// let borrowed = &local;
/// let g = greenlet::Greenlet::new(move |()| println!("{borrowed}"));
/// drop(local);
/// ```
#[doc(alias = "greenlet.greenlet")]
pub struct Greenlet {
    block: *const Block,
    node: *const Node,
}

impl Greenlet {
    /// Runs this greenlet with `value`, and waits until somebody sends the current one a `B`.
    ///
    /// An unstarted greenlet takes the value as its body's argument, a suspended one as the result
    /// of the call that suspended it. What is sent to a dead one goes to its nearest living ancestor; if
    /// that is the current greenlet, the value comes straight back.
    ///
    /// # Panics
    /// - What is thrown at the current greenlet is raised here, and so is the uncaught panic of a
    ///   child.
    /// - When the value is refused (see [`Why`](crate::Why)), or when a child ended with something
    ///   other than a `B`; the text names both types. Inside a destructor that runs during
    ///   unwinding this ends the process.
    ///
    /// # Cancellation
    /// A throw or kill is raised here; `value` was already taken by its receiver.
    #[inline(always)]
    #[track_caller]
    #[doc(alias = "resume")]
    pub fn switch<A: 'static, B: 'static>(&self, value: A) -> B {
        let mut value = ManuallyDrop::new(value);
        if let Some((thread, target)) = plain_target::<A>(|thread| self.living(thread)) {
            // SAFETY: `plain_target` found no flag set, and that the target awaits an `A`; we await
            // a `B`.
            return unsafe { throw::arrived(cross::<A, B>(thread, target, &mut value)) };
        }
        self.switch_or_panic(ManuallyDrop::into_inner(value))
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    fn switch_or_panic<A: 'static, B: 'static>(&self, value: A) -> B {
        let thread = thread();
        let mut value = ManuallyDrop::new(value);
        let target = self.living(thread);
        // SAFETY: once something has arrived, the value is not looked at again.
        if let Some(arrival) = unsafe { cross_if_taken::<A, B>(thread, target, &mut value) } {
            // SAFETY: it came to us, who await a `B`.
            return unsafe { throw::arrived(arrival) };
        }
        let result = switch_slowly(thread, self.node(), ManuallyDrop::into_inner(value));
        throw::value_or_panic(result, format_args!("switch to {self}"))
    }

    /// As [`switch`](Greenlet::switch), and waits for a value of any type.
    ///
    /// Use it where the answer does not matter: `g.switch_any(42);`
    ///
    /// # Panics
    /// As [`switch`](Greenlet::switch), but the end of a child is received, not raised.
    ///
    /// # Cancellation
    /// As [`switch`](Greenlet::switch).
    #[inline]
    #[track_caller]
    pub fn switch_any<A: 'static>(&self, value: A) -> Received {
        self.switch(value)
    }

    /// As [`switch`](Greenlet::switch), but returns an error instead of panicking.
    ///
    /// ```
    /// use greenlet::{Greenlet, SwitchError, Why};
    /// let g = Greenlet::new(|x: i32| x + 1);
    /// match g.try_switch::<&str, i32>("one") {
    ///     Err(SwitchError::Refused { why: Why::WrongType { .. }, value }) => assert_eq!(value, "one"),
    ///     _ => unreachable!(),
    /// }
    /// assert_eq!(g.try_switch::<i32, i32>(1).unwrap(), 2); // nothing had happened
    /// ```
    ///
    /// # Errors
    /// [`SwitchError::Refused`] with the value, when nothing happened;
    /// [`SwitchError::Thrown`] with what was thrown at the current greenlet meanwhile;
    /// [`SwitchError::ChildExited`] when a child ended with something other than a `B`.
    ///
    /// # Cancellation
    /// A throw or kill is returned as [`SwitchError::Thrown`].
    #[inline(always)]
    pub fn try_switch<A: 'static, B: 'static>(&self, value: A) -> Result<B, SwitchError<A>> {
        let _takes_throws = TakesThrows::in_current();
        let mut value = ManuallyDrop::new(value);
        if let Some((thread, target)) = plain_target::<A>(|thread| self.living(thread)) {
            // SAFETY: as in `switch`.
            return unsafe { throw::try_arrived(cross::<A, B>(thread, target, &mut value)) };
        }
        self.switch_or_error(ManuallyDrop::into_inner(value))
    }

    #[cold]
    #[inline(never)]
    fn switch_or_error<A: 'static, B: 'static>(&self, value: A) -> Result<B, SwitchError<A>> {
        let thread = thread();
        let mut value = ManuallyDrop::new(value);
        let target = self.living(thread);
        // SAFETY: once something has arrived, the value is not looked at again.
        if let Some(arrival) = unsafe { cross_if_taken::<A, B>(thread, target, &mut value) } {
            // SAFETY: it came to us, who await a `B`.
            return unsafe { throw::try_arrived(arrival) };
        }
        switch_slowly(thread, self.node(), ManuallyDrop::into_inner(value))
            .map_err(SwitchError::from)
    }

    /// As [`try_switch`](Greenlet::try_switch), and waits for a value of any type.
    ///
    /// # Errors
    /// As [`try_switch`](Greenlet::try_switch); the end of a child is received, not an error.
    ///
    /// # Cancellation
    /// As [`try_switch`](Greenlet::try_switch).
    #[inline]
    pub fn try_switch_any<A: 'static>(&self, value: A) -> Result<Received, SwitchError<A>> {
        self.try_switch(value)
    }

    /// Raises `payload` in this greenlet, and waits until somebody sends the current one a `B`.
    ///
    /// In a suspended greenlet it is raised by the call that suspended it. An unstarted one ends
    /// without running, and the payload goes to its nearest living ancestor, as it does for a dead
    /// one; a [`GreenletExit`] goes there as a value. Thrown at the current greenlet, it is raised here.
    ///
    /// A greenlet that is parked in a hub (it sleeps, reads, waits for a lock) gets the payload when its turn
    /// comes. This call returns at once, and nobody answers: only `throw::<()>` can do it, any other `B` is
    /// refused with [`Why::Parked`](crate::Why::Parked).
    ///
    /// ```
    /// use greenlet::{Greenlet, suspend};
    /// use std::panic::catch_unwind;
    /// let g = Greenlet::new(|()| match catch_unwind(|| suspend::<i32, ()>(1)) {
    ///     Ok(()) => "resumed",
    ///     Err(payload) => payload.downcast_ref::<&str>().copied().unwrap_or("?"),
    /// });
    /// let _: i32 = g.switch(());
    /// assert_eq!(g.throw::<&str>("stop"), "stop");
    /// ```
    ///
    /// # Panics
    /// As [`switch`](Greenlet::switch).
    ///
    /// # Cancellation
    /// As [`switch`](Greenlet::switch): the payload was already raised in its receiver.
    #[track_caller]
    pub fn throw<B: 'static>(&self, payload: impl Any + Send) -> B {
        let result = throw::throw_at(thread(), self.node(), payload);
        throw::value_or_panic(result, format_args!("throw at {self}"))
    }

    /// As [`throw`](Greenlet::throw), and waits for a value of any type.
    ///
    /// # Panics
    /// As [`throw`](Greenlet::throw).
    ///
    /// # Cancellation
    /// As [`throw`](Greenlet::throw).
    #[track_caller]
    pub fn throw_any(&self, payload: impl Any + Send) -> Received {
        self.throw(payload)
    }

    /// As [`throw`](Greenlet::throw), but returns an error instead of panicking.
    ///
    /// # Errors
    /// As [`try_switch`](Greenlet::try_switch), with the payload in the place of the value.
    ///
    /// # Cancellation
    /// As [`try_switch`](Greenlet::try_switch).
    pub fn try_throw<B: 'static>(
        &self,
        payload: impl Any + Send,
    ) -> Result<B, SwitchError<RaisedPayload>> {
        let _takes_throws = TakesThrows::in_current();
        throw::throw_at(thread(), self.node(), payload).map_err(SwitchError::from)
    }

    /// Ends this greenlet quietly: throws [`GreenletExit`] at it, and waits for any value.
    ///
    /// Unless its body catches the exit, the answer is the [`GreenletExit`] itself. A task that is parked
    /// cannot be ended so: use [`JoinHandle::kill`](crate::JoinHandle::kill).
    ///
    /// ```
    /// use greenlet::{Greenlet, GreenletExit, suspend};
    /// let g = Greenlet::new(|()| suspend::<i32, ()>(1));
    /// let _: i32 = g.switch(());
    /// assert!(g.kill().is::<GreenletExit>());
    /// assert!(g.is_dead());
    /// ```
    ///
    /// # Panics
    /// As [`throw`](Greenlet::throw).
    ///
    /// # Cancellation
    /// As [`throw`](Greenlet::throw).
    #[track_caller]
    pub fn kill(&self) -> Received {
        self.throw(GreenletExit)
    }

    /// A handle that does not keep it alive.
    pub fn downgrade(&self) -> WeakGreenlet {
        WeakGreenlet::new(self.node())
    }

    /// Turns the handle into a word, which keeps the greenlet alive until [`Greenlet::from_raw`].
    pub fn into_raw(self) -> *const () {
        let node = self.node;
        std::mem::forget(self);
        node.cast()
    }

    /// Turns the word back into a handle.
    ///
    /// # Safety
    /// - `raw` came from [`Greenlet::into_raw`] on this thread, and was not taken back yet.
    pub unsafe fn from_raw(raw: *const ()) -> Greenlet {
        let node = raw.cast::<Node>();
        // SAFETY: the word stands for a counted handle, so the node is in use.
        let block = unsafe { &*node }.block().map_or(nowhere(), |block| block);
        Greenlet { block, node }
    }

    /// A handle that does not count, for the time that the greenlet is known to live.
    pub(super) fn uncounted(block: &Block) -> ManuallyDrop<Greenlet> {
        ManuallyDrop::new(Greenlet { block, node: block.record() })
    }

    /// A new handle of a node in use.
    pub(super) fn of(node: &Node) -> Greenlet {
        count_handle(node);
        Greenlet { block: node.block().map_or(nowhere(), |block| block), node }
    }

    /// # Safety
    /// The handle was counted already.
    #[inline(always)]
    pub(super) unsafe fn from_counted(block: *const Block, node: *const Node) -> Greenlet {
        Greenlet { block, node }
    }

    pub(super) fn node(&self) -> &Node {
        // SAFETY: a node stays in use while it has handles.
        unsafe { &*self.node }
    }

    /// Its block, or what was that.
    #[inline(always)]
    pub(super) fn place(&self) -> *const Block {
        self.block
    }

    /// The block while the greenlet lives.
    #[inline(always)]
    pub(super) fn alive(&self) -> Option<&Block> {
        // SAFETY: **Identity**: blocks stay readable while their thread lives.
        let block = unsafe { &*self.block };
        block.is_named_by(self.node.cast()).then_some(block)
    }

    /// The block, while it lives.
    #[inline(always)]
    fn living<'a>(&self, thread: &'a Thread) -> Option<&'a Block> {
        thread.living(self.block, self.node.cast())
    }
}

#[inline(always)]
fn count_handle(node: &Node) {
    let handles = node.handles().get();
    assert!(handles < u32::MAX, "too many handles of one greenlet");
    node.handles().set(handles + 1);
}

impl Clone for Greenlet {
    #[inline]
    fn clone(&self) -> Greenlet {
        count_handle(self.node());
        Greenlet { block: self.block, node: self.node }
    }
}

impl Drop for Greenlet {
    #[inline]
    fn drop(&mut self) {
        let node = self.node();
        let handles = node.handles().get() - 1;
        node.handles().set(handles);
        if handles == 0 {
            kill::last_handle_dropped(node);
        }
    }
}

impl PartialEq for Greenlet {
    fn eq(&self, other: &Greenlet) -> bool {
        std::ptr::eq(self.node, other.node)
    }
}

impl Eq for Greenlet {}

impl Hash for Greenlet {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id().hash(state);
    }
}

impl fmt::Display for Greenlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id())?;
        match self.name() {
            Some(name) => write!(f, " '{name}'"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Greenlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = if self.is_root() { ", root" } else { "" };
        write!(f, "Greenlet({self}, {:?}{root})", self.state())
    }
}

/// The greenlet that runs. Outside of any other greenlet that is the thread's [`root`].
///
/// Do not hold the handle across a switch: a greenlet whose own stack holds its handle is not ended by
/// dropping all others. In `current().parent().unwrap().switch(v)` the temporary is such a handle;
/// [`suspend`] needs none.
///
/// [`suspend`]: crate::suspend
#[doc(alias = "getcurrent")]
pub fn current() -> Greenlet {
    let thread = thread();
    let handle = Greenlet::of(thread.current().record());
    // Whoever holds a handle again need not die.
    thread.clear(ORPHAN);
    handle
}

/// The number of the greenlet that runs.
pub(super) fn current_id() -> GreenletId {
    GreenletId::new(thread().current().label.id.get())
}

/// The root greenlet of this thread: the thread's own stack.
#[doc(alias = "main_thread")]
pub fn root() -> Greenlet {
    Greenlet::of(&thread().root_node)
}

/// Every living greenlet of this thread: the root first, the others in no particular order.
#[doc(alias = "enumerate")]
pub fn all() -> Vec<Greenlet> {
    let mut greenlets = vec![root()];
    thread().for_each_alive(|node| greenlets.push(Greenlet::of(node)));
    greenlets
}
