//! Accepting many connections by one request, for loops that take all there are.
//!
//! 4 to 6 of 20 to 28 us of processor time less for each connection that brings a byte and takes one
//! (6.18; 1, 8 and 200 clients at once). But what comes is taken before it is asked for, and by one of several
//! that share the socket: so `accept` takes one by one.
//!
//! The stream belongs to the descriptor, not to each `Incoming`: there is one order for all who accept, what is
//! left is found, and closing finds it also when an `Incoming` was forgotten.
//!
//! ```text
//!   Incoming ─┐ next: arms      ┌──────────┐  kernel accepts, until it is cancelled
//!   Incoming ─┴─────▶ Arrivals ─▶ Stream   │◀─────────────────────────────────────
//!   accept ─────────▶           └─ fd fd fd ┘ taken in order, each in its turn
//! ```
//!
//! - **In turn**: whoever takes a connection has the descriptor's turn; what was accepted before
//!   comes first. So calls of `accept` beside an armed stream get theirs as if there were none.
//! - **Armed while it has users**: the stream is over whenever no `Incoming` uses it; the last one ends
//!   it. What is left then are numbers, which may move to another thread.
//! - **Leaked, not shared**: an `Incoming` that was forgotten leaves the stream armed. On its own
//!   thread it is used on, and ended when the listener is closed. Found from another thread it
//!   is let go, with the connections that it takes: it belongs to the other hub, for ever.
#![expect(unsafe_code, reason = "shares a stream by address")]

use super::accept::accept_now;
use super::descriptor::set_nonblocking;
use super::turn::in_turn;
use super::{Descriptor, NewFd};
use crate::driver::Request;
use crate::greenlet::current_block;
use crate::hub::{Deadline, Stream, hub, hub_if_any, set_waits_for};
use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::ptr::null_mut;

/// What a descriptor knows of its stream: null, or made by `Box::into_raw`.
pub(super) struct Arrivals(Cell<*mut Armed>);

struct Armed {
    stream: Pin<Box<Stream>>,
    /// How many `Incoming` use it.
    users: Cell<usize>,
    /// The hub that it was armed in, while it has users.
    home: Cell<u64>,
}

impl Arrivals {
    pub(super) const fn none() -> Arrivals {
        Arrivals(Cell::new(null_mut()))
    }

    /// The stream, if it is over or of this thread.
    fn here(&self) -> Option<&Armed> {
        // SAFETY: null, or there until `free`, which nobody who borrows the descriptor outlives. Of one
        // that another thread's hub has, only `users` and `home` are read, which that hub never touches.
        let armed = unsafe { self.0.get().as_ref() }?;
        let is_here = || hub_if_any().is_some_and(|hub| hub.number() == armed.home.get());
        if armed.users.get() == 0 || is_here() {
            return Some(armed);
        }
        self.0.set(null_mut()); // **Leaked, not shared**
        None
    }

    /// One more user of the stream, which is made if there is none.
    fn join(&self, descriptor: &Descriptor) -> *const Armed {
        if self.here().is_none() {
            let request = Request::AcceptMany { fd: descriptor.fd(), flags: libc::SOCK_CLOEXEC };
            let (users, home) = (Cell::new(0), Cell::new(0));
            self.0.set(Box::into_raw(Box::new(Armed {
                stream: Stream::new(request),
                users,
                home,
            })));
        }
        // SAFETY: just made, or here.
        let armed = unsafe { &*self.0.get() };
        armed.users.set(armed.users.get() + 1);
        armed.home.set(hub().number());
        armed
    }

    /// Ends the stream, and closes the connections that nobody has taken. Nobody arms it again.
    pub(super) fn close(&self) {
        if self.0.get().is_null() {
            return;
        }
        let Some(armed) = self.here() else { return };
        if !armed.stream.is_over() {
            hub().end_stream(&armed.stream, || false);
        }
        while let Some(result) = armed.stream.take() {
            drop(owned(result));
        }
    }

    /// Gives the memory back, after `close`, when nobody borrows the descriptor.
    pub(super) fn free(&self) {
        if self.here().is_some() {
            // SAFETY: made by `Box::into_raw`; over, and its users have borrowed the descriptor: those
            // that are left were forgotten, and look no more.
            drop(unsafe { Box::from_raw(self.0.replace(null_mut())) });
        }
    }
}

fn owned(result: i32) -> io::Result<NewFd> {
    if result < 0 {
        return Err(io::Error::from_raw_os_error(-result));
    }
    Ok(NewFd::new(result))
}

/// A loop that takes the connections of a listener.
pub(crate) struct Incoming<'a> {
    descriptor: &'a Descriptor,
    /// What it uses; null as long as it has not waited.
    joined: *const Armed,
}

impl<'a> Incoming<'a> {
    pub(crate) fn new(descriptor: &'a Descriptor) -> Incoming<'a> {
        Incoming { descriptor, joined: null_mut() }
    }

    /// Takes the next connection, as [`accept`](super::accept()) does.
    pub(crate) fn next(&mut self, limit_ns: Option<u64>) -> io::Result<NewFd> {
        in_turn(self.descriptor, limit_ns, |limit_ns| {
            self.descriptor.check()?;
            // A call that may not park asks the kernel itself, if nobody else has.
            let arms = limit_ns.is_none() && hub().accepts_many();
            if arms && (self.joined.is_null() || !self.is_in()) {
                self.joined = self.descriptor.arrivals().join(self.descriptor);
            }
            match take(self.descriptor, arms, limit_ns)? {
                Some(fd) => Ok(fd),
                None => Ok(accept_now(self.descriptor, limit_ns)?.0),
            }
        })
    }

    /// Is what it uses still that of the descriptor?
    fn is_in(&self) -> bool {
        self.descriptor.arrivals().here().is_some_and(|armed| std::ptr::eq(armed, self.joined))
    }
}

impl Drop for Incoming<'_> {
    /// The last one ends the stream, and leaves what it has brought to whoever accepts next.
    fn drop(&mut self) {
        if self.joined.is_null() || !self.is_in() {
            return;
        }
        // SAFETY: it is the descriptor's, which is borrowed.
        let armed = unsafe { &*self.joined };
        let users = armed.users.get() - 1;
        if users == 0 {
            // Somebody else may begin meanwhile. It has a user until it is over.
            hub().end_stream(&armed.stream, || armed.users.get() > 1);
        }
        armed.users.set(armed.users.get() - 1);
    }
}

/// Takes a connection that the stream has brought, or brings; `arms` it if need be. Nothing if none is
/// to be expected of it. The current greenlet has its turn.
pub(super) fn take(
    descriptor: &Descriptor,
    arms: bool,
    limit_ns: Option<u64>,
) -> io::Result<Option<NewFd>> {
    let Some(armed) = descriptor.arrivals().here() else { return Ok(None) };
    let (hub, me, stream) = (hub(), current_block(), &armed.stream);
    hub.raise_pending();
    let end = limit_ns.map(|limit| hub.now().saturating_add(limit));
    let mut has_parked = false;
    loop {
        descriptor.check()?;
        match stream.take().map(|result| (result, owned(result))) {
            // The kernel says it again, if it is still so.
            Some((_, Err(_))) if !arms => continue,
            // It was stopped: full, or by the last user before this one.
            Some((result, Err(_))) if matches!(-result, libc::ECANCELED | libc::EINTR) => continue,
            Some((_, fd)) => {
                if !has_parked {
                    hub.spend_inline_end();
                }
                let fd = fd?;
                if hub.wants_nonblocking() {
                    set_nonblocking(fd.fd().number(), true)?; // accepted for another kind of hub
                }
                return Ok(Some(fd));
            }
            None if stream.is_armed() => {}
            None if !arms => return Ok(None),
            None if stream.is_over() => {
                descriptor.fit()?;
                // SAFETY: over; boxed, and freed when it is over again, or never.
                unsafe { hub.arm(stream) };
            }
            None => {}
        }
        set_waits_for(me, &"accept");
        has_parked = true;
        let deadline = Deadline::new(me);
        if let Some(end) = end {
            // SAFETY: taken back below; no park unwinds.
            unsafe { hub.set_deadline(&deadline, end) };
        }
        let (has_come, waited) = stream.watch(hub, |node| {
            let has_come = || node.has_fired() || descriptor.check().is_err();
            let waited = hub.wait_until(|| has_come() || deadline.has_passed());
            (has_come(), waited)
        });
        hub.take_back(&deadline);
        if let Err(interrupted) = waited {
            interrupted.raise();
        }
        if !has_come {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
}
