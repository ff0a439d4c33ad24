//! This thread's state: its root, who runs, its stacks, and the one thread-local that leads there.
//!
//! - **One thread-local**: one const-initialised word without destructor, read in this file; `asm/<arch>/thread.s`
//!   defines it.
//!   It starts at a static whose flags are not zero, so that the fast path of a switch needs no
//!   null check: the first use of a thread takes the cold path and creates the state.
//! - The state outlives every thread-local: it is freed by a pthread key's destructor, which runs
//!   after those. A second thread-local, which has a destructor, notes that they are being
//!   destroyed, for those that are older than the state; `outermost.rs` tells for the younger.
#![expect(unsafe_code, reason = "the thread-local pointer, and the state behind it")]

use super::control::{BEFORE_END, Block, Node, ROOT, STARTED};
use super::outermost::OutermostCalls;
use super::report;
use super::scheduler::{Scheduler, is_parked};
use super::trace::Tracer;
use crate::arch::{self, Link, Word};
use crate::stack::{self, AlternateStack, Cache};
use std::cell::{Cell, RefCell};
use std::ptr::null;
use std::sync::atomic::{AtomicU64, Ordering};

/// There is no state yet: this is the static one.
pub(super) const UNINITIALISED: u32 = 1;
/// A trace callback is set.
pub(super) const TRACED: u32 = 2;
/// The running greenlet has lost its last handle; whoever is switched to kills it.
pub(super) const ORPHAN: u32 = 4;
/// A last-handle kill is going on; only further kills by drop are allowed.
pub(super) const KILLING: u32 = 8;
/// Thread-locals are being destroyed: nobody may be unwound any more.
pub(super) const EXITING: u32 = 16;

/// What a thread knows of its greenlets.
pub(crate) struct Thread {
    /// Anything but 0 sends a switch to the cold path.
    pub(super) flags: Cell<u32>,
    current: Cell<*const Block>,
    free_nodes: Cell<*const Node>,
    next_id: Cell<u64>,
    last_id: Cell<u64>,
    pub(super) stacks: Cache,
    pub(super) root: Block,
    pub(super) root_node: Node,
    chunks: RefCell<Vec<Box<[Node]>>>,
    pub(super) tracer: RefCell<Option<Tracer>>,
    /// Who parks and resumes greenlets here; null while nobody does.
    pub(super) scheduler: Cell<*const Scheduler>,
    /// Greenlets that could not be unwound: never freed.
    pub(super) leaked: Cell<usize>,
    alternate_stack: Cell<Option<AlternateStack>>,
    exit_round: Cell<u32>,
    outermost: OutermostCalls,
    /// Where the return address of the thread's own function lies, and what it is while that runs.
    started: Cell<*const usize>,
    running: Cell<usize>,
    /// A value on its way from a function that is rarely called to the one that it is inlined in.
    pub(super) word: Cell<Word>,
    /// Who runs on when the thread ends.
    survivor: Cell<*const Block>,
}

/// Stands in for a return address where none is known.
static RUNNING: usize = 1;

impl Thread {
    const fn new(flags: u32, alternate_stack: Option<AlternateStack>) -> Thread {
        Thread {
            flags: Cell::new(flags),
            current: Cell::new(null()),
            free_nodes: Cell::new(null()),
            next_id: Cell::new(0),
            last_id: Cell::new(0),
            stacks: Cache::new(),
            root: Block::unused(),
            root_node: Node::unused(),
            chunks: RefCell::new(Vec::new()),
            tracer: RefCell::new(None),
            scheduler: Cell::new(null()),
            leaked: Cell::new(0),
            alternate_stack: Cell::new(alternate_stack),
            exit_round: Cell::new(0),
            outermost: OutermostCalls::none(),
            started: Cell::new(&raw const RUNNING),
            running: Cell::new(RUNNING),
            word: Cell::new(Word::uninit()),
            survivor: Cell::new(null()),
        }
    }

    #[inline(always)]
    pub(super) fn has(&self, flag: u32) -> bool {
        self.flags.get() & flag != 0
    }

    pub(super) fn set(&self, flag: u32) {
        self.flags.set(self.flags.get() | flag);
    }

    pub(super) fn clear(&self, flag: u32) {
        self.flags.set(self.flags.get() & !flag);
    }

    /// Does it still run in the call that it was in when it began to have greenlets? If not, it may be
    /// [ending](Thread::is_ending).
    #[inline(always)]
    pub(super) fn is_where_it_was(&self) -> bool {
        // SAFETY: a static, or a place on the thread's own stack, which outlives the thread's code.
        unsafe { self.started.get().read_volatile() == self.running.get() }
    }

    /// Are this thread's locals being destroyed?
    #[inline]
    pub(super) fn is_ending(&self) -> bool {
        if !self.has(EXITING) && !self.outermost.are_there() {
            self.look_again();
        }
        self.has(EXITING)
    }

    #[cold]
    fn look_again(&self) {
        if self.outermost.tell_the_end() { self.ends() } else { self.look() }
    }

    /// Remembers the calls that this thread began with.
    fn look(&self) {
        self.outermost.look();
        let unknown = (&raw const RUNNING, RUNNING);
        let (place, address) = self.outermost.of_started().unwrap_or(unknown);
        self.started.set(place);
        self.running.set(address);
    }

    /// From now on this thread's locals are being destroyed.
    #[cold]
    pub(super) fn ends(&self) {
        if self.has(EXITING) {
            return;
        }
        self.set(EXITING);
        // The thread's function has returned, so that destructors are all that stands on its stack; or it was
        // left in the middle, by an `exit` in the current greenlet, which does not return.
        let in_the_middle = self.outermost.are_there();
        self.survivor.set(if in_the_middle { self.current.get() } else { &raw const self.root });
        let mark = |block: &Block| {
            if block.has(STARTED) && !std::ptr::eq(block, self.survivor.get()) {
                block.set(BEFORE_END);
            }
        };
        self.for_each_alive(|node| node.block().into_iter().for_each(mark));
        mark(&self.root);
        // SAFETY: null, or a scheduler that is still there.
        if let Some(scheduler) = unsafe { self.scheduler.get().as_ref() } {
            (scheduler.ends)(scheduler);
        }
        // A root that waits for the scheduler will wait for ever. It awaits nothing from now on, so that whoever asks
        // whether it is parked, to know that the thread does not end, need not ask for this flag, too.
        if self.root.has(BEFORE_END) && is_parked(&self.root) {
            self.root.expect.set(None);
        }
    }

    /// May this greenlet run on? Not if its frames are older than the end of the thread.
    pub(super) fn may_resume(&self, block: &Block) -> bool {
        !self.is_ending() || !block.has(BEFORE_END)
    }

    /// Who runs while this thread's locals are destroyed.
    pub(super) fn survivor(&self) -> &Block {
        // SAFETY: the root, or one that never ends; set when the thread was seen to end.
        unsafe { &*self.survivor.get() }
    }

    /// The greenlet that runs.
    #[inline(always)]
    pub(super) fn current(&self) -> &Block {
        // SAFETY: set when the state was created, and by every transfer to a living greenlet.
        unsafe { &*self.current.get() }
    }

    /// `block`, if it is that of a living greenlet with this node.
    ///
    /// The root lives as long as its thread, so its address decides; and then its address comes from here, where a
    /// switch need not wait for `block`, which may have been read from the cold stack of one of many.
    #[inline(always)]
    pub(super) fn living(&self, block: *const Block, node: *const Link) -> Option<&Block> {
        let root = arch::as_if_unknown(&self.root);
        if std::ptr::eq(block, &raw const self.root) {
            return Some(root);
        }
        // SAFETY: **Identity**: blocks stay readable while their thread lives.
        let block = unsafe { &*block };
        block.is_named_by(node).then_some(block)
    }

    #[inline(always)]
    pub(super) fn set_current(&self, block: &Block) {
        self.current.set(block);
    }

    /// A number that no greenlet of the process has had.
    #[inline(always)]
    pub(super) fn fresh_id(&self) -> u64 {
        let id = self.next_id.get();
        if id == self.last_id.get() {
            return self.fresh_id_from_process();
        }
        self.next_id.set(id + 1);
        id
    }

    #[cold]
    fn fresh_id_from_process(&self) -> u64 {
        const AT_ONCE: u64 = 1 << 10;
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let first = NEXT.fetch_add(AT_ONCE, Ordering::Relaxed);
        self.next_id.set(first + 1);
        self.last_id.set(first + AT_ONCE);
        first
    }

    /// A node that nobody uses.
    #[inline(always)]
    pub(super) fn take_node(&self) -> &Node {
        // SAFETY: null, or a free node of this thread's table.
        match unsafe { self.free_nodes.get().as_ref() } {
            Some(node) => {
                self.free_nodes.set(node.next_free());
                node
            }
            None => self.take_node_from_new_chunk(),
        }
    }

    #[cold]
    fn take_node_from_new_chunk(&self) -> &Node {
        let mut chunks = self.chunks.borrow_mut();
        let count = 64 << chunks.len().min(6);
        let chunk: Box<[Node]> = (0..count).map(|_| Node::unused()).collect();
        for node in chunk.iter().rev() {
            node.stay();
            self.put_node(node);
        }
        chunks.push(chunk);
        drop(chunks);
        self.take_node()
    }

    /// Gives back a node that has neither block nor handles nor edges.
    #[inline(always)]
    pub(super) fn put_node(&self, node: &Node) {
        node.set_next_free(self.free_nodes.get());
        self.free_nodes.set(node);
    }

    /// Calls `visit` with the node of every living greenlet of this thread but the root.
    pub(super) fn for_each_alive(&self, mut visit: impl FnMut(&Node)) {
        for chunk in self.chunks.borrow().iter() {
            for node in chunk.iter().filter(|node| node.block().is_some()) {
                visit(node);
            }
        }
    }
}

arch::word_of_each_thread!(NO_THREAD);

#[repr(transparent)]
struct NoThread(Thread);

// SAFETY: never written: `flags` keeps every path but creation away from it, and those that look before they ask for
// the flags take nothing but the address of its root.
unsafe impl Sync for NoThread {}

static NO_THREAD: NoThread = NoThread(Thread::new(UNINITIALISED, None));

/// This thread's state, or the static one whose only flag is [`UNINITIALISED`].
#[inline(always)]
pub(super) fn thread_or_none<'a>() -> &'a Thread {
    // SAFETY: the state is freed only after the last code of this thread that may call us, and
    // the reference does not leave the thread.
    unsafe { &*arch::this_thread().cast() }
}

/// This thread's state.
#[inline(always)]
pub(super) fn thread<'a>() -> &'a Thread {
    let thread = thread_or_none();
    if thread.has(UNINITIALISED) { create_state() } else { thread }
}

#[cold]
fn create_state<'a>() -> &'a Thread {
    stack::install_overflow_handler();
    stack::watch_forks();
    let state = Box::into_raw(Box::new(Thread::new(0, AlternateStack::install().ok())));
    // SAFETY: just made, never moved, shared from here on.
    let thread = unsafe { &*state };
    let (root, node) = (&thread.root, &thread.root_node);
    node.id.set(thread.fresh_id());
    node.stay();
    node.set_block(root);
    node.set_parent(arch::END_OF_WALK);
    node.handles().set(1);
    root.header.up.set(arch::END_OF_WALK);
    root.node.set(node);
    root.parent.set(super::control::nowhere());
    root.flags.set(ROOT | STARTED);
    root.label.id.set(node.id.get());
    thread.current.set(root);
    thread.look();
    arch::set_this_thread(state.cast());
    // SAFETY: the key exists for ever; its destructor gets this pointer back.
    unsafe { libc::pthread_setspecific(exit_key(), state.cast()) };
    if NOTICE.try_with(|_| ()).is_err() {
        thread.ends(); // first used, or used again, by what runs after all thread-locals
    }
    thread
}

/// Returns the memory of this thread's free stacks to the kernel, except for the `keep` most recently used
/// of each size. Says how many bytes were returned.
///
/// A free stack keeps the pages that were touched, and the one freed last is used first. Call this after a
/// peak.
pub fn trim_stacks(keep: usize) -> usize {
    thread().stacks.trim(keep)
}

/// Notes that this thread's thread-locals are being destroyed.
struct Notice;

thread_local! {
    static NOTICE: Notice = const { Notice };
}

impl Drop for Notice {
    fn drop(&mut self) {
        let thread = thread_or_none();
        if !thread.has(UNINITIALISED) {
            thread.ends(); // before code of a user runs: what is suspended may borrow what is gone
            super::local::drop_all(&thread.root);
            drop_tracer(thread);
        }
    }
}

/// What a trace callback holds may be greenlets: they must not outlive the state.
fn drop_tracer(thread: &Thread) {
    thread.clear(TRACED);
    let tracer = thread.tracer.take();
    report::contain(|| drop(tracer));
}

fn exit_key() -> libc::pthread_key_t {
    // No lock, which another thread might hold in the moment of a fork.
    static KEY: AtomicU64 = AtomicU64::new(UNKNOWN);
    const UNKNOWN: u64 = u64::MAX;
    let known = KEY.load(Ordering::Relaxed);
    if known != UNKNOWN {
        return known as libc::pthread_key_t;
    }
    let mut key = 0;
    // SAFETY: creates a key; `end_of_thread` has the signature of a destructor.
    let failed = unsafe { libc::pthread_key_create(&raw mut key, Some(end_of_thread)) };
    assert_eq!(failed, 0, "pthread_key_create failed: too many keys");
    match KEY.compare_exchange(UNKNOWN, key.into(), Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => key,
        Err(theirs) => {
            // SAFETY: created above, and no thread has set it.
            unsafe { libc::pthread_key_delete(key) };
            theirs as libc::pthread_key_t
        }
    }
}

/// Frees the state, after all thread-locals; or leaks and reports what still lives.
unsafe extern "C" fn end_of_thread(state: *mut libc::c_void) {
    // Some C libraries run the destructors of thread-locals from such a key too, before or after
    // ours; a key that is set again is asked again, at least four times in all (POSIX).
    const LAST_ROUND: u32 = 3;
    let state = state.cast::<Thread>();
    // SAFETY: the key's value is the state, which lives until the last round.
    let thread = unsafe { &*state };
    thread.exit_round.set(thread.exit_round.get() + 1);
    if thread.exit_round.get() < LAST_ROUND {
        // SAFETY: the key exists for ever.
        unsafe { libc::pthread_setspecific(exit_key(), state.cast()) };
        return;
    }
    drop_tracer(thread); // set since, by a destructor
    std::mem::forget(thread.tracer.take());
    super::winding_up::close_scheduler(thread);
    let mut left = thread.leaked.get();
    thread.for_each_alive(|_| left += 1);
    if left > 0 {
        report::line(format_args!(
            "a thread ended with {left} unfinished greenlet{}: never unwound, leaked with all \
             that they own (wrap the thread's work in greenlet::run)",
            if left == 1 { "" } else { "s" }
        ));
    }
    arch::set_this_thread((&raw const NO_THREAD).cast());
    if left == 0 {
        // SAFETY: no greenlet of this thread lives, so nobody stands on its stacks.
        unsafe { thread.stacks.release() };
        // SAFETY: made by `Box::into_raw`, and forgotten by the thread-local above.
        drop(unsafe { Box::from_raw(state) });
    } else {
        drop(thread.alternate_stack.take());
    }
}
