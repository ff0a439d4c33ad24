//! `Greenlet`: the handle, and everything that can be done with it.
#![expect(unsafe_code, reason = "a handle is two addresses")]

use super::builder::Builder;
use super::control::{Block, Node, UNBOUND, nowhere};
use super::current::{ORPHAN, Thread, thread, thread_or_none};
use super::error::{GreenletExit, Payload};
use super::state::GreenletId;
use super::switch::{TakesThrows, cross, switch_slowly};
use super::value::{Received, unpack};
use super::weak::WeakGreenlet;
use super::{ParentError, SwitchError, entry, kill, throw};
use crate::stack::StackError;
use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::mem::ManuallyDrop;
use std::panic::Location;

/// A greenlet: a body with a stack of its own, that runs when something is sent to it.
///
/// A handle is two words; clones name the same greenlet. It belongs to the thread that made it.
///
/// - The [`parent`](Greenlet::parent) is the greenlet that was current when this one was made; it
///   receives what the body returns or raises.
/// - When the last handle of a suspended greenlet is dropped, [`GreenletExit`] is raised in it and
///   it unwinds before the drop returns. A parent does not keep its children alive, nor they it.
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
    /// A greenlet that will run `body` when the first value is sent to it. Runs nothing yet.
    ///
    /// The value that is sent first must be of `body`'s argument type; write `|()|` for none.
    /// Values are moved through several frames: box what is larger than about a kilobyte.
    ///
    /// # Panics
    /// When there is no memory for another stack; see [`Greenlet::try_new`].
    #[inline]
    #[track_caller]
    pub fn new<A: 'static, R: 'static>(body: impl FnOnce(A) -> R + 'static) -> Greenlet {
        let thread = thread();
        match thread.stacks.take_default() {
            Some(label) => entry::create(thread, label, 0, Location::caller(), body),
            None => match Builder::default().create(body) {
                Ok(greenlet) => greenlet,
                Err(error) => panic!("cannot create a greenlet: {error}"),
            },
        }
    }

    /// As [`Greenlet::new`], but tells when there is no memory for another stack.
    ///
    /// # Errors
    /// [`StackError`], with nothing changed; `body` is dropped.
    #[inline]
    #[track_caller]
    pub fn try_new<A: 'static, R: 'static>(
        body: impl FnOnce(A) -> R + 'static,
    ) -> Result<Greenlet, StackError> {
        Builder::default().create(body)
    }

    /// Configures name, stack and parent of a greenlet before it is made.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A greenlet without a body, for greenlets that must know each other.
    ///
    /// Whatever is sent to it is refused until [`bind`](Greenlet::bind) has given it one.
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
        match Builder::default().create_unbound() {
            Ok(greenlet) => greenlet,
            Err(error) => panic!("cannot create a greenlet: {error}"),
        }
    }

    /// Gives a body to a greenlet made by [`Greenlet::unbound`]; its parent stays.
    ///
    /// # Panics
    /// When it has a body already, or is dead.
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

    /// Runs this greenlet with `value`, and waits until somebody sends the current one a `B`.
    ///
    /// An unstarted greenlet takes the value as its body's argument, a suspended one as the result
    /// of the call that suspended it. A dead one stands for its nearest living ancestor; if that
    /// is the current greenlet, the value comes straight back.
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
        let thread = thread_or_none();
        if let Some(target) = self.plain_target::<A>(thread) {
            // SAFETY: `plain_target` found no flag set, and that the target awaits an `A`; we await
            // a `B`.
            return unsafe {
                let arrival = cross::<A, B>(thread, target, value);
                match arrival.tag {
                    0 => unpack(arrival.payload),
                    tag => throw::value_or_raise(arrival.payload, tag),
                }
            };
        }
        self.switch_or_panic(value)
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    fn switch_or_panic<A: 'static, B: 'static>(&self, value: A) -> B {
        let result = switch_slowly(thread(), self.node(), value);
        throw::value_or_panic(result, format_args!("switch to {self}"))
    }

    /// As [`switch`](Greenlet::switch), and waits for a value of any type.
    ///
    /// The form for statements, where the answer is of no interest: `g.switch_any(42);`
    ///
    /// # Panics
    /// As [`switch`](Greenlet::switch), but the end of a child is received, not raised.
    #[inline]
    #[track_caller]
    pub fn switch_any<A: 'static>(&self, value: A) -> Received {
        self.switch(value)
    }

    /// As [`switch`](Greenlet::switch), with everything but the value as an error.
    ///
    /// # Errors
    /// [`SwitchError::Refused`] with the value, when nothing happened;
    /// [`SwitchError::Thrown`] with what was thrown at the current greenlet meanwhile;
    /// [`SwitchError::ChildExited`] when a child ended with something other than a `B`.
    #[inline(always)]
    pub fn try_switch<A: 'static, B: 'static>(&self, value: A) -> Result<B, SwitchError<A>> {
        let thread = thread();
        let _takes_throws = TakesThrows::in_current(thread);
        if let Some(target) = self.plain_target::<A>(thread) {
            // SAFETY: as in `switch`.
            return unsafe {
                let arrival = cross::<A, B>(thread, target, value);
                match arrival.tag {
                    0 => Ok(unpack(arrival.payload)),
                    tag => throw::value_or_error(arrival.payload, tag),
                }
            };
        }
        switch_slowly(thread, self.node(), value).map_err(SwitchError::from)
    }

    /// As [`try_switch`](Greenlet::try_switch), and waits for a value of any type.
    ///
    /// # Errors
    /// As [`try_switch`](Greenlet::try_switch); the end of a child is received, not an error.
    #[inline]
    pub fn try_switch_any<A: 'static>(&self, value: A) -> Result<Received, SwitchError<A>> {
        self.try_switch(value)
    }

    /// Raises `payload` in this greenlet, and waits until somebody sends the current one a `B`.
    ///
    /// In a suspended greenlet it is raised by the call that suspended it. An unstarted one ends
    /// without running, and the payload goes to its nearest living ancestor, as it does for a dead
    /// one; a [`GreenletExit`] goes there as a value. At the current greenlet it is raised here.
    ///
    /// # Panics
    /// As [`switch`](Greenlet::switch).
    #[track_caller]
    pub fn throw<B: 'static>(&self, payload: impl Any + Send) -> B {
        let result = throw::throw_at(thread(), self.node(), payload);
        throw::value_or_panic(result, format_args!("throw at {self}"))
    }

    /// As [`throw`](Greenlet::throw), and waits for a value of any type.
    ///
    /// # Panics
    /// As [`throw`](Greenlet::throw).
    #[track_caller]
    pub fn throw_any(&self, payload: impl Any + Send) -> Received {
        self.throw(payload)
    }

    /// As [`throw`](Greenlet::throw), with everything but the value as an error.
    ///
    /// # Errors
    /// As [`try_switch`](Greenlet::try_switch), with the payload in the place of the value.
    pub fn try_throw<B: 'static>(
        &self,
        payload: impl Any + Send,
    ) -> Result<B, SwitchError<Payload>> {
        let _takes_throws = TakesThrows::in_current(thread());
        throw::throw_at(thread(), self.node(), payload).map_err(SwitchError::from)
    }

    /// Ends this greenlet quietly: throws [`GreenletExit`] at it, and waits for any value.
    ///
    /// Unless its body catches the exit, the answer is the [`GreenletExit`] itself.
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
    #[track_caller]
    pub fn kill(&self) -> Received {
        self.throw(GreenletExit)
    }

    /// The greenlet that receives this one's end; `None` for the root. A dead parent stands for
    /// its own parent.
    pub fn parent(&self) -> Option<Greenlet> {
        self.node().parent().map(Greenlet::of)
    }

    /// Makes `parent` the one who receives this greenlet's end.
    ///
    /// # Errors
    /// [`ParentError`]; the old parent stays.
    pub fn set_parent(&self, parent: &Greenlet) -> Result<(), ParentError> {
        let node = self.node();
        let Some(old) = node.parent() else { return Err(ParentError::Root) };
        if std::ptr::eq(parent.node(), node) {
            return Err(ParentError::Cycle);
        }
        // Nobody's parent is above nobody: no need to look.
        let mut above = Some(parent.node()).filter(|_| node.edges().get() > 0);
        while let Some(one) = above {
            if std::ptr::eq(one, node) {
                return Err(ParentError::Cycle);
            }
            above = one.parent();
        }
        let new = parent.node();
        new.edges().set(new.edges().get() + 1);
        node.set_parent(new.as_link());
        if let Some(block) = self.alive() {
            block.header.up.set(new.as_link());
            block.parent.set(new.block().map_or(nowhere(), |parent| parent));
        }
        old.edges().set(old.edges().get() - 1);
        super::death::release(thread(), old);
        Ok(())
    }

    /// A handle that does not keep it alive.
    pub fn downgrade(&self) -> WeakGreenlet {
        WeakGreenlet::new(self.node())
    }

    /// Gives the handle away as a word, which keeps the greenlet until [`Greenlet::from_raw`].
    pub fn into_raw(self) -> *const () {
        let node = self.node;
        std::mem::forget(self);
        node.cast()
    }

    /// Takes a handle back.
    ///
    /// # Safety
    /// - `raw` came from [`Greenlet::into_raw`] on this thread, and was not taken back yet.
    pub unsafe fn from_raw(raw: *const ()) -> Greenlet {
        let node = raw.cast::<Node>();
        // SAFETY: the word stands for a counted handle, so the node is in use.
        let block = unsafe { &*node }.block().map_or(nowhere(), |block| block);
        Greenlet { block, node }
    }

    /// Makes the current greenlet the parent, unless it is already.
    #[inline]
    pub(super) fn adopt(&self) {
        let me = thread().current();
        if self.alive().is_some_and(|block| !std::ptr::eq(block.parent.get(), me))
            && let Err(error) = self.set_parent(&current())
        {
            panic!("{self} cannot be resumed by its own descendant: {error}");
        }
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

    /// The block while the greenlet lives.
    #[inline(always)]
    pub(super) fn alive(&self) -> Option<&Block> {
        // SAFETY: **Identity**: blocks stay readable while their thread lives.
        let block = unsafe { &*self.block };
        block.is_named_by(self.node.cast()).then_some(block)
    }

    /// The block, if a plain switch of an `A` to it is all there is to do.
    #[inline(always)]
    fn plain_target<A: 'static>(&self, thread: &Thread) -> Option<&Block> {
        // SAFETY: **Identity**: blocks stay readable while their thread lives.
        let block = unsafe { &*self.block };
        let plain = thread.flags.get() == 0
            && block.awaits::<A>()
            && block.is_named_by(self.node.cast())
            && !std::thread::panicking();
        plain.then_some(block)
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

/// The greenlet that runs. In plain thread code that is the thread's [`root`].
///
/// Do not hold the handle across a switch: a greenlet whose own stack holds its handle does not die
/// by drop. In `current().parent().unwrap().switch(v)` the temporary is such a handle; [`suspend`]
/// needs none.
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

/// Gives the memory of this thread's free stacks back to the kernel, the coldest first; `keep` of each
/// size stay as they are. Returns how many bytes came back.
///
/// Stacks are used again, last in, first out, and keep what they have touched. After a peak this
/// returns what the peak left behind.
pub fn trim_stacks(keep: usize) -> usize {
    thread().stacks.trim(keep)
}

/// Every living greenlet of this thread, its root first, then in no order.
#[doc(alias = "enumerate")]
pub fn all() -> Vec<Greenlet> {
    let mut greenlets = vec![root()];
    thread().for_each_alive(|node| greenlets.push(Greenlet::of(node)));
    greenlets
}
