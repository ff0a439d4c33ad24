//! A descriptor that the greenlets of one thread use.
//!
//! - **Closed when nobody names it**: the number goes back to the kernel only when no operation of
//!   ours names it any more: [`close`](Descriptor::close) ends them and waits; a drop finds none,
//!   because each borrows the descriptor, but where the frames of those who wait are left for ever: at
//!   the end of a thread.
//! - **Parked memory stays**: every operation in flight lies in a frame of its greenlet, and is taken
//!   out of its descriptor's list before that frame is left.
#![expect(unsafe_code, reason = "links operations on parked stacks; owns a descriptor")]

use super::NewFd;
use super::arrivals::Arrivals;
use super::turn::Line;
use crate::driver::Fd;
use crate::driver::planted::{self, Bug};
use crate::greenlet::{current_block, note_end_of_thread};
use crate::hub::{Operation, WaitList, WaitNode, has_hub, hub, hub_if_any, set_waits_for};
use std::cell::Cell;
use std::fmt;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::null;

/// What an operation does with its descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Takes bytes out of a stream: one at a time, or they would be torn apart.
    Read,
    /// Puts bytes into a stream: one at a time.
    Write,
    /// Takes or puts whole things (datagrams, connections), or only looks: any number. Those who take
    /// do so [in turn](super::turn).
    Shared,
}

/// Owns a descriptor, and knows which operations use it.
///
/// It may move to another thread while nothing uses it: all that it refers to is gone then.
pub(crate) struct Descriptor {
    fd: Cell<Fd>,
    closed: Cell<bool>,
    /// Is it in non-blocking mode, as far as we know?
    nonblocking: Cell<bool>,
    first: Cell<*const InFlight>,
    /// Who waits for the operations to end, in `close`.
    closers: WaitList,
    line: Line,
    /// Connections that were accepted before anybody asked for them.
    arrivals: Arrivals,
}

// SAFETY: the list, the closers and the line are empty unless an operation, or `close`, borrows it; and
// it is not `Sync`, so that nobody borrows it when it moves. What
// the arrivals refer to is at rest then, or they let go of it: **Leaked, not shared**.
unsafe impl Send for Descriptor {}

/// An operation that names a descriptor, in the frame of whoever waits for it.
pub(super) struct InFlight {
    operation: *const Operation,
    direction: Direction,
    closed: Cell<bool>,
    next: Cell<*const InFlight>,
}

impl InFlight {
    #[inline]
    pub(super) fn new(operation: &Operation, direction: Direction) -> InFlight {
        InFlight { operation, direction, closed: Cell::new(false), next: Cell::new(null()) }
    }

    /// Does it go on in the process that has forked, or nowhere?
    fn is_frozen(&self) -> bool {
        // SAFETY: **Parked memory stays**: both lie in frames of one greenlet.
        unsafe { &*self.operation }.is_frozen()
    }

    /// Was the descriptor closed under it?
    #[inline]
    pub(super) fn is_closed(&self) -> bool {
        self.closed.get()
    }
}

/// What an operation on a closed descriptor says.
#[cold]
pub(super) fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "closed by another greenlet, or before")
}

#[cold]
fn unsupported(what: &str) -> io::Error {
    let text = format!("{what} in a simulated world (greenlet::sim)");
    io::Error::new(io::ErrorKind::Unsupported, text)
}

#[cold]
fn in_use(direction: Direction) -> io::Error {
    let what = if direction == Direction::Read { "reads from" } else { "writes to" };
    io::Error::new(
        io::ErrorKind::ResourceBusy,
        format!("another greenlet {what} this stream: what it carries would be torn apart"),
    )
}

impl Descriptor {
    /// Takes a descriptor over, in the mode that this thread's hub wants.
    pub(crate) fn adopt(fd: OwnedFd) -> io::Result<Descriptor> {
        if hub().is_simulated() {
            return Err(unsupported("descriptors of the kernel's cannot be used"));
        }
        set_nonblocking(fd.as_raw_fd(), hub().wants_nonblocking())?;
        Ok(Descriptor::adopt_as_is(fd.into()))
    }

    /// Takes a descriptor over that is in the right mode already.
    pub(crate) fn adopt_as_is(fd: NewFd) -> Descriptor {
        Descriptor::naming(fd.into_fd())
    }

    /// Names a descriptor of somebody else's, under which nothing may be done but look: it is not
    /// closed when this is forgotten.
    pub(super) fn foreign(fd: BorrowedFd<'_>) -> ManuallyDrop<Descriptor> {
        ManuallyDrop::new(Descriptor::naming(Fd::new(fd.as_raw_fd())))
    }

    fn naming(fd: Fd) -> Descriptor {
        Descriptor {
            fd: Cell::new(fd),
            closed: Cell::new(false),
            nonblocking: Cell::new(hub().wants_nonblocking()),
            first: Cell::new(null()),
            closers: WaitList::new(),
            line: Line::new(),
            arrivals: Arrivals::none(),
        }
    }

    #[inline]
    pub(crate) fn fd(&self) -> Fd {
        self.fd.get()
    }

    /// Those who want to take whole things from it.
    #[inline]
    pub(super) fn line(&self) -> &Line {
        &self.line
    }

    #[inline]
    pub(super) fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }

    /// Is it open?
    pub(crate) fn check(&self) -> io::Result<()> {
        if self.closed.get() { Err(closed()) } else { Ok(()) }
    }

    /// Puts it into the mode that this thread's hub wants, for the calls that depend on it: it may
    /// have come from the thread of another kind of hub.
    #[inline]
    pub(super) fn fit(&self) -> io::Result<()> {
        let wanted = hub().wants_nonblocking();
        if self.nonblocking.get() != wanted && !self.closed.get() {
            set_nonblocking(self.fd.get().number(), wanted)?;
            self.nonblocking.set(wanted);
        }
        Ok(())
    }

    /// Runs `look` with the type that std has for such a descriptor: for all calls that return at
    /// once. `look` must not wait.
    ///
    /// # Errors
    /// What a closed descriptor says; those of `look`.
    pub(crate) fn as_std<T: From<OwnedFd>, R>(
        &self,
        look: impl FnOnce(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        self.check()?;
        if self.fd.get().is_simulated() {
            return Err(unsupported("this cannot be asked of a socket"));
        }
        // SAFETY: open, and stays so while `look` runs: it lets nobody else run. Never dropped.
        let fd = unsafe { OwnedFd::from_raw_fd(self.fd.get().number()) };
        look(&ManuallyDrop::new(T::from(fd)))
    }

    /// May an operation of this direction begin?
    #[inline]
    pub(super) fn admit(&self, direction: Direction) -> io::Result<()> {
        if self.closed.get() {
            return Err(closed());
        }
        let mut other = self.first.get();
        // SAFETY: **Parked memory stays**.
        while let Some(in_flight) = unsafe { other.as_ref() } {
            let is_alike = in_flight.direction == direction && direction != Direction::Shared;
            if is_alike && !in_flight.is_frozen() {
                return Err(in_use(direction));
            }
            other = in_flight.next.get();
        }
        Ok(())
    }

    /// Does an operation name it of which the end is still to come?
    fn is_in_use(&self) -> bool {
        let mut other = self.first.get();
        // SAFETY: **Parked memory stays**.
        while let Some(in_flight) = unsafe { other.as_ref() } {
            // SAFETY: as above.
            if !in_flight.is_frozen() && !unsafe { &*in_flight.operation }.is_over() {
                return true;
            }
            other = in_flight.next.get();
        }
        false
    }

    /// Notes an operation in flight.
    ///
    /// # Safety
    /// - It stays where it is until it has [left](Descriptor::leave).
    #[inline]
    pub(super) unsafe fn enter(&self, in_flight: &InFlight) {
        in_flight.next.set(self.first.get());
        self.first.set(in_flight);
    }

    /// Forgets an operation that is over.
    #[inline]
    pub(super) fn leave(&self, in_flight: &InFlight) {
        let mut place = &self.first;
        // SAFETY: **Parked memory stays**.
        while let Some(other) = unsafe { place.get().as_ref() } {
            if std::ptr::eq(other, in_flight) {
                place.set(other.next.get());
                break;
            }
            place = &other.next;
        }
        if self.closed.get() && self.first.get().is_null() {
            self.closers.wake_all();
        }
    }

    /// Ends the operations that use it, waits for them, and closes it. Whoever comes later gets an
    /// error. Not interrupted: it only waits for what was told to end.
    pub(crate) fn close(&self) -> io::Result<()> {
        // First: it finds out who does not run any more. None: nobody does, and no other hub can be had.
        let hub = hub_if_any().or_else(|| (!has_hub()).then(hub));
        if self.closed.replace(true) {
            return Ok(());
        }
        self.line.dissolve();
        let mut next = self.first.get();
        // SAFETY: **Parked memory stays**; nobody runs while the list is walked.
        while let Some(in_flight) = unsafe { next.as_ref() } {
            in_flight.closed.set(true);
            next = in_flight.next.get();
            match hub.filter(|_| !in_flight.is_frozen()) {
                // SAFETY: as above.
                Some(hub) => hub.cancel_and_wake(unsafe { &*in_flight.operation }),
                None => self.leave(in_flight),
            }
        }
        self.arrivals.close();
        // From a destructor while the thread unwinds the others cannot leave: what they had begun was
        // told to end, and the kernel keeps the file until it has.
        let was_used = !self.first.get().is_null();
        while let Some(hub) = hub.filter(|hub| hub.others_can_run())
            && !self.first.get().is_null()
        {
            if planted::is(Bug::CloseBeforeFlush) {
                break;
            }
            set_waits_for(current_block(), &"operations on what it closes");
            let node = WaitNode::new();
            // SAFETY: taken out again below; no park unwinds.
            unsafe { self.closers.add(&node) };
            hub.park();
            // SAFETY: in this list, or fired.
            unsafe { self.closers.remove(&node) };
        }
        if planted::is(Bug::LeakADescriptor) && was_used {
            return Ok(());
        }
        match hub {
            Some(hub) => hub.close_fd(self.fd.get()),
            None => {
                self.close_number();
                Ok(())
            }
        }
    }

    /// Closes it, where no hub's driver knows of it, or will be entered again.
    fn close_number(&self) {
        // One of a simulated world has gone with that.
        if !self.fd.get().is_simulated() {
            // SAFETY: ours, and open.
            drop(unsafe { OwnedFd::from_raw_fd(self.fd.get().number()) });
        }
    }

    /// For those who hand its number to the kernel by themselves.
    fn must_be_kernels(&self) {
        assert!(
            !self.fd.get().is_simulated(),
            "a socket of a simulated world has no descriptor of the kernel's (greenlet::sim)"
        );
    }

    /// Gives the descriptor away, in blocking mode.
    ///
    /// # Panics
    /// When it was closed: there is none any more.
    pub(crate) fn into_owned(self) -> OwnedFd {
        assert!(!self.closed.get(), "a closed socket or file has no descriptor to give away");
        self.must_be_kernels();
        self.arrivals.close();
        self.arrivals.free();
        let fd = self.fd.get();
        if let Some(hub) = hub_if_any() {
            hub.forget_fd(fd);
        }
        let _ = set_nonblocking(fd.number(), false);
        std::mem::forget(self); // the lists are empty
        // SAFETY: ours, and open.
        unsafe { OwnedFd::from_raw_fd(fd.number()) }
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        let is_closed = self.closed.get();
        // First: it finds out who does not run any more.
        let mut hub = hub_if_any().filter(|_| !is_closed);
        if hub.is_some() && self.is_in_use() {
            // **Closed when nobody names it**, so this is a thread-local that `exit` in the middle of the thread
            // destroys. Its hub must not be used any more: what waits to be submitted there names the number, which
            // may soon be another file's.
            note_end_of_thread();
            hub = None;
        }
        if !is_closed {
            self.arrivals.close();
        }
        self.arrivals.free();
        match hub {
            _ if is_closed => {}
            Some(hub) => drop(hub.close_fd(self.fd.get())),
            None => self.close_number(),
        }
    }
}

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        if self.closed.get() {
            return -1;
        }
        self.must_be_kernels();
        self.fd.get().number()
    }
}

impl AsFd for Descriptor {
    /// Panics when it was closed.
    fn as_fd(&self) -> BorrowedFd<'_> {
        assert!(!self.closed.get(), "a closed socket or file has no descriptor to lend");
        self.must_be_kernels();
        // SAFETY: open now. Whoever calls `close` while it is lent has lent it to himself.
        unsafe { BorrowedFd::borrow_raw(self.fd.get().number()) }
    }
}

impl fmt::Debug for Descriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let closed = self.closed.get();
        write!(f, "{}", if closed { -1 } else { self.fd.get().number_in_its_world() })
    }
}

/// Sets or clears `O_NONBLOCK`.
pub(crate) fn set_nonblocking(fd: RawFd, wanted: bool) -> io::Result<()> {
    // SAFETY: neither call touches memory.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    if flags < 0 {
        return Err(io::Error::last_os_error());
    }
    let new = if wanted { flags | libc::O_NONBLOCK } else { flags & !libc::O_NONBLOCK };
    // SAFETY: as above.
    if new != flags && unsafe { libc::fcntl(fd, libc::F_SETFL, new) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
