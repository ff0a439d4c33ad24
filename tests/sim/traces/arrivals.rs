//! Several things, one after the other: each comes once, in the order in which they became ready since the
//! wait began; a limit ends it, and whoever is interrupted loses none.

use super::play::{Event as Said, Hand, Outcome, Subject, own, pause, within};
use super::program::{Limit, Op, Verb};
use super::referee::{Model, Why, World};
use crate::random::Random;
use greenlet::sync::{Event, wait_each};
use std::collections::{BTreeMap, VecDeque};
use std::panic::resume_unwind;

/// So many events to wait for.
const EVENTS: usize = 4;

pub(super) struct Several([Event; EVENTS]);

/// What one who waits for all has seen.
#[derive(Clone)]
struct Wait {
    who: usize,
    /// They have become ready, and were not told.
    arrived: VecDeque<u64>,
    /// They were not ready since it began.
    missing: Vec<u64>,
    is_over: bool,
    is_parked: bool,
}

/// Which events are set, and all waits, in the order in which they began.
#[derive(Clone, Default)]
pub(super) struct Arrivals {
    is_set: BTreeMap<u64, bool>,
    waits: Vec<Wait>,
}

impl Arrivals {
    fn next(&mut self, who: usize) -> Option<Outcome> {
        let wait = self.waits.iter_mut().find(|wait| wait.who == who)?;
        let first = if wait.is_over { None } else { wait.arrived.pop_front() };
        let has_ended = wait.is_over || wait.missing.is_empty();
        wait.is_parked = first.is_none() && !has_ended;
        first.map(Outcome::Got).or(has_ended.then_some(Outcome::Nothing))
    }
}

impl Model for Arrivals {
    fn ask(&mut self, who: usize, op: &Op, world: &mut World) -> Option<Outcome> {
        let which = op.number % EVENTS as u64;
        match op.verb {
            "set" => {
                self.is_set.insert(which, true);
                for wait in &mut self.waits {
                    if wait.missing.contains(&which) {
                        wait.missing.retain(|other| *other != which);
                        wait.arrived.push_back(which);
                        if std::mem::take(&mut wait.is_parked) {
                            world.serve(wait.who);
                        }
                    }
                }
            }
            "clear" => drop(self.is_set.insert(which, false)),
            "each" => {
                let is_set = |which: &u64| self.is_set.get(which).is_some_and(|is_set| *is_set);
                let (arrived, missing): (Vec<_>, _) =
                    order(op.number).into_iter().partition(is_set);
                let (arrived, is_over, is_parked) = (arrived.into(), false, false);
                self.waits.push(Wait { who, arrived, missing, is_over, is_parked });
            }
            "next" => return self.next(who),
            _ => {
                self.waits.retain(|wait| wait.who != who);
                return Some(if op.number == 0 { Outcome::Raised(0) } else { Outcome::Did });
            }
        }
        Some(Outcome::Did)
    }

    fn served(&mut self, who: usize, _: &Op, _: &mut World) -> Option<Outcome> {
        self.next(who)
    }

    fn left(&mut self, who: usize, _: &Op, why: Why, world: &mut World) -> Option<Outcome> {
        let outcome = world.gives_up(who, why);
        for wait in self.waits.iter_mut().filter(|wait| wait.who == who && outcome.is_some()) {
            wait.is_parked = false;
            wait.is_over = outcome == Some(Outcome::Nothing);
        }
        outcome
    }
}

/// In which order the events are given.
fn order(number: u64) -> Vec<u64> {
    (0..EVENTS as u64).map(|at| (at * 3 + number) % EVENTS as u64).collect()
}

/// How long the next one is waited for.
fn limit(number: u64, at: u64) -> Limit {
    match number % 4 {
        0 => Limit::Own(number % 3 + at * 2), // from now on, each time
        1 if at.is_multiple_of(2) => Limit::Outer(1 + number % 5),
        _ => Limit::None,
    }
}

impl Subject for Several {
    const NAME: &'static str = "several, one after the other";
    const VERBS: &'static [Verb] =
        &[Verb("each", 6, false), Verb("set", 6, false), Verb("clear", 3, false)];
    type Guard<'a> = ();
    type Model = Arrivals;

    fn new(_: &Random) -> (Self, Arrivals) {
        (Several(Default::default()), Arrivals::default())
    }

    fn act<'a>(&'a self, op: &Op, hand: &mut Hand<'a, Self>) -> Outcome {
        let (Several(events), number) = (self, op.number);
        match op.verb {
            "set" => events[number as usize % EVENTS].set(),
            "clear" => events[number as usize % EVENTS].clear(),
            _ => {
                let in_order = order(number).into_iter();
                let things: Vec<&dyn greenlet::Waitable> =
                    in_order.map(|which| &events[which as usize] as _).collect();
                let mut each = Some(wait_each(&things));
                let told = |place: usize| Outcome::Got(order(number)[place]);
                hand.log(Said::Return(Outcome::Did));
                for at in 0..1 + number % 7 {
                    let next = Op { verb: "next", number, limit: limit(number, at) };
                    let nap = Op::new("yield", 0);
                    let done = if (number + at).is_multiple_of(3) {
                        hand.step(nap, || pause(&nap))
                    } else {
                        hand.step(next, || {
                            if let Some(limit) = own(&next) {
                                each = each.take().map(|each| each.timeout(limit));
                            }
                            let mut first = || each.as_mut().and_then(Iterator::next);
                            within(&next, || first().map_or(Outcome::Nothing, told))
                        })
                    };
                    if let Err(payload) = done {
                        drop(each);
                        hand.log(Said::Call(Op::new("dropped", 0)));
                        resume_unwind(payload);
                    }
                }
                drop(each);
                hand.log(Said::Call(Op::new("dropped", 1)));
            }
        }
        Outcome::Did
    }
}
