//! Tasks that a thread gives to the hub of another.
//!
//! | stage | set by |
//! |---|---|
//! | `Asked` | `spawn`, on any thread |
//! | `Running` | the hub, when it reads the letter |
//! | `Ended` | the task; the end of the hub |
//! | `Refused` | the hub, or `spawn` where there is none any more |
//!
//! - What is the user's (the body, the result, a payload) is dropped by whoever joins, or by the task in
//!   its own greenlet; never by the hub's greenlet.
#![expect(unsafe_code, reason = "occupies stacks")]

use super::cell::TaskCell;
use super::spawn::{Now, enter, occupy_with, run};
use crate::greenlet::{
    GreenletExit, Payload, TaskStack, contain, current_block, describe, id_of, line, text_of,
};
use crate::hub::{Errand, Hub, HubHandle, Key, Mailbox, hub, hub_if_any};
use crate::list::parts::Mutex;
use crate::stack::StackError;
use crate::sync::thread::{Served, Waits, lock, wait};
use std::any::Any;
use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

type Body<T> = Box<dyn FnOnce() -> T + Send>;

/// What a task shares with the handle on another thread.
struct Remote<T> {
    mailbox: Arc<Mailbox>,
    created: &'static Location<'static>,
    state: Mutex<State<T>>,
}

struct State<T> {
    stage: Stage<T>,
    /// It was killed before it began.
    is_killed: bool,
    joining: Waits<()>,
}

enum Stage<T> {
    Asked(Body<T>),
    Running(Key),
    Ended(Result<T, RemoteJoinError>),
    Refused(Body<T>, RemoteJoinError),
    /// On its way from one stage to the next, or taken by who joined.
    Taken,
}

impl<T> State<T> {
    fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Ended(_) | Stage::Refused(..) | Stage::Taken)
    }
}

impl HubHandle {
    /// Runs `f` in a task on that hub, from any thread. Returns at once; the hub is woken if it sleeps.
    ///
    /// The task goes on when its handle is dropped. If the hub has ended, or ends before the task does,
    /// the join says so.
    ///
    /// ```
    /// use greenlet::{HubHandle, sync::thread::one_shot};
    /// let (introduce, hub) = one_shot();
    /// let (finish, finished) = one_shot::<()>();
    /// let server = std::thread::spawn(|| greenlet::run(move || {
    ///     introduce.send(HubHandle::current()).unwrap();
    ///     finished.recv() // its hub runs what comes meanwhile
    /// }));
    /// let hub = hub.recv().unwrap();
    /// let place = hub.spawn(|| std::thread::current().id());
    /// assert_eq!(place.join().unwrap(), server.thread().id());
    /// finish.send(()).unwrap();
    /// # server.join().unwrap().unwrap();
    /// ```
    ///
    /// What is given away must be [`Send`], the result, too:
    ///
    /// ```compile_fail,E0277
    /// let shared = std::rc::Rc::new(1);
    /// greenlet::HubHandle::current().spawn(move || *shared);
    /// ```
    #[track_caller]
    pub fn spawn<T: Send + 'static>(
        &self,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> RemoteJoin<T> {
        let remote = Arc::new(Remote::new(self.mailbox(), Box::new(f)));
        if self.send(remote.clone()).is_err() {
            remote.refuse(RemoteJoinError::HubEnded);
        }
        RemoteJoin(remote)
    }

    /// As [`spawn`](HubHandle::spawn), where a hub that has ended is told at once.
    ///
    /// # Errors
    /// [`HubEnded`], with `f`.
    #[track_caller]
    pub fn try_spawn<T: Send + 'static>(
        &self,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> Result<RemoteJoin<T>, HubEnded<T>> {
        let join = self.spawn(f);
        let body = join.0.take_refused();
        body.map_or(Ok(join), |body| Err(HubEnded(body)))
    }
}

impl<T> Remote<T> {
    #[track_caller]
    fn new(mailbox: &Arc<Mailbox>, f: Body<T>) -> Remote<T> {
        let state = State { stage: Stage::Asked(f), is_killed: false, joining: Waits::default() };
        Remote { mailbox: mailbox.clone(), created: Location::caller(), state: Mutex::new(state) }
    }

    /// Moves on to the last stage, and wakes who joins.
    fn close(&self, stage: impl FnOnce(Stage<T>) -> Stage<T>) {
        let served = {
            let mut state = lock(&self.state);
            let before = mem::replace(&mut state.stage, Stage::Taken);
            state.stage = stage(before);
            state.joining.serve_all()
        };
        served.into_iter().for_each(Served::wake);
    }

    /// It will not begin.
    fn refuse(&self, why: RemoteJoinError) {
        self.close(|stage| match stage {
            Stage::Asked(f) => Stage::Refused(f, why),
            other => other,
        });
    }

    /// What was refused.
    fn take_refused(&self) -> Option<Body<T>> {
        let mut state = lock(&self.state);
        match mem::replace(&mut state.stage, Stage::Taken) {
            Stage::Refused(f, _) => Some(f),
            other => {
                state.stage = other;
                None
            }
        }
    }

    /// The task is about to end, on its own stack.
    fn end(&self, result: Result<T, Payload>) {
        let result = result.map_err(|payload| match payload.is::<GreenletExit>() {
            true => RemoteJoinError::Killed,
            false => RemoteJoinError::Raised(payload),
        });
        let mut errand = None;
        self.close(|stage| {
            if let Stage::Running(key) = stage {
                errand = hub().move_out(key);
            }
            Stage::Ended(result)
        });
        drop(errand); // not the last reference: the caller has one
    }
}

impl<T: Send + 'static> Errand for Remote<T> {
    fn run(self: Arc<Self>, hub: &Hub) {
        let stack = match TaskStack::take(hub.task_shape()) {
            Ok(stack) => stack,
            Err(error) => {
                self.refuse(RemoteJoinError::NoStack(error));
                // If nobody joins, the body is leaked: it is not to be dropped by the hub.
                return mem::forget(self);
            }
        };
        let mut state = lock(&self.state);
        let Stage::Asked(f) = mem::replace(&mut state.stage, Stage::Taken) else {
            unreachable!("an errand is run once");
        };
        let cell = TaskCell::new(self.created, id_of(current_block()));
        let (of_task, remote, last) = (cell.clone(), self.clone(), self.clone());
        let body = move || {
            let call = move || remote.end(catch_unwind(AssertUnwindSafe(f)));
            run(of_task, Now, call, move |cell, called| {
                if let Err(killed) = called {
                    last.end(Err(killed)); // before it began
                }
                contain(|| drop(last));
                cell.store(Ok(()));
            });
        };
        // SAFETY: `run` does not unwind, for what it stores with does not.
        let block = unsafe { occupy_with(stack, self.created, body) };
        enter(&cell, block);
        let is_killed = state.is_killed;
        state.stage = Stage::Running(hub.lodge(block, self.clone()));
        drop(state);
        hub.start(block);
        if is_killed {
            hub.interrupt(block, Box::new(GreenletExit));
        }
    }

    fn hub_has_ended(&self) {
        self.close(|stage| match stage {
            Stage::Asked(f) => Stage::Refused(f, RemoteJoinError::HubEnded),
            Stage::Running(_) => Stage::Ended(Err(RemoteJoinError::HubEnded)),
            other => other,
        });
    }
}

impl<T> Drop for Remote<T> {
    /// A panic that nobody has asked for is reported.
    fn drop(&mut self) {
        let created = self.created;
        if let Stage::Ended(Err(RemoteJoinError::Raised(payload))) = &lock(&self.state).stage {
            let text = describe(&**payload);
            line(format_args!(
                "a task, spawned at {created}, panicked: {text} (nobody asked for its result)"
            ));
        }
    }
}

/// A task on the hub of another thread, or of this one, to those who wait for it. When it is dropped
/// the task goes on.
#[must_use = "the task goes on without its handle"]
pub struct RemoteJoin<T: Send + 'static>(Arc<Remote<T>>);

impl<T: Send + 'static> RemoteJoin<T> {
    /// Waits until the task has ended, and takes its result: a greenlet parks, a thread without a hub
    /// sleeps.
    ///
    /// # Errors
    /// [`RemoteJoinError`] says how it ended, or why it did not begin.
    ///
    /// # Panics
    /// When the task is the current one; and when it is of this thread, and called by a destructor while
    /// that unwinds.
    ///
    /// # Cancellation
    /// What arrives inside is raised here; the task goes on, without this handle.
    pub fn join(self) -> Result<T, RemoteJoinError> {
        self.wait();
        self.taken()
    }

    /// As [`join`](RemoteJoin::join), for at most `limit`.
    ///
    /// # Errors
    /// The handle, when the task has not ended in time.
    ///
    /// # Panics
    /// As [`join`](RemoteJoin::join).
    ///
    /// # Cancellation
    /// As [`join`](RemoteJoin::join).
    pub fn join_timeout(
        self,
        limit: Duration,
    ) -> Result<Result<T, RemoteJoinError>, RemoteJoin<T>> {
        if self.wait_timeout(limit) { Ok(self.taken()) } else { Err(self) }
    }

    fn taken(self) -> Result<T, RemoteJoinError> {
        let stage = mem::replace(&mut lock(&self.0.state).stage, Stage::Taken);
        match stage {
            Stage::Ended(result) => result,
            Stage::Refused(_, why) => Err(why),
            // This is the child of a fork.
            Stage::Asked(_) | Stage::Running(_) | Stage::Taken => Err(RemoteJoinError::HubEnded),
        }
    }

    /// Waits until the task has ended; the result stays.
    ///
    /// # Panics
    /// As [`join`](RemoteJoin::join).
    ///
    /// # Cancellation
    /// What arrives inside is raised here, and nothing else happens.
    pub fn wait(&self) {
        self.wait_within(None);
    }

    /// As [`wait`](RemoteJoin::wait), for at most `limit`; returns whether the task has ended.
    ///
    /// # Panics
    /// As [`join`](RemoteJoin::join).
    ///
    /// # Cancellation
    /// As [`wait`](RemoteJoin::wait).
    pub fn wait_timeout(&self, limit: Duration) -> bool {
        self.wait_within(Some(limit))
    }

    fn wait_within(&self, limit: Option<Duration>) -> bool {
        let state = lock(&self.0.state);
        if state.is_over() || self.0.mailbox.is_closed() {
            return true;
        }
        drop(state);
        if let Some(hub) = self.home() {
            assert!(!self.is_current(hub), "a task cannot wait for itself");
            assert!(
                hub.others_can_run(),
                "a task cannot be waited for while the thread unwinds: it could not run"
            );
        }
        let state = lock(&self.0.state);
        if state.is_over() {
            return true;
        }
        let what = &"the end of a task on another thread";
        let waited = wait(&self.0.state, state, |state| &mut state.joining, None, what, limit);
        if !waited.served
            && let Some(interrupted) = waited.interrupted
        {
            interrupted.raise();
        }
        waited.served
    }

    /// The hub it was given to, if that is this thread's.
    fn home(&self) -> Option<&Hub> {
        hub_if_any().filter(|hub| hub.reads(&self.0.mailbox))
    }

    fn is_current(&self, hub: &Hub) -> bool {
        match lock(&self.0.state).stage {
            Stage::Running(key) => hub.lodges(current_block(), key),
            _ => false,
        }
    }

    /// Has it ended, in whatever way, or will it not begin?
    pub fn is_finished(&self) -> bool {
        lock(&self.0.state).is_over() || self.0.mailbox.is_closed()
    }

    /// Sees to it that [`GreenletExit`] is raised in the task, at its current or next wait; returns at
    /// once. A task that has not begun never will.
    pub fn kill_soon(&self) {
        let key = {
            let mut state = lock(&self.0.state);
            state.is_killed = true;
            match state.stage {
                Stage::Running(key) => key,
                _ => return,
            }
        };
        self.0.mailbox.kill(key);
    }

    /// As [`kill_soon`](RemoteJoin::kill_soon), and waits until the task has ended, unless it is the
    /// current one. While the thread unwinds a task of this thread is not waited for.
    ///
    /// # Cancellation
    /// What arrives inside is raised here; the task is killed all the same.
    pub fn kill(&self) {
        self.kill_soon();
        if self.home().is_none_or(|hub| hub.others_can_run() && !self.is_current(hub)) {
            self.wait();
        }
    }
}

impl<T: Send + 'static> Drop for RemoteJoin<T> {
    fn drop(&mut self) {
        // Here, because a hub that has ended leaks its reference.
        drop(self.0.take_refused());
    }
}

impl<T: Send + 'static> fmt::Debug for RemoteJoin<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_finished = self.is_finished();
        f.debug_struct("RemoteJoin").field("is_finished", &is_finished).finish_non_exhaustive()
    }
}

/// A task on another thread's hub brought no value.
#[derive(Debug)]
#[non_exhaustive]
pub enum RemoteJoinError {
    /// It panicked, or something was thrown into it: this.
    Raised(Payload),
    /// It was ended quietly, by [`GreenletExit`].
    Killed,
    /// Its hub has ended, with its thread. The task did not begin, or does not end.
    HubEnded,
    /// It did not begin: there was no stack for it.
    NoStack(StackError),
}

impl RemoteJoinError {
    /// The text of the panic, if there is one.
    pub fn payload_as_str(&self) -> Option<&str> {
        self.payload().and_then(text_of)
    }

    /// What was raised in it, if that was not a quiet end.
    pub fn payload(&self) -> Option<&(dyn Any + Send)> {
        match self {
            RemoteJoinError::Raised(payload) => Some(&**payload),
            _ => None,
        }
    }
}

impl fmt::Display for RemoteJoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RemoteJoinError::Raised(payload) => {
                write!(f, "the task panicked: {}", describe(&**payload))
            }
            RemoteJoinError::Killed => f.write_str("the task was killed"),
            RemoteJoinError::HubEnded => f.write_str("the hub has ended"),
            RemoteJoinError::NoStack(error) => write!(f, "the task did not begin: {error}"),
        }
    }
}

impl std::error::Error for RemoteJoinError {}

/// A task was not given to a hub that has ended. What it was to do comes back.
pub struct HubEnded<T>(Body<T>);

impl<T> HubEnded<T> {
    /// What the task was to do.
    pub fn into_body(self) -> Box<dyn FnOnce() -> T + Send> {
        self.0
    }
}

impl<T> fmt::Display for HubEnded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the hub has ended")
    }
}

impl<T> fmt::Debug for HubEnded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HubEnded")
    }
}

impl<T> std::error::Error for HubEnded<T> {}
