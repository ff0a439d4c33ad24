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
use super::remote_error::{Body, HubEnded, RemoteJoinError};
use super::spawn::{Now, enter, occupy_with, run};
use crate::greenlet::{
    GreenletExit, GreenletId, Payload, TaskStack, contain, current_block, id_of, line,
};
use crate::hub::{Errand, Hub, HubHandle, Key, Mailbox, hub, hub_if_any};
use crate::list::parts::Mutex;
use crate::sync::thread::{Served, Waits, lock, wait};
use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// What a task shares with the handle on another thread.
struct Remote<T> {
    mailbox: Arc<Mailbox>,
    created: &'static Location<'static>,
    state: Mutex<State<T>>,
}

struct State<T> {
    stage: Stage<T>,
    /// What kills raise in it, until it is told of them: when it begins, or by a letter for each. The rest is
    /// dropped with this.
    reasons: VecDeque<Payload>,
    /// The greenlet of the task, once it has one.
    id: Option<GreenletId>,
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
    /// the join returns an error.
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
    /// The closure and its result must be [`Send`]:
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

    /// As [`spawn`](HubHandle::spawn), but returns an error at once if the hub has ended. If it has no stack for
    /// the task, the join returns [`NoStack`](RemoteJoinError::NoStack).
    ///
    /// # Errors
    /// [`HubEnded`], with `f`.
    #[track_caller]
    pub fn try_spawn<T: Send + 'static>(
        &self,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> Result<RemoteJoin<T>, HubEnded<T>> {
        let join = self.spawn(f);
        let body = join.0.take_refused(|why| matches!(why, RemoteJoinError::HubEnded));
        body.map_or(Ok(join), |body| Err(HubEnded::new(body)))
    }
}

impl<T> Remote<T> {
    #[track_caller]
    fn new(mailbox: &Arc<Mailbox>, f: Body<T>) -> Remote<T> {
        let state = State {
            stage: Stage::Asked(f),
            reasons: VecDeque::new(),
            id: None,
            joining: Waits::default(),
        };
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

    /// What was refused, if it was for such a reason.
    fn take_refused(&self, is_meant: impl FnOnce(&RemoteJoinError) -> bool) -> Option<Body<T>> {
        let mut state = lock(&self.state);
        match mem::replace(&mut state.stage, Stage::Taken) {
            Stage::Refused(f, why) if is_meant(&why) => Some(f),
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
            false => RemoteJoinError::Raised(payload.into()),
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
        // Not of the current greenlet: that is whoever happens to look at the world.
        let cell = TaskCell::new(self.created, id_of(hub.greenlet()));
        let (of_task, remote, last) = (cell.clone(), self.clone(), self.clone());
        let body = move || {
            let call = move || {
                // Killed since its hub has read of it; that of the kill lies in the box still.
                let reason = lock(&remote.state).reasons.pop_front();
                remote.end(match reason {
                    None => catch_unwind(AssertUnwindSafe(f)),
                    Some(reason) => {
                        contain(|| drop(f));
                        Err(reason)
                    }
                });
            };
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
        let reasons = mem::take(&mut state.reasons);
        state.id = Some(id_of(block));
        state.stage = Stage::Running(hub.lodge(block, self.clone()));
        drop(state);
        hub.start(block);
        for reason in reasons {
            hub.interrupt(block, reason);
        }
    }

    fn reason(&self) -> Payload {
        lock(&self.state).reasons.pop_front().unwrap_or_else(|| Box::new(GreenletExit))
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
            line(format_args!(
                "a task, spawned at {created}, failed: {payload} (nobody asked for its result)"
            ));
        }
    }
}

/// The handle of a task that was given to a hub by [`HubHandle::spawn`]. The task goes on if this is
/// dropped.
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
    /// If the task is the current one; and if it runs on this thread and this is called by a destructor while
    /// the thread unwinds.
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

    /// Takes the result if the task has ended, or will not begin; never waits.
    ///
    /// # Errors
    /// The handle, when it has not.
    pub fn try_join(self) -> Result<Result<T, RemoteJoinError>, RemoteJoin<T>> {
        if self.is_finished() { Ok(self.taken()) } else { Err(self) }
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

    /// Whether it has ended, in whatever way, or will not begin.
    pub fn is_finished(&self) -> bool {
        lock(&self.0.state).is_over() || self.0.mailbox.is_closed()
    }

    /// The number of its greenlet; `None` until its hub has read of it.
    pub fn id(&self) -> Option<GreenletId> {
        lock(&self.0.state).id
    }

    /// Raises [`GreenletExit`] in the task, at one of its waits, once its hub has read of it; returns at once. A
    /// task that has not begun will not begin.
    pub fn kill_soon(&self) {
        self.kill_soon_with(GreenletExit);
    }

    /// As [`kill_soon`](RemoteJoin::kill_soon), with another reason: the task fails with it.
    #[doc(alias = "throw")]
    pub fn kill_soon_with(&self, reason: impl Any + Send) {
        let reason: Payload = Box::new(reason);
        let mut state = lock(&self.0.state);
        let key = match state.stage {
            Stage::Running(key) => Some(key),
            Stage::Asked(_) => None,
            _ => return drop(state), // before the reason, whose drop may be the user's
        };
        state.reasons.push_back(reason);
        drop(state);
        if let Some(key) = key {
            self.0.mailbox.kill(key);
        }
    }

    /// As [`kill_soon`](RemoteJoin::kill_soon), and waits until the task has ended. It does not wait for the
    /// current task, nor, while the thread unwinds, for a task of this thread.
    ///
    /// # Cancellation
    /// What arrives inside is raised here; the task is killed nevertheless.
    pub fn kill(&self) {
        self.kill_with(GreenletExit);
    }

    /// As [`kill`](RemoteJoin::kill), with another reason than [`GreenletExit`]: the task fails with it.
    ///
    /// # Cancellation
    /// As [`kill`](RemoteJoin::kill).
    pub fn kill_with(&self, reason: impl Any + Send) {
        self.kill_soon_with(reason);
        if self.may_be_waited_for() {
            self.wait();
        }
    }

    /// As [`kill`](RemoteJoin::kill), but waits at most `limit`; returns whether the task has ended.
    ///
    /// # Cancellation
    /// As [`kill`](RemoteJoin::kill).
    pub fn kill_timeout(&self, limit: Duration) -> bool {
        self.kill_soon();
        if self.may_be_waited_for() {
            self.wait_timeout(limit);
        }
        self.is_finished()
    }

    fn may_be_waited_for(&self) -> bool {
        self.home().is_none_or(|hub| hub.others_can_run() && !self.is_current(hub))
    }
}

impl<T: Send + 'static> Drop for RemoteJoin<T> {
    fn drop(&mut self) {
        // Here, because a hub that has ended leaks its reference.
        drop(self.0.take_refused(|_| true));
    }
}

impl<T: Send + 'static> fmt::Debug for RemoteJoin<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_finished = self.is_finished();
        f.debug_struct("RemoteJoin").field("is_finished", &is_finished).finish_non_exhaustive()
    }
}
