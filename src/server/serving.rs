//! What both servers are: a task that takes, tasks that handle, and their end.

use super::ending::StopServe;
use crate::greenlet::line;
use crate::hub::{hub_at_hand, shield};
use crate::pool::Pool;
use crate::sync::{Event, Watched, watch};
use crate::task::{JoinHandle, TaskBuilder, TaskRef};
use crate::worker::forks;
use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::{Rc, Weak};
use std::time::Duration;

/// How long handlers that were killed are waited for; no longer, as in gevent: who catches its kill must not hold
/// up the end of the program.
const AFTER_KILL: Duration = Duration::from_secs(1);
/// How long nothing is taken when there was no stack for a handler.
const PAUSE: Duration = Duration::from_millis(10);

/// A socket, as far as a server needs it.
pub(super) trait Service: AsFd + Sized + 'static {
    /// What a handler is called with.
    type Item: 'static;

    /// Takes the next one; parks until there is one, and while something is wanting for it.
    fn take(this: &Rc<Self>, scratch: &mut [u8]) -> io::Result<Self::Item>;

    /// Ends what others wait for at it, and closes it, if that harms no handler.
    fn shut(&self);

    /// Closes it, whoever has it.
    fn close(&self);
}

/// What is called with the socket at each start.
pub(super) type PreStart = dyn Fn(BorrowedFd<'_>) -> io::Result<()>;

/// What can be chosen of every server.
#[derive(Clone)]
pub(super) struct Options {
    pub(super) concurrency: usize,
    pub(super) pool: Option<Pool>,
    pub(super) name: Option<Box<str>>,
    pub(super) stack_bytes: Option<usize>,
    pub(super) grace: Duration,
    pub(super) pre_start: Option<Rc<PreStart>>,
    /// The longest datagram; 0 for streams.
    pub(super) most_bytes: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            concurrency: usize::MAX,
            pool: None,
            name: None,
            stack_bytes: None,
            grace: Duration::from_secs(1),
            pre_start: None,
            most_bytes: 0,
        }
    }
}

type Handler<S> = dyn Fn(<S as Service>::Item) -> bool;
type Bind<S> = dyn Fn() -> io::Result<S>;

/// A server, to its handle and to its handlers.
pub(super) struct Core<S: Service> {
    /// None while it is closed.
    socket: RefCell<Option<Rc<S>>>,
    /// Makes the socket once more, if we have made it.
    bind: Option<Box<Bind<S>>>,
    handler: Rc<Handler<S>>,
    options: Options,
    /// The tasks that run the handler.
    handlers: Pool,
    taker: RefCell<Option<JoinHandle<()>>>,
    is_started: Cell<bool>,
    /// Set while it is not started, and its socket not about to be closed.
    is_stopped: Event,
    /// How many are in `stop`; and set while nobody is.
    stopping: Cell<usize>,
    nobody_stops: Event,
    /// Why it has ended by itself.
    failure: RefCell<Option<io::Error>>,
    /// In which process it is.
    forks: Cell<u32>,
    this: Weak<Core<S>>,
}

impl<S: Service> Core<S> {
    pub(super) fn new(
        socket: S,
        bind: Option<Box<Bind<S>>>,
        options: Options,
        handler: impl Fn(S::Item) -> bool + 'static,
    ) -> Rc<Core<S>> {
        let set = || {
            let event = Event::new();
            event.set();
            event
        };
        Rc::new_cyclic(|this| Core {
            socket: RefCell::new(Some(Rc::new(socket))),
            bind,
            handler: Rc::new(handler),
            handlers: Pool::new(options.concurrency),
            options,
            taker: RefCell::new(None),
            is_started: Cell::new(false),
            is_stopped: set(),
            stopping: Cell::new(0),
            nobody_stops: set(),
            failure: RefCell::new(None),
            forks: Cell::new(forks()),
            this: this.clone(),
        })
    }

    pub(super) fn is_started(&self) -> bool {
        self.is_started.get()
    }

    /// None while it is closed.
    pub(super) fn socket(&self) -> Option<Rc<S>> {
        self.socket.borrow().clone()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.socket.borrow().is_none()
    }

    pub(super) fn is_accepting(&self) -> bool {
        let goes_on = |taker: &JoinHandle<()>| !(taker.is_finished() || taker.task().is_frozen());
        self.taker.borrow().as_ref().is_some_and(goes_on)
    }

    pub(super) fn running(&self) -> usize {
        self.handlers.len()
    }

    /// Is this the child of a fork, and it was made before?
    pub(super) fn is_of_parent(&self) -> bool {
        self.forks.get() != forks()
    }

    /// In the child of a fork: whoever takes, handles or stops waits in the parent for ever. Here it is a
    /// server that was closed, if it was started.
    fn notice_fork(&self) {
        if !self.is_of_parent() {
            return;
        }
        self.forks.set(forks());
        drop(self.taker.take());
        if self.is_started.replace(false)
            && let Some(socket) = self.socket.take()
        {
            socket.close();
        }
        self.stopping.set(0);
        self.is_stopped.set();
        self.nobody_stops.set();
    }

    pub(super) fn start(&self) -> io::Result<()> {
        self.notice_fork();
        if self.is_started() {
            return Ok(());
        }
        let socket = self.socket.borrow().clone();
        let socket = match (socket, &self.bind) {
            (Some(socket), _) => socket,
            (None, Some(bind)) => Rc::new(bind()?),
            (None, None) => return Err(closed()),
        };
        if let Some(pre_start) = &self.options.pre_start {
            pre_start(socket.as_fd())?;
        }
        *self.socket.borrow_mut() = Some(socket);
        self.failure.take();
        self.is_started.set(true);
        self.is_stopped.clear();
        let started = self.accept();
        if started.is_err() {
            self.close();
        }
        started
    }

    /// Begins to take, or goes on.
    pub(super) fn accept(&self) -> io::Result<()> {
        if self.is_accepting() {
            return Ok(());
        }
        let Some(socket) = self.socket.borrow().clone().filter(|_| self.is_started()) else {
            return Err(closed());
        };
        let this = self.this.clone();
        let limit = self.limit().clone();
        let mut scratch = Vec::new();
        scratch.try_reserve_exact(self.options.most_bytes).map_err(io::Error::other)?;
        scratch.resize(self.options.most_bytes, 0);
        let taker = self.builder().spawn(move || {
            let why = loop {
                // **A place, then a connection**
                while limit.is_full() {
                    limit.wait_available();
                }
                match S::take(&socket, &mut scratch) {
                    Ok(item) => {
                        // Not kept while it waits: the handle may be dropped.
                        let Some(core) = this.upgrade() else { return };
                        core.handle(item);
                    }
                    Err(error) if is_of_one_client(&error) => {}
                    Err(error) => break error,
                }
            };
            if let Some(core) = this.upgrade() {
                core.fail(socket, why);
            }
        });
        *self.taker.borrow_mut() = Some(taker.map_err(io::Error::other)?);
        Ok(())
    }

    fn builder(&self) -> TaskBuilder {
        let builder = match self.options.stack_bytes {
            Some(bytes) => TaskBuilder::new().stack_size(bytes),
            None => TaskBuilder::new(),
        };
        match &self.options.name {
            Some(name) => builder.name(name.clone()),
            None => builder,
        }
    }

    /// The pool whose places are the limit.
    fn limit(&self) -> &Pool {
        self.options.pool.as_ref().unwrap_or(&self.handlers)
    }

    /// Spawns the handler. If the last place was taken while `item` was awaited, the handler waits for one before
    /// it begins, and not the taker: when that is ended, the item is not lost.
    fn handle(&self, item: S::Item) {
        let (handler, this) = (self.handler.clone(), self.this.clone());
        let task = self.limit().apply_async_by(self.builder(), move || {
            let stops = match catch_unwind(AssertUnwindSafe(|| handler(item))) {
                Ok(stops) => stops,
                Err(payload) if payload.is::<StopServe>() => true,
                // Reported as any task's, and noticed by nobody else.
                Err(payload) => resume_unwind(payload),
            };
            if let Some(core) = this.upgrade().filter(|_| stops) {
                core.close();
            }
        });
        match task {
            // Where the limit is a pool of somebody else's, ours is never full.
            Ok(task) => self.handlers.add(&task),
            Err(why) => {
                line(format_args!("a client is sent away: {why}"));
                crate::time::sleep(PAUSE);
            }
        }
    }

    /// Stops taking, and keeps the socket.
    pub(super) fn pause(&self) {
        self.notice_fork();
        let taker = self.taker.take();
        if let Some(taker) = taker {
            taker.kill();
        }
    }

    /// Ends by itself, unless that is no longer its socket: what comes of a close is no failure.
    fn fail(&self, socket: Rc<S>, why: io::Error) {
        let is_its = self.socket.borrow().as_ref().is_some_and(|its| Rc::ptr_eq(its, &socket));
        drop(socket);
        if is_its {
            *self.failure.borrow_mut() = Some(why);
            self.taker.take(); // the current task
            self.close();
        }
    }

    /// Takes no more, and closes.
    pub(super) fn close(&self) {
        self.notice_fork();
        let (socket, taker) = (self.socket.take(), self.taker.take());
        let waits = hub_at_hand().others_can_run();
        self.is_started.set(false);
        if socket.is_none() && taker.is_none() {
            if waits {
                self.is_stopped.wait(); // somebody else is at it, or was
            }
            return;
        }
        if let Some(taker) = &taker {
            taker.kill_soon();
        }
        if let Some(socket) = &socket {
            socket.shut();
        }
        drop(socket);
        self.is_stopped.set();
        if self.is_started() {
            self.is_stopped.clear(); // somebody has started it meanwhile
        }
        if let Some(taker) = taker.filter(|_| waits) {
            taker.wait();
        }
    }

    /// Closes, lets the handlers end within the grace, and kills the others: how many those were.
    pub(super) fn stop(&self, grace: Duration) -> usize {
        struct Stopping<'a>(&'a Cell<usize>, &'a Event);
        impl Drop for Stopping<'_> {
            fn drop(&mut self) {
                self.0.set(self.0.get() - 1);
                if self.0.get() == 0 {
                    self.1.set();
                }
            }
        }
        self.notice_fork();
        self.stopping.set(self.stopping.get() + 1);
        self.nobody_stops.clear();
        let _stopping = Stopping(&self.stopping, &self.nobody_stops);
        self.close();
        // Those of now: whoever starts it again meanwhile has handlers of his own.
        let mut left = self.others();
        let waits = hub_at_hand().others_can_run();
        if waits {
            wait_for_all(&left, grace);
        }
        left.retain(|task| !task.is_finished());
        left.iter().for_each(TaskRef::kill_soon);
        if waits {
            wait_for_all(&left, AFTER_KILL);
        }
        left.len()
    }

    /// The handlers that run, but for the one that asks, and those of the process that has forked.
    fn others(&self) -> Vec<TaskRef> {
        let mut tasks = self.handlers.tasks();
        tasks.retain(|task| !(task.is_current() || task.is_finished() || task.is_frozen()));
        tasks
    }

    pub(super) fn serve_forever(&self) -> io::Result<()> {
        self.start()?;
        let end = || {
            // Whoever has ended it may have started it again before this goes on.
            while self.is_started() {
                self.is_stopped.wait();
                if self.is_started() {
                    continue;
                }
                if self.stopping.get() == 0 {
                    self.stop(self.options.grace);
                }
                // Somebody else's grace counts, while he waits.
                self.nobody_stops.wait();
            }
        };
        if let Err(payload) = catch_unwind(AssertUnwindSafe(end)) {
            shield(|| self.stop(self.options.grace));
            resume_unwind(payload);
        }
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Parks until it is closed; what ended it.
    pub(super) fn wait(&self) -> io::Result<()> {
        self.is_stopped.wait();
        self.failure.take().map_or(Ok(()), Err)
    }
}

fn wait_for_all(tasks: &[TaskRef], limit: Duration) {
    watch(tasks.iter().map(|task| (task.is_finished(), task.watchers())), Some(limit), |_| false);
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the server is closed")
}

/// Does an error concern one connection or datagram, and not the socket that it came to?
///
/// Source: accept(2), which passes on what the network did to the connection; recv(2), which tells what
/// became of an earlier datagram.
fn is_of_one_client(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::ECONNABORTED
                | libc::ECONNREFUSED
                | libc::ECONNRESET
                | libc::EPERM
                | libc::EPROTO
                | libc::ENOPROTOOPT
                | libc::ENETDOWN
                | libc::ENETUNREACH
                | libc::EHOSTDOWN
                | libc::EHOSTUNREACH
                | libc::ENONET
                | libc::ETIMEDOUT
        )
    )
}
