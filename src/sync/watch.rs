//! Waiting for several things at once.
//!
//! - **Watched memory stays**: the nodes and their arrivals lie together in one place, which is not
//!   moved and not left while a node is in a list; if it is forgotten, it is never freed.
//! - **Asked before**: each thing is asked once whether it is ready, before any node is in a list. Asking may
//!   unwind, where a queue is in the middle of a comparison that waits, for example.
#![expect(unsafe_code, reason = "nodes in lists of others, by address")]

use crate::greenlet::current_block;
use crate::hub::{Arrivals, OneOfSeveral, WaitList};
use crate::hub::{Deadline, Hub, Interrupted, hub, set_waits_for};
use std::fmt;
use std::ptr::NonNull;
use std::time::Duration;

/// Nodes for so few things lie in the frame of the one that waits.
const IN_FRAME: usize = 8;

/// Something that [`wait`] and [`wait_each`] can wait for.
///
/// | | ready |
/// |---|---|
/// | [`JoinHandle`](crate::JoinHandle), [`TaskRef`](crate::TaskRef) | when the task has ended |
/// | [`Event`](super::Event), [`OneShotEvent`](super::OneShotEvent), [`AsyncResult`](super::AsyncResult) | while it is set |
/// | [`Semaphore`](super::Semaphore), [`BoundedSemaphore`](super::BoundedSemaphore) | while it has a permit |
/// | [`WaitGroup`](super::WaitGroup) | while its count is 0 |
/// | a [queue](super::queue::QueueOf), a [broadcast subscriber](super::queue::Subscriber) | when there is an item, or it is closed |
/// | [room](super::queue::QueueOf::room) in a queue | when an item can be put, or it is closed |
/// | a [pool](crate::pool), an [`ObjectPool`](crate::pool::ObjectPool) | when there is a place, or an object |
///
/// Descriptors, and what threads share ([`sync::thread`](super::thread)), cannot be waited for themselves:
/// spawn a task that waits for them, and wait for its handle. Only this crate implements this trait.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be waited for",
    label = "is no `Waitable`",
    note = "what can: tasks, events, results, semaphores, wait groups, queues and room in them, broadcast subscribers, pools",
    note = "for anything else, spawn a task that waits for it, and wait for the task's handle"
)]
pub trait Waitable: Watched {
    /// Whether waiting for it would end at once.
    fn is_ready(&self) -> bool;
}

/// The hidden part of [`Waitable`], for this crate alone.
pub trait Watched {
    #[doc(hidden)]
    fn watchers(&self) -> Watchers<'_>;
}

/// The greenlets that wait for a thing without taking anything of it: all are told when it becomes ready.
#[derive(Clone, Copy)]
pub struct Watchers<'a>(pub(crate) &'a WaitList);

impl fmt::Debug for Watchers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watchers")
    }
}

/// Waits for one of the things.
#[repr(C)]
struct Node<'a> {
    wait: OneOfSeveral,
    /// Where it waits; `None` if the thing was ready when it was asked.
    list: Option<&'a WaitList>,
}

const _: () = assert!(std::mem::offset_of!(Node<'_>, wait) == 0);

impl<'a> Node<'a> {
    /// Of a thing with this answer; without one, of nothing.
    fn new(thing: Option<(bool, Watchers<'a>)>) -> Node<'a> {
        let list = thing.and_then(|(is_ready, watchers)| (!is_ready).then_some(watchers.0));
        Node { wait: OneOfSeveral::new(), list }
    }
}

/// Where the nodes lie: in the frame, or in a box if they are many.
#[expect(clippy::large_enum_variant, reason = "the large one is the common one, in a frame")]
enum Nodes<'a> {
    Few([Node<'a>; IN_FRAME]),
    Many(Box<[Node<'a>]>),
}

/// The nodes of one who waits for several things.
///
/// While it watches, it does not move and is not left: see [`Watch::begin`].
struct Watch<'a> {
    arrivals: Arrivals,
    nodes: Nodes<'a>,
    count: usize,
}

impl<'a> Watch<'a> {
    /// Nodes for these things, which are asked now (**Asked before**).
    fn new(mut things: impl ExactSizeIterator<Item = (bool, Watchers<'a>)>) -> Watch<'a> {
        let count = things.len();
        let nodes = match count {
            0..=IN_FRAME => Nodes::Few(std::array::from_fn(|_| Node::new(things.next()))),
            _ => Nodes::Many(things.map(|thing| Node::new(Some(thing))).collect()),
        };
        Watch { arrivals: Arrivals::new(), nodes, count }
    }

    fn nodes(&self) -> &[Node<'a>] {
        match &self.nodes {
            Nodes::Few(nodes) => &nodes[..self.count],
            Nodes::Many(nodes) => nodes,
        }
    }

    /// Were all things ready?
    fn all_were_ready(&self) -> bool {
        self.nodes().iter().all(|node| node.list.is_none())
    }

    /// Begins to watch. Things that were ready count as having become so now, in their order.
    ///
    /// # Safety
    /// - It does not move from now on, until it was [ended](Watch::end); if that is never done, its memory is
    ///   never used for anything else.
    unsafe fn begin(&self) {
        for node in self.nodes() {
            // SAFETY: both lie in this value, which stays where it is.
            unsafe { self.arrivals.watch(&node.wait) };
            match node.list {
                None => node.wait.arrive(),
                // SAFETY: taken out by `end`; until then it stays where it is.
                Some(list) => unsafe { list.add(&node.wait.node) },
            }
        }
    }

    /// Takes what has not fired out of the lists.
    fn end(&self) {
        for node in self.nodes() {
            if let Some(list) = node.list {
                // SAFETY: in this list, or fired.
                unsafe { list.remove(&node.wait.node) };
            }
        }
    }

    /// The index of the next thing that has become ready, if there is one already.
    fn pop(&self) -> Option<usize> {
        let node = self.arrivals.pop()?.cast::<Node<'_>>();
        let first = self.nodes().as_ptr();
        // SAFETY: it is the first field of its node, and both nodes lie in the same slice.
        Some(unsafe { node.offset_from_unsigned(first) })
    }

    /// Parks until one more has become ready; `None` when `deadline` has passed before.
    fn next(&self, hub: &Hub, deadline: &Deadline) -> Result<Option<usize>, Interrupted> {
        if let Some(index) = self.pop() {
            return Ok(Some(index));
        }
        set_waits_for(current_block(), &"one of several things");
        let fired = || !self.arrivals.is_empty() || deadline.has_passed();
        let waited = self.arrivals.wait(|| hub.wait_until(fired));
        waited.map(|()| self.pop())
    }

    /// As [`next`](Watch::next), until a moment.
    fn next_until(&self, hub: &Hub, moment: Option<u64>) -> Result<Option<usize>, Interrupted> {
        if self.arrivals.is_empty() {
            assert_others_can_run(hub);
        }
        let deadline = Deadline::new(current_block());
        if let Some(moment) = moment {
            // SAFETY: taken back below; no park unwinds.
            unsafe { hub.set_deadline(&deadline, moment) };
        }
        let next = self.next(hub, &deadline);
        hub.take_back(&deadline);
        next
    }
}

fn assert_others_can_run(hub: &Hub) {
    assert!(
        hub.others_can_run(),
        "nothing can be waited for while the thread unwinds: nobody else could run"
    );
}

/// Parks until `enough` says so, which is called with the index of each thing that has become ready,
/// in that order; or until `limit` has passed. False if it was the limit.
///
/// `enough` neither unwinds nor waits.
///
/// # Panics
/// While the thread unwinds, unless all things are ready.
pub(crate) fn watch<'a>(
    things: impl ExactSizeIterator<Item = (bool, Watchers<'a>)>,
    limit: Option<Duration>,
    mut enough: impl FnMut(usize) -> bool,
) -> bool {
    let all = Watch::new(things);
    if all.count == 0 {
        return true;
    }
    let hub = hub();
    if !all.all_were_ready() {
        assert_others_can_run(hub);
    }
    let moment = limit.map(|limit| hub.moment(limit));
    let deadline = Deadline::new(current_block());
    // SAFETY: ended below, before this frame is left: nothing between unwinds.
    unsafe { all.begin() };
    if let Some(moment) = moment {
        // SAFETY: taken back below.
        unsafe { hub.set_deadline(&deadline, moment) };
    }
    let mut left = all.count;
    let outcome = loop {
        match all.next(hub, &deadline) {
            Ok(Some(index)) => {
                left -= 1;
                if enough(index) || left == 0 {
                    break Ok(true);
                }
            }
            Ok(None) => break Ok(false),
            Err(interrupted) => break Err(interrupted),
        }
    };
    hub.take_back(&deadline);
    all.end();
    outcome.unwrap_or_else(|interrupted| interrupted.raise())
}

type Things<'a> = &'a [&'a (dyn Waitable + 'a)];

fn watched<'a>(things: Things<'a>) -> impl ExactSizeIterator<Item = (bool, Watchers<'a>)> {
    things.iter().map(|thing| (thing.is_ready(), thing.watchers()))
}

/// Waits for several things of any kind, once [`indices`](Wait::indices) or [`first`](Wait::first) is called.
/// Things are named by their places in `things`.
///
/// Waiting takes nothing: an item stays in its queue, a permit in its semaphore. Take it afterwards by a `try_`
/// method, and wait again if another greenlet was faster.
///
/// ```
/// use greenlet::{sleep, spawn, wait};
/// use std::time::Duration;
/// let number = spawn(|| { sleep(Duration::from_millis(5)); 7 });
/// let text = spawn(|| "done");
/// assert_eq!(wait(&[&number, &text]).indices(), [1, 0]);
/// assert_eq!(wait(&[&number, &text]).first(), Some(0)); // both are ready now
/// ```
#[doc(alias("joinall", "wait_any", "select"))]
pub fn wait<'a>(things: &'a [&'a (dyn Waitable + 'a)]) -> Wait<'a> {
    Wait { things, limit: None, count: usize::MAX }
}

/// What to wait for, and how; see [`wait`].
#[must_use = "nothing is waited for before `indices` or `first`"]
pub struct Wait<'a> {
    things: Things<'a>,
    limit: Option<Duration>,
    count: usize,
}

impl Wait<'_> {
    /// Waits at most `limit`.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Waits only until `count` things are ready.
    pub fn count(mut self, count: usize) -> Self {
        self.count = count;
        self
    }

    /// Parks until all are ready, or [`count`](Wait::count) of them, or the time is over; returns the places of
    /// those that are, in the order in which they became ready. What is ready at once comes first, in the order
    /// given.
    ///
    /// # Panics
    /// If called by a destructor while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives inside is raised here, and nothing else happens.
    pub fn indices(self) -> Vec<usize> {
        let mut ready = Vec::new();
        if self.count > 0 {
            watch(watched(self.things), self.limit, |index| {
                ready.push(index);
                ready.len() >= self.count
            });
        }
        ready
    }

    /// Parks until one is ready, and returns its place; `None` if the time is over before, or there is
    /// nothing to wait for. Allocates nothing for up to eight things.
    ///
    /// # Panics
    /// As [`indices`](Wait::indices).
    ///
    /// # Cancellation
    /// As [`indices`](Wait::indices).
    pub fn first(self) -> Option<usize> {
        let mut first = None;
        watch(watched(self.things), self.limit, |index| {
            first = Some(index);
            true
        });
        first
    }
}

impl fmt::Debug for Wait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait")
            .field("things", &self.things.len())
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

/// An iterator that waits for several things: it gives their places in `things`, in the order in which they
/// become ready from now on, each once.
///
/// ```
/// use greenlet::{sleep, spawn, wait_each};
/// use std::time::Duration;
/// let slow = spawn(|| sleep(Duration::from_millis(5)));
/// let fast = spawn(|| ());
/// let mut order = Vec::new();
/// for index in wait_each(&[&slow, &fast]) {
///     order.push(index);
/// }
/// assert_eq!(order, [1, 0]);
/// ```
#[doc(alias = "iwait")]
pub fn wait_each<'a>(things: &'a [&'a (dyn Waitable + 'a)]) -> WaitEach<'a> {
    let watch = NonNull::from(Box::leak(Box::new(Watch::new(watched(things)))));
    // SAFETY: boxed; ended and freed by `drop`. If that is forgotten, it is never freed.
    unsafe { watch.as_ref().begin() };
    WaitEach { watch, left: things.len(), until: None }
}

/// The iterator of [`wait_each`]: each [`next`](Iterator::next) parks until one more is ready.
///
/// It may be moved to another greenlet, and dropped at any time.
///
/// # Panics
/// If `next` is called by a destructor while the thread unwinds, and nothing is ready.
///
/// # Cancellation
/// What arrives inside `next` is raised there; the iterator can go on.
#[must_use = "nothing is waited for before it is asked"]
pub struct WaitEach<'a> {
    watch: NonNull<Watch<'a>>,
    left: usize,
    until: Option<u64>,
}

impl WaitEach<'_> {
    /// Makes the iterator end once `limit` has passed, from now on.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.until = Some(hub().moment(limit));
        self
    }
}

impl Iterator for WaitEach<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.left == 0 {
            return None;
        }
        // SAFETY: freed only by `drop`.
        let watch = unsafe { self.watch.as_ref() };
        let next = watch.next_until(hub(), self.until);
        let next = next.unwrap_or_else(|interrupted| interrupted.raise());
        self.left = next.map_or(0, |_| self.left - 1);
        next
    }
}

impl Drop for WaitEach<'_> {
    fn drop(&mut self) {
        // SAFETY: freed below.
        unsafe { self.watch.as_ref() }.end();
        // SAFETY: it came from a box, and no list leads to it any more.
        drop(unsafe { Box::from_raw(self.watch.as_ptr()) });
    }
}

impl fmt::Debug for WaitEach<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitEach").field("left", &self.left).finish_non_exhaustive()
    }
}
