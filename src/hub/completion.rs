//! Operations: from a request to its last completion.
//!
//! - **Kernel holds until completion**: an [`Operation`] that was begun stays in its frame until
//!   [`is_over`](Operation::is_over): the kernel, or the driver, may write behind it until then.
#![expect(unsafe_code, reason = "finds operations by the address in a token")]

use super::Hub;
use super::life::is_frozen;
use super::report::WaitsFor;
use super::wait_list::{WaitList, WaitNode};
use crate::driver::planted::{self, Bug};
use crate::driver::{Call, Completion, Entry, Fd, MORE, Pushed, Request, Token};
use crate::greenlet::Block;
use crate::worker::forks;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::ptr::null;

/// A stream that has brought as many, and nobody takes them, is stopped: a loop that is slow would take all
/// descriptors.
const STREAM_ROOM: usize = 64;

/// As many operations may end at once between two looks at the kernel.
pub(super) const INLINE_ENDS: u32 = 64;

/// A request on its way, in the frame of the greenlet that waits for it.
#[repr(C, align(8))]
pub(crate) struct Operation {
    entry: Entry,
    wakes: *const Block,
    /// Completions that are still to come, the answer to a cancellation among them.
    outstanding: Cell<u32>,
    result: Cell<i32>,
    flags: Cell<u32>,
    cancelled: Cell<bool>,
    _pinned: PhantomPinned,
}

impl Operation {
    #[inline]
    pub(crate) fn new(request: Request, block: &Block) -> Operation {
        Operation {
            entry: Entry::new(request, Token::nobody()),
            wakes: block,
            outstanding: Cell::new(0),
            result: Cell::new(0),
            flags: Cell::new(0),
            cancelled: Cell::new(false),
            _pinned: PhantomPinned,
        }
    }

    /// Does it wait in a hub that nobody runs any more?
    pub(crate) fn is_frozen(&self) -> bool {
        // SAFETY: **Parked memory stays**: the operation lies in a frame of this greenlet.
        is_frozen(unsafe { &*self.wakes })
    }

    /// Has its last completion come, or was it never queued?
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        self.outstanding.get() == 0
    }

    /// What the system call returned; meaningful once it is over.
    #[inline]
    pub(crate) fn result(&self) -> i32 {
        self.result.get()
    }

    /// The buffer of the pool that was filled.
    pub(crate) fn buffer(&self) -> Option<u16> {
        Completion { token: Token::nobody(), result: 0, flags: self.flags.get() }.buffer()
    }

    /// For reports.
    pub(crate) fn name(&self) -> WaitsFor {
        self.entry.request.name()
    }
}

/// A request that ends many times: each result is kept until somebody takes it.
///
/// It is not counted among the operations in flight: who waits for it is.
#[repr(C, align(8))]
pub(crate) struct Stream {
    entry: Entry,
    results: RefCell<VecDeque<i32>>,
    /// The kernel will send more.
    armed: Cell<bool>,
    /// Answers to cancellations that are still to come.
    cancels: Cell<u32>,
    /// Who is woken by a result, and by the end.
    waiters: WaitList,
    _pinned: PhantomPinned,
}

impl Stream {
    /// One that its token knows already: so it is made where it stays.
    pub(crate) fn new(request: Request) -> Pin<Box<Stream>> {
        let mut stream = Box::pin(Stream {
            entry: Entry::new(request, Token::nobody()),
            results: RefCell::default(),
            armed: Cell::new(false),
            cancels: Cell::new(0),
            waiters: WaitList::new(),
            _pinned: PhantomPinned,
        });
        let token = Token::new(&raw const *stream, Token::STREAM);
        // SAFETY: nothing is moved out.
        unsafe { stream.as_mut().get_unchecked_mut() }.entry.token = token;
        stream
    }

    /// The oldest result that nobody has taken.
    pub(crate) fn take(&self) -> Option<i32> {
        self.results.borrow_mut().pop_front()
    }

    /// Will the kernel send more?
    pub(crate) fn is_armed(&self) -> bool {
        self.armed.get()
    }

    /// Will nothing come any more?
    pub(crate) fn is_over(&self) -> bool {
        !self.armed.get() && self.cancels.get() == 0
    }

    /// Calls `wait`, which parks, and says by its argument when something has come, or changed.
    pub(crate) fn watch<R>(&self, hub: &Hub, wait: impl FnOnce(&WaitNode) -> R) -> R {
        let node = WaitNode::new();
        // SAFETY: taken out below; nothing that parks here unwinds.
        unsafe { self.waiters.add(&node) };
        hub.in_flight.set(hub.in_flight.get() + 1);
        let result = wait(&node);
        hub.in_flight.set(hub.in_flight.get() - 1);
        // SAFETY: in this list, or fired.
        unsafe { self.waiters.remove(&node) };
        result
    }
}

impl Hub {
    /// Hands an operation to the driver. If it ended at once, it is over when this returns.
    #[inline]
    pub(crate) fn begin(&self, operation: Pin<&mut Operation>) {
        // SAFETY: nothing is moved out.
        let operation = unsafe { operation.get_unchecked_mut() };
        operation.entry.token = Token::new(&raw const *operation, Token::OPERATION);
        operation.outstanding.set(1);
        self.in_flight.set(self.in_flight.get() + 1);
        // SAFETY: pinned; whoever owns it waits until it is over.
        match unsafe { self.driver.borrow_mut().push(&operation.entry) } {
            Pushed::Queued => {}
            Pushed::Done(result) => {
                operation.outstanding.set(0);
                operation.result.set(result);
                self.in_flight.set(self.in_flight.get() - 1);
            }
        }
    }

    /// Asks for an early end of an operation that is not over; it is still to be waited for. Its
    /// greenlet asks again whenever it is woken, in case the kernel did not find it: else this does
    /// nothing the second time.
    pub(crate) fn cancel(&self, operation: &Operation) {
        if operation.is_over() || operation.cancelled.replace(true) {
            return;
        }
        let more = self.driver.borrow_mut().cancel(&operation.entry);
        operation.outstanding.set(operation.outstanding.get() + more);
        self.in_flight.set(self.in_flight.get() + more as usize);
    }

    /// Arms a stream.
    ///
    /// # Safety
    /// - It is over, and stays where it is until it is over again.
    pub(crate) unsafe fn arm(&self, stream: &Stream) {
        stream.armed.set(true);
        // SAFETY: the caller's promise.
        let pushed = unsafe { self.driver.borrow_mut().push(&stream.entry) };
        assert_eq!(pushed, Pushed::Queued, "streams are always queued");
    }

    /// Asks for the end of a stream; it is still to be waited for.
    pub(crate) fn cancel_stream(&self, stream: &Stream) {
        if !stream.armed.get() || stream.cancels.get() > 0 {
            return;
        }
        let more = self.driver.borrow_mut().cancel(&stream.entry);
        stream.cancels.set(more);
    }

    /// Ends a stream and waits for it, unless `goes_on` again meanwhile. Not interrupted.
    pub(crate) fn end_stream(&self, stream: &Stream, goes_on: impl Fn() -> bool) {
        while !stream.is_over() && !goes_on() {
            self.cancel_stream(stream); // once more, if the kernel did not find it
            stream.watch(self, |_| self.park());
        }
    }

    /// Stops a stream that has brought more than anybody takes.
    #[cold]
    pub(super) fn stop_full(&self) {
        // SAFETY: it was armed when its last completion came, and nobody has run since.
        let stream = unsafe { &*self.full.replace(null()) };
        self.cancel_stream(stream);
    }

    /// Turns a completion into a wake.
    #[inline]
    pub(super) fn complete(&self, completion: Completion) {
        match completion.token.tag() {
            Token::OPERATION => {
                if planted::is_now_and_then(Bug::DropACompletion) {
                    return;
                }
                // SAFETY: **Kernel holds until completion**: it is still in its frame.
                let operation = unsafe { &*completion.token.address::<Operation>() };
                operation.result.set(completion.result);
                operation.flags.set(completion.flags);
                self.answered(operation);
            }
            Token::CANCEL => self.cancel_answered(completion),
            Token::STREAM => self.stream_brought(completion),
            _ => {}
        }
    }

    #[inline(always)]
    fn answered(&self, operation: &Operation) {
        self.in_flight.set(self.in_flight.get() - 1);
        let outstanding = operation.outstanding.get() - 1;
        operation.outstanding.set(outstanding);
        if outstanding == 0 {
            // SAFETY: **Parked memory stays**: the operation lies in a frame of this greenlet.
            self.wake(unsafe { &*operation.wakes });
        }
    }

    #[cold]
    fn cancel_answered(&self, completion: Completion) {
        let token = completion.token;
        // SAFETY: both kinds begin with the entry, and are there until the answer has come.
        let entry = unsafe { &*token.address::<Entry>() };
        if entry.token.tag() == Token::OPERATION {
            // SAFETY: as above.
            let operation = unsafe { &*token.address::<Operation>() };
            if completion.result == -libc::ENOENT && operation.outstanding.get() > 1 {
                // Its own completion is on its way; or the kernel was about to try it once more, where
                // cancellations do not find it, and it may wait again. So whoever asked asks again.
                operation.cancelled.set(false);
                // SAFETY: **Parked memory stays**: the operation lies in a frame of this greenlet.
                self.wake(unsafe { &*operation.wakes });
            }
            self.answered(operation);
        } else {
            // SAFETY: as above.
            let stream = unsafe { &*token.address::<Stream>() };
            stream.cancels.set(stream.cancels.get() - 1);
            stream.waiters.wake_all();
        }
    }

    #[inline(never)]
    fn stream_brought(&self, completion: Completion) {
        // SAFETY: a stream stays where it is until it is over.
        let stream = unsafe { &*completion.token.address::<Stream>() };
        if completion.flags & MORE == 0 && !planted::is(Bug::StaleMultishot) {
            stream.armed.set(false);
        }
        let mut results = stream.results.borrow_mut();
        results.push_back(completion.result);
        if results.len() >= STREAM_ROOM {
            self.full.set(stream);
        }
        stream.waiters.wake_all();
    }

    /// As [`cancel`](Hub::cancel), also waking whoever waits for it, to see what else has changed.
    pub(crate) fn cancel_and_wake(&self, operation: &Operation) {
        self.cancel(operation);
        // SAFETY: **Parked memory stays**: the operation lies in a frame of this greenlet.
        self.wake(unsafe { &*operation.wakes });
    }

    /// An operation has ended at once. Now and then such a greenlet must let the others run, and the
    /// kernel be looked at.
    #[inline]
    pub(crate) fn spend_inline_end(&self) {
        let left = self.inline_left.get();
        if left > 0 {
            self.inline_left.set(left - 1);
        } else {
            self.inline_left.set(INLINE_ENDS); // also where nobody may be let run
            self.pulse.set_round_left(0); // or it would come back at once where nobody else is ready
            self.yield_now();
        }
    }

    /// Answers what never waits.
    pub(crate) fn call(&self, call: Call<'_>) -> io::Result<i32> {
        self.driver.borrow_mut().call(call)
    }

    /// Closes a descriptor that no operation names any more.
    pub(crate) fn close_fd(&self, fd: Fd) -> io::Result<()> {
        self.driver.borrow_mut().close(fd)
    }

    /// Is there a request by which connections are accepted until it is cancelled?
    pub(crate) fn accepts_many(&self) -> bool {
        self.driver.borrow().accepts_many()
    }

    /// Forgets a descriptor that somebody else will close.
    pub(crate) fn forget_fd(&self, fd: Fd) {
        self.driver.borrow_mut().forget(fd);
    }

    /// Is there no kernel behind it?
    pub(crate) fn is_simulated(&self) -> bool {
        #[cfg(feature = "sim")]
        return matches!(*self.driver.borrow(), crate::driver::Driver::Sim(_));
        #[cfg(not(feature = "sim"))]
        false
    }

    /// Must sockets be in non-blocking mode here? Where not, they must be blocking.
    #[inline]
    pub(crate) fn wants_nonblocking(&self) -> bool {
        self.driver.borrow().wants_nonblocking()
    }

    /// Lends the buffer of the pool that an operation has filled.
    pub(crate) fn lend_buffer(&self, number: u16) -> LentBuffer {
        self.lent.set(self.lent.get() + 1);
        LentBuffer { bytes: self.driver.borrow().buffer(number), number, hub: self }
    }
}

/// A filled buffer of a hub's pool. While there is one, its hub is never freed.
pub(crate) struct LentBuffer {
    bytes: *const u8,
    number: u16,
    hub: *const Hub,
}

impl LentBuffer {
    pub(crate) fn bytes(&self) -> *const u8 {
        self.bytes
    }
}

impl Drop for LentBuffer {
    fn drop(&mut self) {
        // SAFETY: `close` does not free a hub that has lent a buffer.
        let hub = unsafe { &*self.hub };
        if hub.forks != forks() {
            return; // it is the parent's, and so is the kernel's list of buffers
        }
        hub.lent.set(hub.lent.get() - 1);
        hub.driver.borrow_mut().return_buffer(self.number);
    }
}
