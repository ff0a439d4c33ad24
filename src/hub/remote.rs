//! How other threads reach a hub: they leave letters in its mailbox, and wake it if it sleeps.
//!
//! ```text
//!   another thread                 this thread
//!   wake(key) ───▶ Mailbox: inbox ──▶ open_mail ──▶ places[key] ──▶ ready list
//!   spawn(task) ─▶    └─ asleep? ──▶ driver's waker ends `enter`
//! ```
//!
//! - **Keys, not addresses**: another thread knows a greenlet that waits by a key, which is good
//!   for this one wait. What comes later reaches nobody.
//! - **No sleep over letters**: the hub lies down in the inbox before it waits for the kernel, and
//!   does not wait if there is a letter; the first letter after that wakes it.
#![expect(unsafe_code, reason = "a place leads to a parked greenlet by address")]

use super::Hub;
use super::interrupt::Interrupted;
use crate::driver::Waker;
use crate::driver::planted::{self, Bug};
use crate::greenlet::{Block, Payload, current_block, line};
use crate::list::Inbox;
use crate::worker::forks;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::ptr::null;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What other threads know of a hub.
pub(crate) struct Mailbox {
    inbox: Inbox<Letter>,
    waker: Arc<Waker>,
    /// How many [`HubHandle`]s there are.
    handles: AtomicUsize,
    /// As in the hub: in the child of a fork nobody reads this.
    forks: u32,
}

/// What they tell it.
enum Letter {
    /// Wake who waits under this key.
    Wake(Key),
    /// End what lodges under this key.
    Kill(Key),
    Run(Arc<dyn Errand>),
    /// The last handle is gone.
    Look,
}

/// What another thread asks a hub to do.
pub(crate) trait Errand: Send + Sync {
    /// Does it, in any greenlet: no user code, nothing that waits.
    fn run(self: Arc<Self>, hub: &Hub);

    /// What the oldest letter that wants to end it says is to be raised: asked once for each.
    fn reason(&self) -> Payload;

    /// It will not be done, or its end will not come. Nothing of the user's may be dropped here.
    fn hub_has_ended(&self);
}

impl Mailbox {
    pub(super) fn new(waker: &Arc<Waker>) -> Arc<Mailbox> {
        Arc::new(Mailbox {
            inbox: Inbox::new(),
            waker: waker.clone(),
            handles: AtomicUsize::new(0),
            forks: forks(),
        })
    }

    /// Leaves a letter, and wakes the hub if it sleeps.
    ///
    /// # Errors
    /// The hub has ended; here is the letter again.
    fn send(&self, letter: Letter) -> Result<(), Letter> {
        if self.forks != forks() {
            return Err(letter);
        }
        if self.inbox.put(letter)? && !planted::is(Bug::LostInboxWake) {
            self.waker.wake();
        }
        Ok(())
    }

    /// Ends what lodges under this key, if it still does.
    pub(crate) fn kill(&self, key: Key) {
        let _ = self.send(Letter::Kill(key));
    }

    /// Is its hub gone? In the child of a fork it is.
    pub(crate) fn is_closed(&self) -> bool {
        self.forks != forks() || self.inbox.is_closed()
    }
}

/// A handle by which any thread can give tasks to a hub: see [`spawn`](HubHandle::spawn). Cheap to clone.
///
/// While one exists, no [`Deadlock`](crate::Deadlock) is raised on its hub, since a task may still come. The
/// hub ends with its thread; tasks that are sent later are refused.
///
/// ```
/// use greenlet::HubHandle;
/// let hub = HubHandle::current();
/// let thread = std::thread::spawn(move || hub.spawn(|| 6 * 7).join().unwrap());
/// // The hub runs while this greenlet waits; `thread.join()` in place would keep it from running.
/// let answer = greenlet::offload(move || thread.join().unwrap());
/// assert_eq!(answer, 42);
/// ```
pub struct HubHandle(Arc<Mailbox>);

impl HubHandle {
    /// A handle of the current thread's hub, which is made if there is none.
    pub fn current() -> HubHandle {
        let mailbox = &super::hub().mailbox;
        mailbox.handles.fetch_add(1, Ordering::Relaxed);
        HubHandle(mailbox.clone())
    }

    /// Whether the hub has ended: because its thread has, or because this is the child of a fork.
    pub fn has_ended(&self) -> bool {
        self.0.is_closed()
    }

    pub(crate) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.0
    }

    /// # Errors
    /// The hub has ended; the errand was not looked at.
    pub(crate) fn send(&self, errand: Arc<dyn Errand>) -> Result<(), ()> {
        self.0.send(Letter::Run(errand)).map_err(drop)
    }
}

impl Clone for HubHandle {
    fn clone(&self) -> HubHandle {
        self.0.handles.fetch_add(1, Ordering::Relaxed);
        HubHandle(self.0.clone())
    }
}

impl Drop for HubHandle {
    fn drop(&mut self) {
        // Released before the letter that makes the hub look at the number.
        if self.0.handles.fetch_sub(1, Ordering::Release) == 1 {
            let _ = self.0.send(Letter::Look);
        }
    }
}

impl fmt::Debug for HubHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubHandle").field("has_ended", &self.has_ended()).finish_non_exhaustive()
    }
}

/// Which of a hub's places, and the how manieth stay there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    index: u32,
    generation: u32,
}

/// Wakes a greenlet that [waits](Hub::wait_for_remote), from any thread.
#[derive(Clone)]
pub(crate) struct RemoteWaker {
    mailbox: Arc<Mailbox>,
    key: Key,
}

impl RemoteWaker {
    /// Makes the greenlet ready, if that wait is not over. Returns at once.
    pub(crate) fn wake(&self) {
        match super::hub_if_any() {
            Some(hub) if hub.reads(&self.mailbox) => hub.wake_key(self.key),
            // Where the hub has ended, nobody waits.
            _ => drop(self.mailbox.send(Letter::Wake(self.key))),
        }
    }

    /// Has its hub ended? Then nobody waits any more, and the frame of whoever did is never left.
    pub(crate) fn is_gone(&self) -> bool {
        self.mailbox.is_closed()
    }
}

/// The greenlets of a hub that other threads know: those that wait for them, and those that lodge here
/// for as long as they run.
pub(super) struct Places {
    places: RefCell<Vec<Place>>,
    /// The free place to be taken next; places.len() if there is none.
    free: Cell<u32>,
    waits: Cell<u32>,
}

struct Place {
    /// Who is here; null while the place is free.
    block: *const Block,
    /// Who is told if the hub ends first.
    errand: Option<Arc<dyn Errand>>,
    generation: u32,
    /// The next free one.
    next: u32,
}

impl Places {
    pub(super) const fn new() -> Places {
        Places { places: RefCell::new(Vec::new()), free: Cell::new(0), waits: Cell::new(0) }
    }

    fn take(&self, block: &Block, errand: Option<Arc<dyn Errand>>) -> Key {
        let mut places = self.places.borrow_mut();
        let index = self.free.get();
        if index as usize == places.len() {
            places.push(Place { block: null(), errand: None, generation: 0, next: index + 1 });
        }
        let place = &mut places[index as usize];
        (place.block, place.errand) = (block, errand);
        self.free.set(place.next);
        Key { index, generation: place.generation }
    }

    fn leave(&self, key: Key) -> Option<Arc<dyn Errand>> {
        let place = &mut self.places.borrow_mut()[key.index as usize];
        place.block = null();
        // Wraps after four billion waits in this place; then a wake that is as late has no cause.
        place.generation = place.generation.wrapping_add(1);
        place.next = self.free.replace(key.index);
        place.errand.take()
    }

    /// Who waits under this key, if that wait is not over.
    fn find(&self, key: Key) -> *const Block {
        let places = self.places.borrow();
        let place = places.get(key.index as usize).filter(|p| p.generation == key.generation);
        place.map_or(null(), |place| place.block)
    }

    /// What goes on under this key, if that is not over.
    fn errand(&self, key: Key) -> Option<Arc<dyn Errand>> {
        let places = self.places.borrow();
        let place = places.get(key.index as usize).filter(|p| p.generation == key.generation);
        place.and_then(|place| place.errand.clone())
    }
}

impl Hub {
    /// Parks until `done` holds, or something is to be raised in the current greenlet. `register`
    /// is given what wakes it, as often as `done` is to be looked at again.
    ///
    /// While somebody waits so, the hub sleeps for as long as it takes: that is no deadlock.
    ///
    /// # Errors
    /// [`Interrupted`]; `done` did not hold then.
    pub(crate) fn wait_for_remote(
        &self,
        register: impl FnOnce(RemoteWaker),
        done: impl FnMut() -> bool,
    ) -> Result<(), Interrupted> {
        self.places.waits.set(self.places.waits.get() + 1);
        let wait = Wait { hub: self, key: self.places.take(current_block(), None) };
        register(RemoteWaker { mailbox: self.mailbox.clone(), key: wait.key });
        self.wait_until(done)
    }

    /// A key by which other threads may [kill](Mailbox::kill) the greenlet of `block`, until it
    /// [moves out](Hub::move_out). If the hub ends before, `errand` is told.
    pub(crate) fn lodge(&self, block: &Block, errand: Arc<dyn Errand>) -> Key {
        self.places.take(block, Some(errand))
    }

    /// The greenlet under this key is about to end. Here is its errand again.
    pub(crate) fn move_out(&self, key: Key) -> Option<Arc<dyn Errand>> {
        self.places.leave(key)
    }

    /// Is this the greenlet under that key?
    pub(crate) fn lodges(&self, block: &Block, key: Key) -> bool {
        std::ptr::eq(self.places.find(key), block)
    }

    /// Is this our mailbox?
    pub(crate) fn reads(&self, mailbox: &Arc<Mailbox>) -> bool {
        Arc::ptr_eq(&self.mailbox, mailbox)
    }

    /// Is somebody waiting for another thread, or could one send a task?
    #[inline]
    pub(super) fn awaits_others(&self) -> bool {
        // Acquired from `HubHandle::drop`: what the last one has sent is seen, too.
        self.places.waits.get() > 0 || self.mailbox.handles.load(Ordering::Acquire) > 0
    }

    /// Is somebody waiting for another thread?
    #[cfg(feature = "sim")]
    pub(super) fn waits_for_others(&self) -> bool {
        self.places.waits.get() > 0
    }

    /// The hub wants to wait for the kernel. False if it must not, because there is a letter.
    #[inline]
    pub(super) fn lie_down(&self) -> bool {
        self.mailbox.inbox.lie_down()
    }

    /// The hub has waited for the kernel.
    #[inline]
    pub(super) fn get_up(&self) {
        self.mailbox.inbox.get_up();
    }

    fn wake_key(&self, key: Key) {
        // SAFETY: null, or a greenlet that is inside `wait_for_remote`.
        if let Some(block) = unsafe { self.places.find(key).as_ref() } {
            self.wake(block);
        }
    }

    /// Does what other threads have asked for. Was there anything?
    #[inline]
    pub(super) fn open_mail(&self) -> bool {
        let mut any = false;
        for letter in self.mailbox.inbox.take() {
            any = true;
            match letter {
                Letter::Wake(key) => self.wake_key(key),
                Letter::Kill(key) => {
                    let errand = self.places.errand(key); // not the last reference: its place has one
                    // SAFETY: null, or a greenlet that has not moved out.
                    let block = unsafe { self.places.find(key).as_ref() };
                    if let (Some(block), Some(errand)) = (block, errand) {
                        self.interrupt(block, errand.reason());
                    }
                }
                Letter::Run(errand) => errand.run(self),
                Letter::Look => {}
            }
        }
        any
    }

    /// Nobody reads letters any more, and nobody who lodges here will end. The thread's locals are
    /// gone, so that no code of the user's may run: errands are leaked.
    pub(super) fn close_mail(&self) {
        let mut never_begun = 0;
        for letter in self.mailbox.inbox.close() {
            if let Letter::Run(errand) = letter {
                errand.hub_has_ended();
                std::mem::forget(errand);
                never_begun += 1;
            }
        }
        if never_begun > 0 {
            let tasks = if never_begun == 1 { "task" } else { "tasks" };
            line(format_args!("{never_begun} {tasks} of other threads never began"));
        }
        for place in self.places.places.take() {
            if let Some(errand) = place.errand {
                errand.hub_has_ended();
                std::mem::forget(errand);
            }
        }
    }
}

/// One wait; its place is free afterwards.
struct Wait<'a> {
    hub: &'a Hub,
    key: Key,
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.hub.places.leave(self.key);
        self.hub.places.waits.set(self.hub.places.waits.get() - 1);
    }
}

#[cfg(test)]
mod tests;
