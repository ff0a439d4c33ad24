//! Runs a program, and writes down what happens.

use super::program::{Limit, MOST_SCRIPTS, NUMBERS, Op, Program, Verb};
use super::referee::Model;
use crate::ledger::millis;
use crate::random::Random;
use greenlet::{GreenletExit, JoinHandle, TaskRef, is_interrupted, run_until_idle, sim};
use greenlet::{sleep, spawn, timeout, yield_now};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::Duration;

/// Who kills those that are left in the end.
pub(super) const ROOT: usize = usize::MAX;
/// So many greenlets at most: those with scripts, and jobs of pools, with what these spawn.
pub(super) const GREENLETS: usize = MOST_SCRIPTS + 4 * NUMBERS as usize;

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Did,
    Got(u64),
    /// It could not be, at once or in time.
    Nothing,
    /// It cannot be any more: closed, set before.
    Refused,
    /// A stone with its number; 0 for a kill.
    Raised(u64),
    /// The limit around it.
    Elapsed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Begins,
    Call(Op),
    Return(Outcome),
    /// Something is to be raised in this one.
    Strikes(usize, u64),
    Ends,
}

/// One line of a trace.
#[derive(Clone, Copy)]
pub(super) struct Line {
    pub(super) at_ns: u64,
    pub(super) who: usize,
    pub(super) event: Event,
}

/// A primitive, as programs use it.
pub(super) trait Subject: Sized + 'static {
    const NAME: &'static str;
    const VERBS: &'static [Verb];
    /// May its operations have limits of their own?
    const OWN_LIMITS: bool = true;
    /// What a greenlet holds; `release` drops the one that it got last.
    type Guard<'a>;
    type Model: Model;
    /// One, and what it promises.
    fn new(random: &Random) -> (Self, Self::Model);
    fn act<'a>(&'a self, op: &Op, hand: &mut Hand<'a, Self>) -> Outcome;
    /// Would the caller not be to blame?
    fn may(&self, _op: &Op, _hand: &Hand<'_, Self>) -> bool {
        true
    }
    /// Ends what waits for ever and is no greenlet that was met.
    fn close(&self, _stage: &Stage<Self>) {}
    /// Which one it is, where that matters.
    fn number(_guard: &Self::Guard<'_>) -> u64 {
        0
    }
}

/// What one greenlet has at hand.
pub(super) struct Hand<'a, S: Subject> {
    pub(super) who: usize,
    pub(super) stage: &'a Rc<Stage<S>>,
    pub(super) guards: Vec<S::Guard<'a>>,
}

impl<'a, S: Subject> Hand<'a, S> {
    /// Keeps a guard if there is one.
    pub(super) fn keep(&mut self, guard: Option<S::Guard<'a>>) -> Outcome {
        let outcome = if guard.is_some() { Outcome::Did } else { Outcome::Nothing };
        self.guards.extend(guard);
        outcome
    }

    /// Something inside of an operation.
    pub(super) fn step(&self, op: Op, f: impl FnOnce() -> Outcome) -> Result<Outcome, Payload> {
        self.stage.log.step(self.who, op, f)
    }

    pub(super) fn log(&self, event: Event) {
        self.stage.log.add(self.who, event);
    }

    fn release(&mut self) {
        if let Some(guard) = self.guards.pop() {
            let op = Op::new("release", S::number(&guard));
            let released = self.step(op, || {
                drop(guard);
                Outcome::Did
            });
            released.unwrap_or_else(|payload| resume_unwind(payload));
        }
    }
}

impl<S: Subject> Drop for Hand<'_, S> {
    fn drop(&mut self) {
        while !self.guards.is_empty() {
            self.release();
        }
    }
}

/// What all greenlets of a program share.
pub(super) struct Stage<S> {
    pub(super) subject: S,
    log: Log,
    /// Those that can be struck.
    tasks: RefCell<Vec<Option<TaskRef>>>,
    handles: RefCell<Vec<JoinHandle<()>>>,
}

impl<S: Subject> Stage<S> {
    /// What a greenlet says when it comes and goes; to be owned by its body.
    fn life(&self, who: usize) -> Life {
        let life = self.life_to_come(who);
        life.is_there.set(true);
        life
    }

    /// The same for one that may not be spawned in the end.
    pub(super) fn life_to_come(&self, who: usize) -> Life {
        Life { log: self.log.clone(), who, is_there: Rc::new(Cell::new(false)) }
    }

    /// So that it can be struck, and its panics are seen.
    pub(super) fn register(&self, who: usize, task: JoinHandle<()>) {
        self.meet(who, task.task());
        self.handles.borrow_mut().push(task);
    }

    /// So that it can be struck.
    pub(super) fn meet(&self, who: usize, task: TaskRef) {
        self.tasks.borrow_mut()[who] = Some(task);
    }

    /// The root is about to kill this one.
    pub(super) fn log_kill(&self, whom: usize) {
        self.log.add(ROOT, Event::Strikes(whom, 0));
    }

    /// Who is to be struck: one with a script, or now and then a job that has not ended.
    fn target(&self, op: &Op) -> usize {
        let said = self.log.0.borrow().len();
        let tasks = self.tasks.borrow();
        let is_there = |job: &usize| tasks[*job].as_ref().is_some_and(|task| !task.is_finished());
        let jobs: Vec<usize> = (MOST_SCRIPTS..GREENLETS).filter(is_there).collect();
        match said % 2 {
            0 if !jobs.is_empty() => jobs[said / 2 % jobs.len()],
            _ => op.number as usize,
        }
    }

    fn strike(&self, by: usize, whom: usize, is_kill: bool) {
        let tasks = self.tasks.borrow();
        let Some(Some(task)) = tasks.get(whom).filter(|_| whom != by) else { return };
        if task.is_finished() {
            return;
        }
        if is_kill {
            self.log.add(by, Event::Strikes(whom, 0));
            task.kill_soon();
        } else {
            let number = self.log.0.borrow().len() as u64 + 1;
            self.log.add(by, Event::Strikes(whom, number));
            task.kill_soon_with(Stone(number));
        }
    }

    fn live(self: &Rc<Self>, who: usize, script: &[Op]) {
        let mut hand = Hand { who, stage: self, guards: Vec::new() };
        for op in script {
            let done = match op.verb {
                "kill" | "throw" => {
                    self.strike(who, self.target(op), op.verb == "kill");
                    continue;
                }
                "release" => {
                    hand.release();
                    continue;
                }
                "yield" | "sleep" => hand.step(*op, || pause(op)),
                _ if !self.subject.may(op, &hand) => continue,
                _ => self.log.step(who, *op, || within(op, || self.subject.act(op, &mut hand))),
            };
            done.unwrap_or_else(|payload| resume_unwind(payload));
        }
        // Nothing is left for which there is no greenlet any more.
        while is_interrupted() {
            let last = Op::new("yield", 0);
            hand.step(last, || pause(&last)).unwrap_or_else(|payload| resume_unwind(payload));
        }
    }
}

pub(super) fn pause(op: &Op) -> Outcome {
    match op.verb {
        "yield" => yield_now(),
        _ => sleep(millis(op.number)),
    }
    Outcome::Did
}

/// Within the limit that there is around an operation.
pub(super) fn within(op: &Op, f: impl FnOnce() -> Outcome) -> Outcome {
    match op.limit {
        Limit::Outer(ms) => timeout(millis(ms), f).unwrap_or(Outcome::Elapsed),
        _ => f(),
    }
}

/// The operation's own limit.
pub(super) fn own(op: &Op) -> Option<Duration> {
    if let Limit::Own(ms) = op.limit { Some(millis(ms)) } else { None }
}

/// What is thrown, and caught.
struct Stone(u64);

type Payload = Box<dyn Any + Send>;

#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<Line>>>);

impl Log {
    fn add(&self, who: usize, event: Event) {
        let at_ns = sim::elapsed().as_nanos() as u64;
        self.0.borrow_mut().push(Line { at_ns, who, event });
    }

    /// Notes an operation and its end.
    ///
    /// # Errors
    /// What ends the greenlet.
    fn step(&self, who: usize, op: Op, f: impl FnOnce() -> Outcome) -> Result<Outcome, Payload> {
        self.add(who, Event::Call(op));
        let result = catch_unwind(AssertUnwindSafe(f));
        let (outcome, payload) = match result {
            Ok(outcome) => (outcome, None),
            Err(payload) => match payload.downcast::<Stone>() {
                Ok(stone) => (Outcome::Raised(stone.0), None),
                Err(payload) if payload.is::<GreenletExit>() => (Outcome::Raised(0), Some(payload)),
                Err(payload) => return Err(payload), // an assertion
            },
        };
        self.add(who, Event::Return(outcome));
        payload.map_or(Ok(outcome), Err)
    }
}

/// Says when a greenlet begins and ends; that also if it never began.
pub(super) struct Life {
    log: Log,
    who: usize,
    is_there: Rc<Cell<bool>>,
}

impl Life {
    pub(super) fn is_there(&self) -> Rc<Cell<bool>> {
        self.is_there.clone()
    }

    pub(super) fn begins(&self) {
        self.is_there.set(true);
        self.log.add(self.who, Event::Begins);
    }

    pub(super) fn step(&self, op: Op, f: impl FnOnce() -> Outcome) -> Outcome {
        let done = self.log.step(self.who, op, f);
        done.unwrap_or_else(|payload| resume_unwind(payload))
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        if self.is_there.get() {
            self.log.add(self.who, Event::Ends);
        }
    }
}

/// What has happened, and what was wrong.
pub(super) type Failure = (Vec<Line>, String);

/// Runs a program in this world. Whoever waits for ever is killed in the end.
///
/// # Errors
/// What was wrong apart from the trace.
pub(super) fn play<S: Subject>(program: &Program) -> Result<(Vec<Line>, S::Model), Failure> {
    let (subject, model) = S::new(&Random::new(program.seed));
    let tasks = RefCell::new((0..GREENLETS).map(|_| None).collect());
    let handles = RefCell::default();
    let stage = Rc::new(Stage { subject, log: Log::default(), tasks, handles });
    for (who, script) in program.scripts.iter().enumerate() {
        let (same, life, script) = (stage.clone(), stage.life(who), script.clone());
        let task = spawn(move || {
            life.begins();
            same.live(who, &script);
        });
        stage.register(who, task);
    }
    run_until_idle();
    for turn in 0..GREENLETS {
        stage.strike(ROOT, (turn + program.seed as usize) % GREENLETS, true);
    }
    stage.subject.close(&stage);
    let tasks = stage.tasks.borrow().clone();
    tasks.iter().flatten().for_each(TaskRef::wait);
    let handles = stage.handles.take();
    let panicked = handles.iter().find_map(|task| task.payload_as_str()).map(str::to_owned);
    handles.into_iter().for_each(|task| drop(task.join()));
    let lines = stage.log.0.take();
    match panicked {
        None => Ok((lines, model)),
        Some(text) => Err((lines, text)),
    }
}
