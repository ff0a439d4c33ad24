//! Piles: results come in the order of the spawns, those of killed ones at their places; whoever is
//! interrupted loses none.

use super::lenders::Lenders;
use super::play::{Hand, Outcome, Subject, pause};
use super::pools::job;
use super::program::{MOST_SCRIPTS, Op, Verb};
use super::referee::{Model, Why, World};
use crate::random::Random;
use greenlet::pool::{GreenPool, Pile};
use std::array::from_fn;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A pile for each greenlet, all of them in one pool.
pub(super) struct Piles {
    pool: GreenPool,
    piles: [RefCell<Pile<u64>>; MOST_SCRIPTS],
}

/// The pool, and whose results are still to be taken.
#[derive(Clone)]
pub(super) struct Heaps {
    pool: Lenders,
    heaps: [VecDeque<usize>; MOST_SCRIPTS],
    results: BTreeMap<usize, Outcome>,
    /// Who waits for the first of its heap.
    waiting: BTreeSet<usize>,
}

impl Heaps {
    fn next(&mut self, who: usize) -> Option<Outcome> {
        let Some(first) = self.heaps[who].front() else { return Some(Outcome::Nothing) };
        let result = *self.results.get(first)?;
        self.heaps[who].pop_front();
        Some(result)
    }

    /// If that was a spawn, its job is on the heap.
    fn note(&mut self, who: usize, op: &Op, outcome: Option<Outcome>) -> Option<Outcome> {
        if (op.verb, outcome) == ("spawn", Some(Outcome::Did)) {
            self.heaps[who].push_back(job(op));
        }
        outcome
    }
}

impl Model for Heaps {
    fn ask(&mut self, who: usize, op: &Op, world: &mut World) -> Option<Outcome> {
        if op.verb == "next" {
            let result = self.next(who);
            self.waiting.extend(result.is_none().then_some(who));
            return result;
        }
        let outcome = self.pool.ask(who, op, world);
        self.note(who, op, outcome)
    }

    fn served(&mut self, who: usize, op: &Op, world: &mut World) -> Option<Outcome> {
        if op.verb == "next" {
            return self.next(who);
        }
        let outcome = self.pool.served(who, op, world);
        self.note(who, op, outcome)
    }

    fn left(&mut self, who: usize, op: &Op, why: Why, world: &mut World) -> Option<Outcome> {
        if op.verb == "next" {
            self.waiting.remove(&who);
            return world.gives_up(who, why);
        }
        self.pool.left(who, op, why, world)
    }

    fn ended(&mut self, who: usize, world: &mut World) {
        self.pool.ended(who, world);
        let number = who.saturating_sub(MOST_SCRIPTS) as u64;
        let result = if world.has_failed(who) { Outcome::Refused } else { Outcome::Got(number) };
        self.results.insert(who, result);
        let waits = |owner: &usize| self.heaps[*owner].front() == Some(&who);
        if let Some(owner) = self.waiting.iter().copied().find(waits) {
            self.waiting.remove(&owner);
            world.serve(owner);
        }
    }
}

impl Subject for Piles {
    const NAME: &'static str = "piles";
    const VERBS: &'static [Verb] = &[
        Verb("spawn", 10, true),
        Verb("next", 8, true),
        Verb("join", 1, true),
        Verb("resize", 1, false),
    ];
    const OWN_LIMITS: bool = false;
    type Guard<'a> = ();
    type Model = Heaps;

    fn new(random: &Random) -> (Self, Heaps) {
        let size = 1 + random.below(4) as usize;
        let pool = GreenPool::new(size);
        let piles = from_fn(|_| RefCell::new(Pile::in_pool(&pool)));
        let (heaps, results, waiting) = (Default::default(), BTreeMap::new(), BTreeSet::new());
        (Piles { pool, piles }, Heaps { pool: Lenders::new(size), heaps, results, waiting })
    }

    fn act<'a>(&'a self, op: &Op, hand: &mut Hand<'a, Self>) -> Outcome {
        let (number, pile) = (op.number, &self.piles[hand.who]);
        match op.verb {
            "next" => match pile.borrow_mut().next() {
                None => return Outcome::Nothing,
                Some(Ok(number)) => return Outcome::Got(number),
                Some(Err(_)) => return Outcome::Refused,
            },
            "join" => self.pool.join(),
            "resize" => self.pool.resize(number as usize % 4),
            _ => {
                let life = hand.stage.life_to_come(job(op));
                let is_there = life.is_there();
                pile.borrow_mut().spawn(move || {
                    life.begins();
                    for nap in [Op::new("yield", 0), Op::new("sleep", 1 + number * 5 % 7)] {
                        life.step(nap, || pause(&nap));
                    }
                    number
                });
                is_there.set(true);
                // Nobody else has run since: it is the newest.
                hand.stage.meet(job(op), self.pool.tasks().pop().expect("a member"));
            }
        }
        Outcome::Did
    }
}
