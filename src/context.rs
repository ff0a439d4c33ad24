//! The bare switch between stacks, without the tree and the hub, for authors of other runtimes.
//!
//! A switch carries one word and a tag. Nothing here is checked: neither types nor lifetimes, nor whether a
//! context has ended. For all of that see [`Greenlet`](crate::Greenlet).
//!
//! - A [`Context`] is where a stack is suspended. One that runs has a context too, into which it
//!   is saved when it is left.
//! - [`switch`] is inlined where it is called and leaves by a jump. Keep it in the loop that
//!   resumes others: a function that returns between two switches makes the processor mispredict
//!   the returns of whoever runs next.
//! - A body must not unwind out of its entry (that aborts), nor return from it. It ends by [`leave`], or is never
//!   resumed.
//! - With the feature `fpenv` a context keeps its floating-point control words from its first switch
//!   on; it starts with those of whoever resumed it first.
//!
//! ```
//! use greenlet::context::{Context, Stack, Word, switch};
//!
//! unsafe extern "C" fn doubler(mut word: Word, _: usize, from: *const Context, me: *const Context) -> ! {
//!     loop {
//!         // SAFETY: main sends initialised words, and waits in its switch.
//!         let value = unsafe { word.assume_init() }.addr();
//!         let answer = Word::new(std::ptr::without_provenance_mut(2 * value));
//!         word = unsafe { switch(me, from, answer, 0) }.payload;
//!     }
//! }
//!
//! let stack = Stack::new(64 * 1024)?;
//! let main = Context::running();
//! // SAFETY: the stack is unused, and outlives the context.
//! let other = unsafe { Context::start(stack.top(), doubler) };
//! let word = Word::new(std::ptr::without_provenance_mut(21));
//! // SAFETY: `main` is the running context, `other` was just made.
//! let back = unsafe { switch(&main, other, word, 0) };
//! assert_eq!(unsafe { back.payload.assume_init() }.addr(), 42);
//! # Ok::<(), greenlet::StackError>(())
//! ```
#![expect(unsafe_code, reason = "this door is unsafe by its nature")]

use crate::arch::{self, Header, Link, Run};
use std::cell::{Cell, UnsafeCell};
use std::mem::MaybeUninit;

pub use crate::arch::Word;
pub use crate::stack::Stack;

/// First function of a context: gets what the first [`switch`] to it carried, and its own context.
///
/// It must not return, and must not unwind: either aborts the process.
pub type Entry =
    unsafe extern "C" fn(payload: Word, tag: usize, from: *const Context, me: *const Context) -> !;

/// Where a stack is suspended.
#[repr(C)]
#[derive(Debug)]
pub struct Context {
    header: Header,
    /// Where the walks of those go on whose parent this is. Written when the first of them is made one: most contexts
    /// have none.
    link: UnsafeCell<MaybeUninit<Link>>,
}

/// What [`switch`] returns.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// The word that the other side sent; not initialised if theirs was not.
    pub payload: Word,
    /// The tag that the other side sent.
    pub tag: usize,
    /// The context that the other side was saved into.
    pub from: *const Context,
}

impl Context {
    /// A context for the stack that is running already.
    ///
    /// It must not be moved while it is suspended, nor once it is a [parent](Context::set_parent).
    pub const fn running() -> Context {
        Context {
            header: Header {
                saved_sp: Cell::new(std::ptr::null_mut()),
                up: Cell::new(arch::END_OF_WALK),
            },
            link: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// Makes a context that will run `entry` on the stack that ends at `top`; it lies at the top of
    /// that stack itself.
    ///
    /// # Safety
    /// - The memory below `top` is a stack that nobody else uses, for as long as the context is used.
    /// - `top` is 64-aligned ([`Stack::top`] is).
    pub unsafe fn start(top: *mut u8, entry: Entry) -> *const Context {
        const BYTES: usize = size_of::<Context>().next_multiple_of(64);
        let place = top.wrapping_sub(BYTES).cast::<Context>();
        // SAFETY: the two signatures differ only in what the headers are called, and a context
        // begins with its header.
        let run = unsafe { std::mem::transmute::<Entry, Run>(entry) };
        // SAFETY: the place lies on the caller's unused stack, aligned.
        unsafe { place.write(Context::running()) };
        // SAFETY: just written.
        let context = unsafe { &*place };
        // SAFETY: the header is complete and stays; below it the stack is unused.
        unsafe { arch::prepare(&context.header, place.cast(), run) };
        context
    }

    /// Begins to load what a [`switch`] to it will touch. A hint to the processor, and nothing else.
    ///
    /// For schedulers of thousands of contexts, a few switches ahead: a stack that ran long ago has left the caches.
    #[inline]
    pub fn prefetch(&self) {
        arch::prefetch_stack((&raw const *self).cast());
    }

    /// Makes stack walks go on in `parent` above this context's first frame.
    ///
    /// Without a parent they end there. While this context is walked, `parent` must be suspended.
    ///
    /// # Safety
    /// - `parent` stays where it is, and exists whenever this context, or one below it, runs or is walked.
    /// - The chain of parents has no cycle.
    pub unsafe fn set_parent(&self, parent: *const Context) {
        // SAFETY: the caller's promise.
        let parent = unsafe { &*parent };
        let link = Link::new();
        link.set_header(&parent.header);
        link.up.set(parent.header.up.get());
        // SAFETY: no reference to a link ever lives, and of this thread nobody walks now.
        unsafe { parent.link.get().write(MaybeUninit::new(link)) };
        let up = parent.link.get().cast::<Link>().cast_const();
        self.header.up.set(up);
        // SAFETY: the place is ours; those who have it for their link find the rest of it there.
        unsafe { (&raw mut (*self.link.get().cast::<Link>()).up).write(Cell::new(up)) };
    }
}

/// Saves the running stack into `from`, and resumes `to`; returns when something switches to `from`.
///
/// # Safety
/// - `from` is the context of the running stack; `to` is suspended, or was just started, on this
///   thread.
/// - Both stay where they are, and so does everything on this stack, until it is resumed.
/// - What the word and the tag mean is agreed between both sides.
#[inline(always)]
pub unsafe fn switch(
    from: *const Context,
    to: *const Context,
    payload: Word,
    tag: usize,
) -> Arrival {
    // SAFETY: the caller's promises; a context begins with its header.
    let back = unsafe { arch::switch(from.cast(), to.cast(), payload, tag) };
    Arrival { payload: back.payload, tag: back.tag, from: back.from.cast() }
}

/// Resumes `to` and ends the running context, whose stack is free as soon as `to` runs.
///
/// The last [`switch`] of a body. It saves nothing, which makes it the cheaper one.
///
/// ```
/// use greenlet::context::{Context, Stack, Word, leave, switch};
///
/// unsafe extern "C" fn increments(word: Word, _: usize, from: *const Context, me: *const Context) -> ! {
///     // SAFETY: main sends an initialised word, waits in its switch, and does not switch here again.
///     unsafe { leave(me, from, Word::new(word.assume_init().wrapping_add(1)), 0) }
/// }
///
/// let (main, mut value) = (Context::running(), 0);
/// for _ in 0..3 {
///     let stack = Stack::new(64 * 1024)?; // each time the same one
///     let word = Word::new(std::ptr::without_provenance_mut(value));
///     // SAFETY: the stack is unused and outlives the context; `main` is the one that runs.
///     value = unsafe { switch(&main, Context::start(stack.top(), increments), word, 0).payload.assume_init() }.addr();
/// }
/// assert_eq!(value, 3);
/// # Ok::<(), greenlet::StackError>(())
/// ```
///
/// On the other side [`Arrival::from`] is the address of a context that has ended: to be compared, not to be used.
///
/// # Safety
/// - `from` is the context of the running stack. Nobody switches to it from now on, and no context of which it is the
///   [parent](Context::set_parent), or a parent's parent, runs or is walked any more.
/// - `to` is suspended, or was just started, on this thread; it stays where it is, and so does its stack.
/// - What is alive on this stack is not dropped. Nobody uses it any more, but what the word leads to, which whoever
///   takes it moves out before the stack is used again.
/// - This stack is not being unwound: nobody would tell the thread that this has ended.
/// - What the word and the tag mean is agreed between both sides.
#[inline(always)]
pub unsafe fn leave(from: *const Context, to: *const Context, payload: Word, tag: usize) -> ! {
    // SAFETY: the caller's promises; a context begins with its header.
    unsafe { arch::leave(from.cast(), to.cast(), payload, tag) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The headers that a walk goes through above this context's first frame.
    fn ancestors(context: &Context) -> Vec<*const Header> {
        let mut found = Vec::new();
        let mut up = context.header.up.get();
        while !std::ptr::eq(up, arch::END_OF_WALK) {
            // SAFETY: in this chain, so written, and the contexts of a test outlive the walk.
            let link = unsafe { &*up };
            found.push(link.header().unwrap());
            up = link.up.get();
        }
        found
    }

    #[test]
    fn walks_go_on_in_parents_in_whatever_order_they_are_set() {
        let all: [Context; 4] = std::array::from_fn(|_| Context::running());
        let [child, parent, grandparent, other] = &all;
        let header = |context: &Context| &raw const context.header;
        assert_eq!(ancestors(child), []);
        // SAFETY: they stay where they are, and there is no cycle.
        unsafe {
            child.set_parent(parent);
            parent.set_parent(grandparent);
            assert_eq!(ancestors(child), [header(parent), header(grandparent)]);
            other.set_parent(parent);
            assert_eq!(ancestors(other), ancestors(child));
            parent.set_parent(grandparent);
            assert_eq!(ancestors(child), [header(parent), header(grandparent)]);
            child.set_parent(grandparent);
            assert_eq!(ancestors(child), [header(grandparent)]);
        }
    }
}
