//! Locks, and a condition: the first in the line is let in, and whoever waits behind a writer stays there.

use super::permits::Permits;
use super::play::{Hand, Outcome, Subject, own};
use super::program::{Op, Verb};
use super::referee::{Model, Why, World};
use crate::random::Random;
use greenlet::sync::{
    Condvar, Mutex, MutexGuard, ReentrantMutex, ReentrantMutexGuard, RwLock, RwLockReadGuard,
    RwLockWriteGuard,
};
use std::collections::VecDeque;

impl Subject for Mutex<()> {
    const NAME: &'static str = "mutex";
    const VERBS: &'static [Verb] = &[Verb("acquire", 4, true), Verb("try", 1, false)];
    type Guard<'a> = MutexGuard<'a, ()>;
    type Model = Permits;

    fn new(_: &Random) -> (Self, Permits) {
        (Mutex::new(()), Permits::new(1, 1))
    }

    fn may(&self, _: &Op, hand: &Hand<'_, Self>) -> bool {
        hand.guards.is_empty()
    }

    fn act<'a>(&'a self, op: &Op, hand: &mut Hand<'a, Self>) -> Outcome {
        let guard = match (op.verb, own(op)) {
            ("try", _) => self.try_lock(),
            (_, None) => Some(self.lock()),
            (_, Some(limit)) => self.lock_timeout(limit),
        };
        hand.keep(guard)
    }
}

/// The owner comes in as often as it likes, and has to leave as often.
#[derive(Clone, Default)]
pub(super) struct Reentrant {
    owner: Option<usize>,
    depth: usize,
    line: VecDeque<usize>,
}

impl Reentrant {
    fn leave(&mut self, world: &mut World) {
        self.depth -= 1;
        if self.depth == 0 {
            self.owner = world.serve_first(&mut self.line);
            self.depth = usize::from(self.owner.is_some());
        }
    }
}

impl Model for Reentrant {
    fn ask(&mut self, who: usize, op: &Op, world: &mut World) -> Option<Outcome> {
        if op.verb == "release" {
            self.leave(world);
        } else if self.owner.is_none_or(|owner| owner == who) {
            self.owner = Some(who);
            self.depth += 1;
        } else if op.verb == "try" {
            return Some(Outcome::Nothing);
        } else {
            self.line.push_back(who);
            return None;
        }
        Some(Outcome::Did)
    }

    fn served(&mut self, who: usize, _: &Op, world: &mut World) -> Option<Outcome> {
        let raised = world.raise(who);
        if raised.is_some() {
            self.leave(world);
        }
        raised.or(Some(Outcome::Did))
    }

    fn left(&mut self, who: usize, _: &Op, why: Why, world: &mut World) -> Option<Outcome> {
        self.line.retain(|other| *other != who);
        world.gives_up(who, why)
    }
}

impl Subject for ReentrantMutex<()> {
    const NAME: &'static str = "reentrant mutex";
    const VERBS: &'static [Verb] = &[Verb("acquire", 4, true), Verb("try", 1, false)];
    type Guard<'a> = ReentrantMutexGuard<'a, ()>;
    type Model = Reentrant;

    fn new(_: &Random) -> (Self, Reentrant) {
        (ReentrantMutex::new(()), Reentrant::default())
    }

    fn act<'a>(&'a self, op: &Op, hand: &mut Hand<'a, Self>) -> Outcome {
        let guard = match (op.verb, own(op)) {
            ("try", _) => self.try_lock(),
            (_, None) => Some(self.lock()),
            (_, Some(limit)) => self.lock_timeout(limit),
        };
        hand.keep(guard)
    }
}

#[derive(Clone, Default)]
pub(super) struct ReadersAndWriter {
    readers: usize,
    writes: bool,
    line: VecDeque<(usize, bool)>,
}

impl ReadersAndWriter {
    fn lets_in(&self, writes: bool) -> bool {
        !self.writes && (!writes || self.readers == 0)
    }

    fn enters(&mut self, writes: bool) {
        self.writes = writes;
        self.readers += usize::from(!writes);
    }

    fn leaves(&mut self, writes: bool, world: &mut World) {
        self.writes = false;
        self.readers -= usize::from(!writes);
        self.admit(world);
    }

    fn admit(&mut self, world: &mut World) {
        while let Some((who, writes)) = self.line.front().copied()
            && self.lets_in(writes)
        {
            self.line.pop_front();
            self.enters(writes);
            world.serve(who);
        }
    }
}

impl Model for ReadersAndWriter {
    fn ask(&mut self, who: usize, op: &Op, world: &mut World) -> Option<Outcome> {
        let writes = op.verb.ends_with("write");
        match op.verb {
            "release" => self.leaves(op.number == 1, world),
            "downgrade" => {
                self.enters(false);
                self.admit(world);
            }
            _ if self.line.is_empty() && self.lets_in(writes) => self.enters(writes),
            "try read" | "try write" => return Some(Outcome::Nothing),
            _ => {
                self.line.push_back((who, writes));
                return None;
            }
        }
        Some(Outcome::Did)
    }

    fn served(&mut self, who: usize, op: &Op, world: &mut World) -> Option<Outcome> {
        let raised = world.raise(who);
        if raised.is_some() {
            self.leaves(op.verb == "write", world);
        }
        raised.or(Some(Outcome::Did))
    }

    fn left(&mut self, who: usize, _: &Op, why: Why, world: &mut World) -> Option<Outcome> {
        self.line.retain(|(other, _)| *other != who);
        self.admit(world);
        world.gives_up(who, why)
    }
}

pub(super) enum ReadOrWrite<'a> {
    Read(#[expect(dead_code, reason = "held")] RwLockReadGuard<'a, ()>),
    Write(RwLockWriteGuard<'a, ()>),
}

impl Subject for RwLock<()> {
    const NAME: &'static str = "read-write lock";
    const VERBS: &'static [Verb] = &[
        Verb("read", 6, true),
        Verb("write", 6, true),
        Verb("try read", 1, false),
        Verb("try write", 1, false),
        Verb("downgrade", 3, false),
    ];
    type Guard<'a> = ReadOrWrite<'a>;
    type Model = ReadersAndWriter;

    fn new(_: &Random) -> (Self, ReadersAndWriter) {
        (RwLock::new(()), ReadersAndWriter::default())
    }

    fn number(guard: &ReadOrWrite<'_>) -> u64 {
        u64::from(matches!(guard, ReadOrWrite::Write(_)))
    }

    fn may(&self, op: &Op, hand: &Hand<'_, Self>) -> bool {
        match op.verb {
            "downgrade" => matches!(hand.guards.last(), Some(ReadOrWrite::Write(_))),
            _ => hand.guards.is_empty(),
        }
    }

    fn act<'a>(&'a self, op: &Op, hand: &mut Hand<'a, Self>) -> Outcome {
        use ReadOrWrite::{Read, Write};
        let guard = match (op.verb, own(op)) {
            ("read", None) => Some(Read(self.read())),
            ("read", Some(limit)) => self.read_timeout(limit).map(Read),
            ("write", None) => Some(Write(self.write())),
            ("write", Some(limit)) => self.write_timeout(limit).map(Write),
            ("try read", _) => self.try_read().map(Read),
            ("try write", _) => self.try_write().map(Write),
            _ => match hand.guards.pop() {
                Some(Write(guard)) => Some(Read(RwLockWriteGuard::downgrade(guard))),
                _ => None,
            },
        };
        hand.keep(guard)
    }
}

/// A condition and its mutex. Whoever waits gives up the mutex, and has it again in any case before it
/// goes on.
#[derive(Clone)]
pub(super) struct Condition {
    lock: Permits,
    line: VecDeque<usize>,
    for_all: u64,
    waits: Vec<Wait>,
}

#[derive(Clone)]
struct Wait {
    who: usize,
    /// How many notifications for all there had been.
    since: u64,
    /// How it ended, once the mutex is what it waits for.
    ended: Option<Result<(), Why>>,
}

impl Condition {
    fn wakes_up(&mut self, who: usize, how: Result<(), Why>, world: &mut World) -> Option<Outcome> {
        let Some(wait) = self.waits.iter_mut().find(|wait| wait.who == who) else {
            unreachable!("it waits")
        };
        if wait.ended.is_none() {
            wait.ended = Some(how);
            self.line.retain(|other| *other != who);
            world.shield(who, true);
            self.lock.ask(who, &Op::new("acquire", 0), world)?;
        }
        world.shield(who, false);
        let at = self.waits.iter().position(|wait| wait.who == who)?;
        let wait = self.waits.swap_remove(at);
        let raised = world.raise(who);
        match wait.ended {
            Some(Ok(())) => {
                if raised.is_some() && wait.since == self.for_all {
                    world.serve_first(&mut self.line);
                }
                raised.or(Some(Outcome::Did))
            }
            Some(Err(Why::TimeIsOver)) => raised.or(Some(Outcome::Nothing)),
            _ => raised.or(Some(Outcome::Elapsed)), // by what else?
        }
    }
}

impl Model for Condition {
    fn ask(&mut self, who: usize, op: &Op, world: &mut World) -> Option<Outcome> {
        match op.verb {
            "wait" => {
                self.lock.release(world);
                self.line.push_back(who);
                self.waits.push(Wait { who, since: self.for_all, ended: None });
                None
            }
            "notify one" => match world.serve_first(&mut self.line) {
                Some(_) => Some(Outcome::Did),
                None => Some(Outcome::Nothing),
            },
            "notify all" => {
                self.for_all += 1;
                world.serve_all(&mut self.line);
                Some(Outcome::Did)
            }
            _ => self.lock.ask(who, op, world),
        }
    }

    fn served(&mut self, who: usize, op: &Op, world: &mut World) -> Option<Outcome> {
        match op.verb {
            "wait" => self.wakes_up(who, Ok(()), world),
            _ => self.lock.served(who, op, world),
        }
    }

    fn left(&mut self, who: usize, op: &Op, why: Why, world: &mut World) -> Option<Outcome> {
        match op.verb {
            "wait" => self.wakes_up(who, Err(why), world),
            _ => self.lock.left(who, op, why, world),
        }
    }

    fn complaint(&self) -> Option<String> {
        self.lock.complaint()
    }
}

#[derive(Default)]
pub(super) struct Guarded {
    mutex: Mutex<()>,
    condition: Condvar,
}

impl Subject for Guarded {
    const NAME: &'static str = "condition";
    const VERBS: &'static [Verb] = &[
        Verb("acquire", 5, true),
        Verb("wait", 8, true),
        Verb("notify one", 3, false),
        Verb("notify all", 1, false),
    ];
    type Guard<'a> = MutexGuard<'a, ()>;
    type Model = Condition;

    fn new(_: &Random) -> (Self, Condition) {
        let (line, waits) = (VecDeque::new(), Vec::new());
        let model = Condition { lock: Permits::new(1, 1), line, for_all: 0, waits };
        (Guarded::default(), model)
    }

    fn may(&self, op: &Op, hand: &Hand<'_, Self>) -> bool {
        match op.verb {
            "wait" => !hand.guards.is_empty(),
            "acquire" => hand.guards.is_empty(),
            _ => true,
        }
    }

    fn act<'a>(&'a self, op: &Op, hand: &mut Hand<'a, Self>) -> Outcome {
        let done = match (op.verb, own(op), hand.guards.last_mut()) {
            ("acquire", None, _) => return hand.keep(Some(self.mutex.lock())),
            ("acquire", Some(limit), _) => return hand.keep(self.mutex.lock_timeout(limit)),
            ("wait", None, Some(guard)) => {
                self.condition.wait(guard);
                true
            }
            ("wait", Some(limit), Some(guard)) => self.condition.wait_timeout(guard, limit),
            ("notify one", ..) => self.condition.notify_one(),
            _ => {
                self.condition.notify_all();
                true
            }
        };
        if done { Outcome::Did } else { Outcome::Nothing }
    }
}
