//! A value that is made once, and what each greenlet has for itself.

use super::play::{Event, Hand, Outcome, Subject, pause};
use super::program::{Op, Verb};
use super::referee::{Model, Why, World};
use crate::random::Random;
use greenlet::greenlet_local;
use greenlet::sync::OnceCell;
use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::panic::resume_unwind;

/// What the initialiser says when it begins.
const TURN: Outcome = Outcome::Got(u64::MAX);

/// One makes the value, the others wait; when it fails, the next one tries.
#[derive(Clone, Default)]
pub(super) struct Once {
    value: Option<u64>,
    maker: Option<usize>,
    line: VecDeque<usize>,
}

impl Once {
    fn end_turn(&mut self, world: &mut World) {
        self.maker = match self.value {
            None => world.serve_first(&mut self.line),
            Some(_) => {
                world.serve_all(&mut self.line);
                None
            }
        };
    }
}

impl Model for Once {
    fn ask(&mut self, who: usize, op: &Op, world: &mut World) -> Option<Outcome> {
        match (op.verb, self.value) {
            ("made", _) => {
                self.value = Some(op.number);
                self.end_turn(world);
                Some(Outcome::Got(op.number))
            }
            ("failed", _) => {
                self.end_turn(world);
                Some(if op.number == 0 { Outcome::Raised(0) } else { Outcome::Nothing })
            }
            (_, Some(value)) => Some(Outcome::Got(value)),
            ("look", None) => Some(Outcome::Nothing),
            (_, None) if self.maker.is_none() => {
                self.maker = Some(who);
                Some(TURN)
            }
            _ => {
                self.line.push_back(who);
                None
            }
        }
    }

    fn served(&mut self, who: usize, _: &Op, world: &mut World) -> Option<Outcome> {
        let raised = world.raise(who);
        if raised.is_some() && self.maker == Some(who) {
            self.end_turn(world);
        }
        raised.or(Some(self.value.map_or(TURN, Outcome::Got)))
    }

    fn left(&mut self, who: usize, _: &Op, why: Why, world: &mut World) -> Option<Outcome> {
        self.line.retain(|other| *other != who);
        world.gives_up(who, why)
    }
}

impl Subject for OnceCell<u64> {
    const NAME: &'static str = "once cell";
    const VERBS: &'static [Verb] = &[Verb("get", 6, false), Verb("look", 1, false)];
    type Guard<'a> = ();
    type Model = Once;

    fn new(_: &Random) -> (Self, Once) {
        (OnceCell::new(), Once::default())
    }

    fn act<'a>(&'a self, op: &Op, hand: &mut Hand<'a, Self>) -> Outcome {
        if op.verb == "look" {
            return self.get().map_or(Outcome::Nothing, |value| Outcome::Got(*value));
        }
        let value = self.get_or_try_init(|| {
            hand.log(Event::Return(TURN));
            let nap = match op.number % 3 {
                0 => Op::new("yield", 0),
                length => Op::new("sleep", length * 3),
            };
            let failed = |number| hand.log(Event::Call(Op::new("failed", number)));
            match hand.step(nap, || pause(&nap)) {
                Ok(Outcome::Did) if !op.number.is_multiple_of(4) => {
                    hand.log(Event::Call(Op::new("made", op.number)));
                    Ok(op.number)
                }
                Ok(_) => {
                    failed(1);
                    Err(())
                }
                Err(payload) => {
                    failed(0);
                    resume_unwind(payload)
                }
            }
        });
        value.map_or(Outcome::Nothing, |value| Outcome::Got(*value))
    }
}

greenlet_local! {
    static OWN: Cell<u64> = Cell::new(0);
}

/// A value for each greenlet.
pub(super) struct Locals;

#[derive(Clone, Default)]
pub(super) struct ByGreenlet(BTreeMap<usize, u64>);

impl Model for ByGreenlet {
    fn ask(&mut self, who: usize, op: &Op, _: &mut World) -> Option<Outcome> {
        let before = self.0.get(&who).copied().unwrap_or(0);
        if op.verb == "set" {
            self.0.insert(who, op.number);
        }
        Some(Outcome::Got(before))
    }

    fn left(&mut self, _: usize, _: &Op, _: Why, _: &mut World) -> Option<Outcome> {
        unreachable!("nobody waits")
    }
}

impl Subject for Locals {
    const NAME: &'static str = "locals";
    const VERBS: &'static [Verb] = &[Verb("set", 1, false), Verb("look", 1, false)];
    type Guard<'a> = ();
    type Model = ByGreenlet;

    fn new(_: &Random) -> (Self, ByGreenlet) {
        (Locals, ByGreenlet::default())
    }

    fn act<'a>(&'a self, op: &Op, _: &mut Hand<'a, Self>) -> Outcome {
        Outcome::Got(OWN.with(|own| match op.verb {
            "set" => own.replace(op.number),
            _ => own.get(),
        }))
    }
}
