//! Values that are inherited: a task begins with the very one that its spawner has, and each sets its own.

use super::play::{Event, Hand, Life, Outcome, Stage, Subject, pause};
use super::pools::job;
use super::program::{NUMBERS, Op, Verb};
use super::referee::{Model, Why, World};
use crate::random::Random;
use greenlet::{inherited_local, spawn};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::rc::Rc;

inherited_local! {
    static VALUE: Cell<u64> = Cell::new(0);
}

pub(super) struct Inherited;

/// All values that there ever were, and which one each greenlet has, and had outside of its scope.
#[derive(Clone, Default)]
pub(super) struct Values {
    values: Vec<u64>,
    of: BTreeMap<usize, usize>,
    outside: BTreeMap<usize, Option<usize>>,
}

impl Values {
    fn add(&mut self, value: u64) -> usize {
        self.values.push(value);
        self.values.len() - 1
    }

    fn value(&mut self, who: usize) -> &mut u64 {
        if !self.of.contains_key(&who) {
            let initial = self.add(0);
            self.of.insert(who, initial);
        }
        &mut self.values[self.of[&who]]
    }
}

impl Model for Values {
    fn ask(&mut self, who: usize, op: &Op, world: &mut World) -> Option<Outcome> {
        match op.verb {
            "look" => return Some(Outcome::Got(*self.value(who))),
            "change" => {
                let value = std::mem::replace(self.value(who), op.number);
                return Some(Outcome::Got(value));
            }
            "set" | "scope" => {
                let value = self.add(op.number);
                let former = self.of.insert(who, value);
                if op.verb == "scope" {
                    self.outside.insert(who, former);
                }
            }
            "scope ends" => {
                let former = self.outside.remove(&who).flatten();
                self.of.remove(&who);
                self.of.extend(former.map(|value| (who, value)));
                return Some(if op.number == 0 { Outcome::Raised(0) } else { Outcome::Did });
            }
            _ => {
                let inherited = self.of.get(&who).copied();
                self.of.extend(inherited.map(|value| (job(op), value)));
                world.begin(job(op));
            }
        }
        Some(Outcome::Did)
    }

    fn left(&mut self, _: usize, _: &Op, _: Why, _: &mut World) -> Option<Outcome> {
        unreachable!("nobody waits")
    }
}

fn act(op: &Op, stage: &Rc<Stage<Inherited>>) -> Outcome {
    match op.verb {
        "look" => return Outcome::Got(VALUE.with(Cell::get)),
        "change" => return Outcome::Got(VALUE.with(|value| value.replace(op.number))),
        "set" => VALUE.set(Cell::new(op.number)),
        _ => {
            let (life, same, number) = (stage.life_to_come(job(op)), stage.clone(), op.number);
            life.is_there().set(true);
            let task = spawn(move || {
                life.begins();
                live(&life, number, &same);
            });
            stage.register(job(op), task);
        }
    }
    Outcome::Did
}

/// What a task does; some spawn one more.
fn live(life: &Life, number: u64, stage: &Rc<Stage<Inherited>>) {
    let nap = Op::new("yield", 0);
    let first = ["look", "set", "change", "yield"][number as usize % 4];
    let child = (number.is_multiple_of(2) && number < 2 * NUMBERS).then_some(number + NUMBERS);
    let child = child.map(|child| Op::new("spawn", child));
    let steps = [Some(Op::new(first, number)), child, Some(nap), Some(Op::new("look", 0))];
    for op in steps.into_iter().flatten() {
        life.step(op, || if op.verb == "yield" { pause(&op) } else { act(&op, stage) });
    }
}

impl Subject for Inherited {
    const NAME: &'static str = "inherited values";
    const VERBS: &'static [Verb] = &[
        Verb("look", 3, false),
        Verb("set", 3, false),
        Verb("change", 3, false),
        Verb("scope", 2, false),
        Verb("spawn", 5, false),
    ];
    type Guard<'a> = ();
    type Model = Values;

    fn new(_: &Random) -> (Self, Values) {
        (Inherited, Values::default())
    }

    fn act<'a>(&'a self, op: &Op, hand: &mut Hand<'a, Self>) -> Outcome {
        if op.verb != "scope" {
            return act(op, hand.stage);
        }
        let number = op.number;
        let done = VALUE.scope(Cell::new(number), || {
            hand.log(Event::Return(Outcome::Did));
            let middle = ["look", "set", "change", "spawn"][number as usize % 4];
            let (middle, nap) = (Op::new(middle, number), Op::new("yield", 0));
            hand.step(middle, || act(&middle, hand.stage))?;
            hand.step(nap, || pause(&nap))
        });
        hand.log(Event::Call(Op::new("scope ends", u64::from(done.is_ok()))));
        done.map_or_else(|payload| resume_unwind(payload), |_| Outcome::Did)
    }
}
