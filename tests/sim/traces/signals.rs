//! What all who wait are told of: they go on in the order in which they came, and whoever was told has
//! been told, even if it is struck in that moment.

use super::play::{Hand, Outcome, Subject, own};
use super::program::{Op, Verb};
use super::referee::{Model, Why, World};
use crate::random::Random;
use greenlet::sync::{AsyncResult, Barrier, Event, OneShotEvent, WaitGroup};
use std::collections::VecDeque;

fn did(done: bool) -> Outcome {
    if done { Outcome::Did } else { Outcome::Nothing }
}

/// A flag. Whoever finds it set lets those go first who were told and have not run.
#[derive(Clone, Default)]
pub(super) struct Flag {
    is_set: bool,
    line: VecDeque<usize>,
    inside: Vec<usize>,
}

impl Model for Flag {
    fn ask(&mut self, who: usize, op: &Op, world: &mut World) -> Option<Outcome> {
        match op.verb {
            "set" => {
                self.is_set = true;
                world.serve_all(&mut self.line);
            }
            "clear" => self.is_set = false,
            _ if self.is_set && self.inside.is_empty() => {}
            _ if self.is_set => {
                world.lets_others_run(who);
                return None;
            }
            _ => {
                self.line.push_back(who);
                self.inside.push(who);
                return None;
            }
        }
        Some(Outcome::Did)
    }

    fn served(&mut self, who: usize, _: &Op, _: &mut World) -> Option<Outcome> {
        self.inside.retain(|other| *other != who);
        Some(Outcome::Did)
    }

    fn left(&mut self, who: usize, _: &Op, why: Why, world: &mut World) -> Option<Outcome> {
        self.line.retain(|other| *other != who);
        self.inside.retain(|other| *other != who);
        world.gives_up(who, why)
    }
}

impl Subject for Event {
    const NAME: &'static str = "event";
    const VERBS: &'static [Verb] =
        &[Verb("wait", 6, true), Verb("set", 2, false), Verb("clear", 2, false)];
    type Guard<'a> = ();
    type Model = Flag;

    fn new(_: &Random) -> (Self, Flag) {
        (Event::new(), Flag::default())
    }

    fn act<'a>(&'a self, op: &Op, _: &mut Hand<'a, Self>) -> Outcome {
        match (op.verb, own(op)) {
            ("set", _) => self.set(),
            ("clear", _) => self.clear(),
            (_, None) => self.wait(),
            (_, Some(limit)) => return did(self.wait_timeout(limit)),
        }
        Outcome::Did
    }
}

/// A value for all; with rounds, whoever waits gets that of the round in which it came.
#[derive(Clone)]
pub(super) struct Value {
    rounds: Vec<Option<u64>>,
    line: VecDeque<usize>,
    came: Vec<(usize, usize)>,
}

impl Value {
    fn new() -> Value {
        Value { rounds: vec![None], line: VecDeque::new(), came: Vec::new() }
    }

    fn came(&mut self, who: usize) -> Option<usize> {
        let at = self.came.iter().position(|(other, _)| *other == who)?;
        Some(self.came.swap_remove(at).1)
    }
}

impl Model for Value {
    fn ask(&mut self, who: usize, op: &Op, world: &mut World) -> Option<Outcome> {
        let round = self.rounds.len() - 1;
        match (op.verb, self.rounds[round]) {
            ("send", Some(_)) | ("reset", None) => Some(Outcome::Refused),
            ("send", None) => {
                self.rounds[round] = Some(op.number);
                world.serve_all(&mut self.line);
                Some(Outcome::Did)
            }
            ("reset", Some(_)) => {
                self.rounds.push(None);
                Some(Outcome::Did)
            }
            (_, Some(value)) => Some(Outcome::Got(value)),
            ("look", None) => Some(Outcome::Nothing),
            _ => {
                self.line.push_back(who);
                self.came.push((who, round));
                None
            }
        }
    }

    fn served(&mut self, who: usize, _: &Op, _: &mut World) -> Option<Outcome> {
        let round = self.came(who)?;
        self.rounds[round].map(Outcome::Got)
    }

    fn left(&mut self, who: usize, _: &Op, why: Why, world: &mut World) -> Option<Outcome> {
        self.line.retain(|other| *other != who);
        self.came(who);
        world.gives_up(who, why)
    }
}

fn got(value: Option<u64>) -> Outcome {
    value.map_or(Outcome::Nothing, Outcome::Got)
}

impl Subject for OneShotEvent<u64, ()> {
    const NAME: &'static str = "one-shot event";
    const VERBS: &'static [Verb] = &[
        Verb("wait", 8, true),
        Verb("look", 1, false),
        Verb("send", 2, false),
        Verb("reset", 2, false),
    ];
    type Guard<'a> = ();
    type Model = Value;

    fn new(_: &Random) -> (Self, Value) {
        (OneShotEvent::default(), Value::new())
    }

    fn act<'a>(&'a self, op: &Op, _: &mut Hand<'a, Self>) -> Outcome {
        let done = match (op.verb, own(op)) {
            ("send", _) => self.send(op.number).is_ok(),
            ("reset", _) => self.reset().is_ok(),
            ("look", _) => return got(self.poll().and_then(Result::ok)),
            (_, None) => return got(self.wait().ok()),
            (_, Some(limit)) => return got(self.wait_timeout(limit).and_then(Result::ok)),
        };
        if done { Outcome::Did } else { Outcome::Refused }
    }
}

impl Subject for AsyncResult<u64> {
    const NAME: &'static str = "async result";
    const VERBS: &'static [Verb] =
        &[Verb("wait", 10, true), Verb("look", 1, false), Verb("send", 1, false)];
    type Guard<'a> = ();
    type Model = Value;

    fn new(_: &Random) -> (Self, Value) {
        (AsyncResult::new(), Value::new())
    }

    fn act<'a>(&'a self, op: &Op, _: &mut Hand<'a, Self>) -> Outcome {
        let value = match (op.verb, own(op)) {
            ("send", _) => match self.set(op.number) {
                Ok(()) => return Outcome::Did,
                Err(_) => return Outcome::Refused,
            },
            ("look", _) => self.try_get(),
            (_, None) => Some(self.get()),
            (_, Some(limit)) => self.get_timeout(limit),
        };
        got(value.and_then(Result::ok).copied())
    }
}

/// A count, and those who wait until it is zero.
#[derive(Clone)]
pub(super) struct Count {
    count: u64,
    line: VecDeque<usize>,
}

impl Model for Count {
    fn ask(&mut self, who: usize, op: &Op, world: &mut World) -> Option<Outcome> {
        match op.verb {
            "one more" => self.count += 1,
            "one less" => {
                self.count -= 1;
                if self.count == 0 {
                    world.serve_all(&mut self.line);
                }
            }
            _ if self.count > 0 => {
                self.line.push_back(who);
                return None;
            }
            _ => {}
        }
        Some(Outcome::Did)
    }

    fn left(&mut self, who: usize, _: &Op, why: Why, world: &mut World) -> Option<Outcome> {
        self.line.retain(|other| *other != who);
        world.gives_up(who, why)
    }
}

impl Subject for WaitGroup {
    const NAME: &'static str = "wait group";
    const VERBS: &'static [Verb] =
        &[Verb("wait", 6, true), Verb("one more", 2, false), Verb("one less", 4, false)];
    type Guard<'a> = ();
    type Model = Count;

    fn new(random: &Random) -> (Self, Count) {
        let (group, count) = (WaitGroup::new(), random.below(3));
        group.add(count as usize);
        (group, Count { count, line: VecDeque::new() })
    }

    fn may(&self, op: &Op, _: &Hand<'_, Self>) -> bool {
        op.verb != "one less" || self.count() > 0
    }

    fn act<'a>(&'a self, op: &Op, _: &mut Hand<'a, Self>) -> Outcome {
        match (op.verb, own(op)) {
            ("one more", _) => self.inc(),
            ("one less", _) => self.dec(),
            (_, None) => self.wait(),
            (_, Some(limit)) => return did(self.wait_timeout(limit)),
        }
        Outcome::Did
    }
}

/// So many have to come; the last of them leads, which is told as 1.
#[derive(Clone)]
pub(super) struct Gate {
    size: usize,
    /// Those who wait; whoever has left has not come.
    line: VecDeque<usize>,
}

impl Model for Gate {
    fn ask(&mut self, who: usize, _: &Op, world: &mut World) -> Option<Outcome> {
        if self.line.len() + 1 >= self.size {
            world.serve_all(&mut self.line);
            return Some(Outcome::Got(1));
        }
        self.line.push_back(who);
        None
    }

    fn served(&mut self, _: usize, _: &Op, _: &mut World) -> Option<Outcome> {
        Some(Outcome::Got(0))
    }

    fn left(&mut self, who: usize, _: &Op, why: Why, world: &mut World) -> Option<Outcome> {
        self.line.retain(|other| *other != who);
        world.gives_up(who, why)
    }
}

impl Subject for Barrier {
    const NAME: &'static str = "barrier";
    const VERBS: &'static [Verb] = &[Verb("wait", 1, true)];
    type Guard<'a> = ();
    type Model = Gate;

    fn new(random: &Random) -> (Self, Gate) {
        let size = random.below(5) as usize;
        (Barrier::new(size), Gate { size, line: VecDeque::new() })
    }

    fn act<'a>(&'a self, op: &Op, _: &mut Hand<'a, Self>) -> Outcome {
        let result = match own(op) {
            None => Some(self.wait()),
            Some(limit) => self.wait_timeout(limit),
        };
        got(result.map(|result| u64::from(result.is_leader())))
    }
}
