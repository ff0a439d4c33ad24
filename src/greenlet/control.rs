//! The blocks behind a greenlet: which fields there are, and who may touch them when.
//!
//! ```text
//!   slot of a slab                                side table (never returned while the thread lives)
//!   ┌──────────────────────────┐ top
//!   │ Block  last line: label  │                 Node { block, parent node, handles, edges, id }
//!   │        line 1: hot ──────┼───── node ────▶   ▲ one per greenlet that has handles or children
//!   ├──────────────────────────┤                   │
//!   │ closure (until started)  │        Greenlet { block, node }, WeakGreenlet { node, id }
//!   │ first frame, then stack  │
//!   └──────────────────────────┘
//! ```
//!
//! - **Identity**: a handle names a live greenlet iff `block.node == handle.node`. Slots are never
//!   unmapped while their thread lives and a retired block has a null node, so that the read is
//!   always legal. A stack that the caller brought keeps its block in the side table.
//! - **Expectation**: `expect` is the type that a suspended or unstarted greenlet waits for. There is
//!   none for everyone else (running, dead, without a body), so that one comparison refuses them.
//! - **One thread**: all of it belongs to one thread; foreign threads read at most the fields of
//!   `Node` through `link`, which are plain words.
//! - **Clean slot**: in a slot that is not in use, `killer`, `user`, `extra` and `label.name` are
//!   null, the seat is empty, `node` is null, and nothing is expected. Creation relies on it, retiring
//!   keeps it.
#![expect(unsafe_code, reason = "the blocks are shared by address")]

#[cfg(feature = "hub")]
use super::inherited::Values;
#[cfg(feature = "hub")]
use super::seat::Seat;
use super::value::{Describe, Received, ValueType};
use crate::arch::{self, Header, Link};
use crate::stack::{BLOCK_BYTES, Label};
use std::any::Any;
use std::cell::Cell;
use std::mem::offset_of;
use std::ptr::{fn_addr_eq, null};

/// The control block of a greenlet, at the top of its stack.
///
/// | field | written by |
/// |---|---|
/// | `header.saved_sp` | the assembly, whenever this greenlet is left |
/// | `header.up`, `parent` | creation, `set_parent` |
/// | `drop_closure` | creation with a closure, `bind` |
/// | `expect` | the greenlet itself before it leaves; whoever resumes it clears it |
/// | `node` | creation; cleared at death |
/// | `flags` | the greenlet itself, and whoever binds or starts it |
/// | `killer` | a kill by drop, from its beginning to the victim's death |
/// | `marks`, `next`, `seat` | the scheduler |
/// | last line | creation and the greenlet itself |
#[repr(C, align(64))]
#[derive(Debug)]
pub(crate) struct Block {
    // Line 1: all that a plain switch touches.
    pub(super) header: Header,
    /// Drops the closure of an unstarted greenlet, if there is anything to drop. Of others it is old, or what a new
    /// slot is filled with: nothing.
    pub(super) drop_closure: Cell<Option<DropClosure>>,
    pub(super) expect: Cell<Option<Describe>>,
    pub(super) node: Cell<*const Node>,
    /// The parent's block as of the last look: valid iff its `node` is our `header.up`.
    pub(super) parent: Cell<*const Block>,
    pub(super) flags: Cell<u32>,
    /// The scheduler's own marks.
    pub(crate) marks: Cell<u32>,
    /// The next one that is ready; the scheduler's.
    pub(crate) next: Cell<*const Block>,
    // Line 2, for the scheduler alone.
    #[cfg(feature = "hub")]
    pub(crate) seat: Seat,
    // The last line.
    /// Where the death of a killed greenlet goes instead of to its parent.
    pub(super) killer: Cell<*const Block>,
    pub(super) user: Cell<*mut ()>,
    pub(super) extra: Cell<*mut Extra>,
    /// The level below reads it to name the greenlet in an overflow report.
    pub(super) label: Label,
}

const _: () = assert!(offset_of!(Block, header) == 0); // a `*const Header` is a `*const Block`
const _: () = assert!(offset_of!(Block, next) == 56); // the first cache line
const _: () = assert!(offset_of!(Block, label) + size_of::<Label>() == size_of::<Block>());
const _: () = assert!(size_of::<Block>() == BLOCK_BYTES);

// The flags of a block. Creation begins with none or few; those that are cleared again say so.
//
// | flag | set in | read in |
// |---|---|---|
// | `STARTED` | `entry`, `task`, when the body begins; `current`, for the root | most files |
// | `UNBOUND` | `entry`, at creation; cleared in `builder`, by `bind` | `builder`, `inspect`, `throw`, `death` |
// | `TAKES_THROWS` | `switch`, during a `try_` call where panics abort; cleared after it, and in `trace` | `throw` |
// | `IN_TRACE` | `trace`, during a callback; cleared after it | `trace`, `switch` |
// | `ROOT` | `current` | `inspect`, `running`, `throw`, `winding_up` |
// | `NESTED_KILL` | `kill` | `kill`, `death` |
// | `FOREIGN` | `builder` | `entry` |
// | `UNCOMMON` | `builder`, `inspect`, `task`, `seat`, `kill`, and `Block::extra` | the ends, `local`, `inherited` |
// | `EXIT_SENT` | `kill`, `park` | `kill` |
// | `UNTRACED` | `park` | `switch` |
// | `BEFORE_END` | `current` | `current` |
// | `END_UNSEEN` | `park` | `death` |
// | `REFUSAL` | `kill`, which begins anew with each kill | `kill` |

/// The body has begun.
pub(super) const STARTED: u32 = 1 << 0;
/// There is no body yet.
pub(super) const UNBOUND: u32 = 1 << 1;
/// The suspended frame takes throws as values (`try_switch`), it need not be unwound.
pub(super) const TAKES_THROWS: u32 = 1 << 2;
/// A trace callback runs in this greenlet.
pub(super) const IN_TRACE: u32 = 1 << 3;
/// The root greenlet of a thread.
pub(super) const ROOT: u32 = 1 << 4;
/// This victim was killed while another kill was going on.
pub(super) const NESTED_KILL: u32 = 1 << 5;
/// The stack is memory of the caller: the block does not lie on it.
pub(super) const FOREIGN: u32 = 1 << 6;
/// It has a name, a user's word, an extra part, a killer, something that its scheduler must take
/// away, or a stack of another than the default shape: more to do at its end than to retire it. Set by
/// whoever gives it any of these, never taken back, so that one comparison at the end rules out all.
pub(super) const UNCOMMON: u32 = 1 << 7;
/// Its last handle was dropped while it was parked: it has been told to exit, and nobody waits for
/// its end, unless somebody holds it again.
pub(super) const EXIT_SENT: u32 = 1 << 8;
/// The scheduler's own greenlet: nobody is told of transfers to it, because no code of a user may
/// run in it.
pub(super) const UNTRACED: u32 = 1 << 9;
/// It had begun when its thread was seen to end: it does not run on, for it may borrow thread-locals that are
/// gone.
pub(super) const BEFORE_END: u32 = 1 << 10;
/// Nobody is told of its end, whoever holds it.
pub(super) const END_UNSEEN: u32 = 1 << 11;
/// From this bit upwards: how often a victim has wanted to switch.
pub(super) const REFUSAL: u32 = 1 << 24;

impl Block {
    pub(super) const fn unused() -> Block {
        Block {
            header: Header { saved_sp: Cell::new(std::ptr::null_mut()), up: Cell::new(null()) },
            drop_closure: Cell::new(None),
            expect: Cell::new(None),
            node: Cell::new(null()),
            parent: Cell::new(null()),
            flags: Cell::new(0),
            marks: Cell::new(0),
            next: Cell::new(null()),
            #[cfg(feature = "hub")]
            seat: Seat::empty(),
            killer: Cell::new(null()),
            user: Cell::new(std::ptr::null_mut()),
            extra: Cell::new(std::ptr::null_mut()),
            label: Label::unused(null()),
        }
    }

    pub(super) fn has(&self, flag: u32) -> bool {
        self.flags.get() & flag != 0
    }

    pub(super) fn set(&self, flag: u32) {
        self.flags.set(self.flags.get() | flag);
    }

    /// The body begins.
    #[inline(always)]
    pub(super) fn start(&self) {
        let flags = self.flags.get() | STARTED;
        // SAFETY: a cell. Volatile, or it becomes a change of one byte, and the end of a short body, which reads all
        // four, waits until that has reached the cache.
        unsafe { self.flags.as_ptr().write_volatile(flags) }
    }

    pub(super) fn clear(&self, flag: u32) {
        self.flags.set(self.flags.get() & !flag);
    }

    /// The side record of this live greenlet.
    pub(super) fn record(&self) -> &Node {
        // SAFETY: **Identity**: a block in use has the node that was given to it at creation.
        unsafe { &*self.node.get() }
    }

    /// Is there a living greenlet in it?
    #[cfg(feature = "hub")]
    pub(crate) fn is_in_use(&self) -> bool {
        !self.node.get().is_null()
    }

    /// The type that this suspended greenlet waits for.
    pub(super) fn awaited(&self) -> Option<&'static ValueType> {
        self.expect.get().map(|describe| describe())
    }

    /// Is this the block of the living greenlet with this node?
    #[inline(always)]
    pub(super) fn is_named_by(&self, node: *const Link) -> bool {
        std::ptr::eq(self.node.get().cast(), node)
    }

    /// Does it wait for exactly a `T`? No only means that the address does not say so: [`takes`](Block::takes) knows.
    #[inline(always)]
    pub(super) fn plainly_awaits<T: 'static>(&self) -> bool {
        let kind: Describe = ValueType::describe::<T>;
        self.expect.get().is_some_and(|expect| fn_addr_eq(expect, kind))
    }

    /// How it takes an `A`, if it does.
    pub(super) fn takes<A: 'static>(&self) -> Option<Taken> {
        if self.plainly_awaits::<A>() {
            return Some(Taken::AsItIs);
        }
        if self.plainly_awaits::<Received>() {
            return Some(Taken::AsReceived);
        }
        match self.awaited()? {
            awaited if awaited.is::<A>() => Some(Taken::AsItIs),
            awaited if awaited.is::<Received>() => Some(Taken::AsReceived),
            _ => None,
        }
    }

    /// The extra part, made if there is none. The reference must not live across user code.
    #[expect(clippy::mut_from_ref, reason = "the part hangs off the block, one user at a time")]
    pub(super) fn extra(&self) -> &mut Extra {
        if self.extra.get().is_null() {
            self.extra.set(Box::into_raw(Box::default()));
            self.set(UNCOMMON);
        }
        // SAFETY: made here, freed only when the greenlet ends; **One thread**, and no user code
        // runs while the reference lives.
        unsafe { &mut *self.extra.get() }
    }

    /// The block that carries `label`.
    pub(super) fn of_label(label: *const Label) -> *const Block {
        label.wrapping_byte_sub(offset_of!(Block, label)).cast()
    }
}

/// How a suspended greenlet takes a value.
pub(super) enum Taken {
    /// It awaits exactly this type.
    AsItIs,
    /// It awaits a value of any type.
    AsReceived,
}

/// What few greenlets have: made when it is first needed, gone when the greenlet ends.
#[derive(Default)]
pub(super) struct Extra {
    /// The greenlet-local values: which key, and the boxed value.
    pub(super) locals: Vec<(*const (), Box<dyn Any>)>,
    /// The values that its tasks inherit.
    #[cfg(feature = "hub")]
    pub(super) inherited: Option<Values>,
    /// What was raised here last that `throw` had thrown: its address, and its type's name.
    pub(super) raised: Option<(*const (), &'static str)>,
}

/// A block that no handle ever names: the `parent` of those whose parent is dead.
#[repr(transparent)]
pub(super) struct Nowhere(Block);

// SAFETY: never written; its pointers are null.
unsafe impl Sync for Nowhere {}

static NOWHERE: Nowhere = Nowhere(Block::unused());

pub(super) fn nowhere() -> *const Block {
    &raw const NOWHERE.0
}

/// Drops the closure of an unstarted greenlet.
///
/// # Safety
/// The block is bound to a closure of the type that this is for, which has not been moved out.
pub(super) type DropClosure = unsafe fn(*const Block);

/// What outlives a greenlet's stack.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Node {
    /// `header` is the block, retired once dead; `up` is the parent's node; `counts` see below.
    link: Link,
    /// The last one's, while unused.
    pub(super) id: Cell<u64>,
}

const _: () = assert!(offset_of!(Node, link) == 0); // a `*const Link` is a `*const Node`
const _: () = assert!(size_of::<Node>() <= 64);

impl Node {
    pub(super) const fn unused() -> Node {
        Node { link: Link::new(), id: Cell::new(0) }
    }

    /// It lies where it will be used.
    pub(super) fn stay(&self) {
        self.link.stay();
    }

    /// `Greenlet` handles; the root has one more that is never dropped.
    #[inline(always)]
    pub(super) fn handles(&self) -> &Cell<u32> {
        &self.link.counts[0]
    }

    /// Nodes whose parent this is.
    #[inline(always)]
    pub(super) fn edges(&self) -> &Cell<u32> {
        &self.link.counts[1]
    }

    /// Has it neither handles nor edges?
    #[inline(always)]
    pub(super) fn is_nameless(&self) -> bool {
        self.handles().get() | self.edges().get() == 0
    }

    /// The block while the greenlet lives.
    #[inline(always)]
    pub(super) fn block(&self) -> Option<&Block> {
        // SAFETY: **Identity**: not retired means alive; null while the node is unused.
        unsafe { self.link.header()?.cast::<Block>().as_ref() }
    }

    #[inline(always)]
    pub(super) fn set_block(&self, block: &Block) {
        self.link.set_header(&block.header);
    }

    /// The greenlet is dead.
    #[inline(always)]
    pub(super) fn retire(&self) {
        self.link.retire();
    }

    /// The parent's node; `None` for a root.
    pub(super) fn parent(&self) -> Option<&Node> {
        let up = self.link.up.get();
        // The chain of a root ends where all walks end, which is no node.
        if std::ptr::eq(up, arch::END_OF_WALK) {
            return None;
        }
        // SAFETY: a parent's node is kept by the edge that is counted in it.
        unsafe { up.cast::<Node>().as_ref() }
    }

    #[inline(always)]
    pub(super) fn set_parent(&self, parent: *const Link) {
        self.link.up.set(parent);
    }

    /// The next free node; only a free node has one (it stands in `link.up`).
    #[inline(always)]
    pub(super) fn next_free(&self) -> *const Node {
        self.link.up.get().cast()
    }

    #[inline(always)]
    pub(super) fn set_next_free(&self, next: *const Node) {
        self.link.up.set(next.cast());
    }

    #[inline(always)]
    pub(super) fn as_link(&self) -> *const Link {
        (&raw const *self).cast()
    }

    /// The nearest living greenlet from this one upwards. There is one: the root lives as long as
    /// its thread (**Parents reach the root**).
    pub(super) fn nearest_alive(&self) -> &Block {
        let mut node = self;
        loop {
            if let Some(block) = node.block() {
                return block;
            }
            let Some(parent) = node.parent() else { unreachable!("parents reach the root") };
            node = parent;
        }
    }
}
