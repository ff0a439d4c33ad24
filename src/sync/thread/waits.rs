//! The wait behind all of these: in a list under the lock of what is waited for, by greenlets of any
//! hub and by threads without one.
//!
//! - **Parked memory stays**: a [`Wait`] lies in a frame of whoever waits. Others touch it under the
//!   lock alone; before the frame is left it has fired, or was taken out under the lock.
//! - **The last touch**: whoever fires a wait takes out what wakes it first, and then does not touch
//!   it again: its frame may be gone.
#![expect(unsafe_code, reason = "links waits in frames of other threads")]

use crate::greenlet::current_block;
use crate::hub::{Deadline, Hub, Interrupted, RemoteWaker, WaitsFor, hub_if_any, set_waits_for};
use crate::list::parts::{
    AtomicBool, Mutex, MutexGuard, Ordering, Thread, current, park, park_timeout,
};
use crate::worker::{forks, watch_forks};
use intrusive_collections::{LinkedList, LinkedListLink, UnsafeRef, intrusive_adapter};
use std::cell::Cell;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// What makes whoever waits look again.
enum Waker {
    Greenlet(RemoteWaker),
    Thread(Thread),
}

impl Waker {
    /// Will whoever waits never go on, because its hub has ended?
    fn is_gone(&self) -> bool {
        match self {
            Waker::Greenlet(waker) => waker.is_gone(),
            Waker::Thread(_) => false,
        }
    }
}

/// One who waits, and the thing that is handed over.
struct Wait<T> {
    link: LinkedListLink,
    fired: AtomicBool,
    waker: Cell<Option<Waker>>,
    slot: Cell<Option<T>>,
}

intrusive_adapter!(Adapter<T> = UnsafeRef<Wait<T>>: Wait<T> { link => LinkedListLink });

impl<T> Wait<T> {
    fn has_fired(&self) -> bool {
        self.fired.load(Ordering::Acquire)
    }
}

/// Those who wait for the same, first come, first served. It belongs to what a lock guards.
pub(crate) struct Waits<T> {
    list: LinkedList<Adapter<T>>,
    /// They wait after so many [`forks`].
    forks: u32,
}

// SAFETY: waits are touched under the lock around this, and what is handed over may cross threads.
unsafe impl<T: Send> Send for Waits<T> {}

impl<T> Default for Waits<T> {
    fn default() -> Waits<T> {
        Waits { list: LinkedList::new(Adapter::new()), forks: forks() }
    }
}

impl<T> Drop for Waits<T> {
    /// Those who are left never go on. The list touches them when it is dropped.
    fn drop(&mut self) {
        self.here();
    }
}

/// One who was served, and is to be woken once the lock is released.
#[must_use = "whoever was served sleeps until woken"]
pub(crate) struct Served(Waker);

impl Served {
    pub(crate) fn wake(self) {
        match self.0 {
            Waker::Greenlet(waker) => waker.wake(),
            Waker::Thread(thread) => thread.unpark(),
        }
    }
}

impl<T> Waits<T> {
    /// Those who wait in this process. In the child of a fork nobody goes on who waited before, and the stacks of
    /// the threads that it does not have may be others' by now: nothing that lies there is touched.
    #[inline]
    fn here(&mut self) -> &mut LinkedList<Adapter<T>> {
        if self.forks != forks() {
            self.list.fast_clear();
            self.forks = forks();
        }
        &mut self.list
    }

    /// Serves the first: `trade` is given what it has brought, and says what it gets.
    pub(crate) fn serve(&mut self, trade: impl FnOnce(Option<T>) -> Option<T>) -> Option<Served> {
        let (wait, waker) = self.pop()?;
        wait.slot.set(trade(wait.slot.take()));
        // **The last touch**.
        wait.fired.store(true, Ordering::Release);
        Some(Served(waker))
    }

    /// Takes out the first who will go on. One whose hub has ended gets nothing: its frame stays for ever,
    /// with what it has brought.
    fn pop(&mut self) -> Option<(UnsafeRef<Wait<T>>, Waker)> {
        loop {
            let wait = self.here().pop_front()?;
            let Some(waker) = wait.waker.take() else { unreachable!("set before it was linked") };
            if !waker.is_gone() {
                return Some((wait, waker));
            }
        }
    }

    /// Serves all, who keep what they have brought.
    pub(crate) fn serve_all(&mut self) -> Vec<Served> {
        std::iter::from_fn(|| self.serve(|brought| brought)).collect()
    }
}

/// How a wait has ended.
pub(crate) struct Waited<T> {
    /// It was served; whatever else has happened.
    pub(crate) served: bool,
    /// What was brought, or what was got for it.
    pub(crate) slot: Option<T>,
    /// To be raised, unless it was served: then it waits for the next wait.
    pub(crate) interrupted: Option<Interrupted>,
}

/// Whatever a panic has left: nothing that is guarded here is ever half done.
pub(crate) fn lock<S>(mutex: &Mutex<S>) -> MutexGuard<'_, S> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits in a list of what `guard` has locked, until served, interrupted, or for `limit`. A greenlet of
/// a hub parks; a thread without a hub sleeps.
pub(crate) fn wait<'a, S, T>(
    mutex: &'a Mutex<S>,
    guard: MutexGuard<'a, S>,
    list: fn(&mut S) -> &mut Waits<T>,
    brought: Option<T>,
    what: WaitsFor,
    limit: Option<Duration>,
) -> Waited<T> {
    let wait = Wait {
        link: LinkedListLink::new(),
        fired: AtomicBool::new(false),
        waker: Cell::new(None),
        slot: Cell::new(brought),
    };
    let enlist = |waker, mut guard: MutexGuard<'a, S>| {
        wait.waker.set(Some(waker));
        // SAFETY: **Parked memory stays**: taken out below unless it has fired; nothing in between
        // unwinds.
        list(&mut guard).here().push_back(unsafe { UnsafeRef::from_raw(&raw const wait) });
    };
    let interrupted = match hub_if_any() {
        Some(hub) => {
            park_until(hub, what, limit, || wait.has_fired(), |waker| enlist(waker, guard))
        }
        None => {
            watch_forks();
            enlist(Waker::Thread(current()), guard);
            sleep_until(limit, || wait.has_fired());
            None
        }
    };
    if !wait.has_fired() {
        let mut guard = lock(mutex);
        if !wait.has_fired() {
            let list = list(&mut guard).here();
            // SAFETY: it was put into this list, and has not fired, which would have taken it out.
            unsafe { list.cursor_mut_from_ptr(&raw const wait) }.remove();
        }
    }
    Waited { served: wait.has_fired(), slot: wait.slot.take(), interrupted }
}

fn park_until(
    hub: &Hub,
    what: WaitsFor,
    limit: Option<Duration>,
    has_fired: impl Fn() -> bool,
    enlist: impl FnOnce(Waker),
) -> Option<Interrupted> {
    let me = current_block();
    set_waits_for(me, what);
    let deadline = Deadline::new(me);
    if let Some(limit) = limit {
        // SAFETY: taken back below; no park unwinds.
        unsafe { hub.set_deadline(&deadline, hub.moment(limit)) };
    }
    let waited = hub.wait_for_remote(
        |waker| enlist(Waker::Greenlet(waker)),
        || has_fired() || deadline.has_passed(),
    );
    hub.take_back(&deadline);
    waited.err()
}

fn sleep_until(limit: Option<Duration>, has_fired: impl Fn() -> bool) {
    // A limit beyond what clocks can say is none.
    let end = limit.and_then(|limit| Instant::now().checked_add(limit));
    while !has_fired() {
        match end {
            None => park(),
            Some(end) => match end.saturating_duration_since(Instant::now()) {
                Duration::ZERO => return,
                left => park_timeout(left),
            },
        }
    }
}
