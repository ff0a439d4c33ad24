//! Pools: places, and objects, go to those who wait, in order; nobody overtakes one that was promised one.

use super::play::{Hand, Life, Outcome, Stage, Subject, own, pause};
use super::program::{MOST_SCRIPTS, Op, Verb};
use super::referee::{Model, Why, World};
use crate::random::Random;
use greenlet::pool::{Limited, ObjectPool, Pool, PoolOf, Pooled};
use std::cell::Cell;
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

/// Those who wait for a turn, and those who were promised one and have not run.
#[derive(Clone, Default)]
pub(super) struct Turns {
    pub(super) waiting: VecDeque<usize>,
    pub(super) promised: BTreeSet<usize>,
}

impl Turns {
    pub(super) fn promise(&mut self, world: &mut World) -> bool {
        let first = world.serve_first(&mut self.waiting);
        self.promised.extend(first);
        first.is_some()
    }

    pub(super) fn leaves(&mut self, who: usize) {
        self.waiting.retain(|other| *other != who);
        self.promised.remove(&who);
    }
}

#[derive(Clone)]
pub(super) struct Places {
    size: usize,
    jobs: BTreeSet<usize>,
    turns: Turns,
    /// Those who wait until nobody works any more.
    joiners: VecDeque<usize>,
    /// Those who only want to see that there is a place.
    watchers: VecDeque<usize>,
}

impl Places {
    fn has_place(&self) -> bool {
        self.jobs.len() + self.turns.promised.len() < self.size
    }

    fn offer(&mut self, world: &mut World) {
        while self.has_place() {
            if !self.turns.promise(world) {
                return world.serve_all(&mut self.watchers);
            }
        }
    }

    fn begin(&mut self, job: usize, world: &mut World) -> Outcome {
        self.jobs.insert(job);
        world.begin(job);
        Outcome::Did
    }
}

impl Model for Places {
    fn ask(&mut self, who: usize, op: &Op, world: &mut World) -> Option<Outcome> {
        match op.verb {
            "spawn" | "try spawn" if self.has_place() => return Some(self.begin(job(op), world)),
            "try spawn" => return Some(Outcome::Nothing),
            "spawn" => self.turns.waiting.push_back(who),
            "resize" => {
                self.size = op.number as usize % 4;
                self.offer(world);
                return Some(Outcome::Did);
            }
            "wait for a place" if self.has_place() => return Some(Outcome::Did),
            "wait for a place" => self.watchers.push_back(who),
            _ if self.jobs.is_empty() => return Some(Outcome::Did),
            _ => self.joiners.push_back(who),
        }
        None
    }

    fn served(&mut self, who: usize, op: &Op, world: &mut World) -> Option<Outcome> {
        if op.verb != "spawn" {
            return Some(Outcome::Did);
        }
        self.turns.leaves(who);
        let raised = world.raise(who);
        if raised.is_some() {
            self.offer(world);
        }
        raised.or_else(|| Some(self.begin(job(op), world)))
    }

    fn left(&mut self, who: usize, op: &Op, why: Why, world: &mut World) -> Option<Outcome> {
        self.turns.leaves(who);
        self.joiners.retain(|other| *other != who);
        self.watchers.retain(|other| *other != who);
        let raised = if op.verb == "spawn" { world.raise(who) } else { None };
        if raised.is_some() {
            self.offer(world);
        }
        raised.or_else(|| world.gives_up(who, why))
    }

    fn ended(&mut self, who: usize, world: &mut World) {
        if self.jobs.remove(&who) {
            self.offer(world);
            if self.jobs.is_empty() {
                world.serve_all(&mut self.joiners);
            }
        }
    }
}

/// Who the job of an operation is.
pub(super) fn job(op: &Op) -> usize {
    MOST_SCRIPTS + op.number as usize
}

pub(super) const VERBS: &[Verb] = &[
    Verb("spawn", 10, true),
    Verb("try spawn", 2, false),
    Verb("join", 2, true),
    Verb("wait for a place", 2, true),
    Verb("resize", 1, false),
];

/// Any operation with a pool whose jobs do `f`.
pub(super) fn act<S: Subject, P: Limited>(
    pool: &PoolOf<P>,
    op: &Op,
    stage: &Rc<Stage<S>>,
    f: impl FnOnce(&Life) + 'static,
) -> Outcome {
    let life = stage.life_to_come(job(op));
    let is_there = life.is_there();
    let f = move || {
        life.begins();
        f(&life);
    };
    let done = match (op.verb, own(op)) {
        ("join", Some(limit)) => pool.join_timeout(limit),
        ("wait for a place", Some(limit)) => pool.wait_available_timeout(limit),
        ("spawn" | "try spawn", limit) => {
            let task = match (op.verb, limit) {
                ("spawn", None) => Some(pool.spawn(f)),
                ("spawn", Some(limit)) => pool.spawn_timeout(limit, f).ok(),
                _ => pool.try_spawn(f).ok(),
            };
            task.is_some_and(|task| {
                is_there.set(true);
                stage.register(job(op), task);
                true
            })
        }
        (verb, _) => {
            match verb {
                "join" => pool.join(),
                "resize" => pool.resize(op.number as usize % 4),
                _ => pool.wait_available(),
            }
            true
        }
    };
    if done { Outcome::Did } else { Outcome::Nothing }
}

impl Subject for Pool {
    const NAME: &'static str = "pool";
    const VERBS: &'static [Verb] = VERBS;
    type Guard<'a> = ();
    type Model = Places;

    fn new(random: &Random) -> (Self, Places) {
        let size = 1 + random.below(3) as usize;
        let (jobs, turns) = (BTreeSet::new(), Turns::default());
        let (joiners, watchers) = (VecDeque::new(), VecDeque::new());
        (Pool::new(size), Places { size, jobs, turns, joiners, watchers })
    }

    fn act<'a>(&'a self, op: &Op, hand: &mut Hand<'a, Self>) -> Outcome {
        let number = op.number;
        act(self, op, hand.stage, move |life| {
            for nap in [Op::new("yield", 0), Op::new("sleep", 1 + number % 7)] {
                life.step(nap, || pause(&nap));
            }
        })
    }
}

/// Objects by their numbers.
#[derive(Clone)]
pub(super) struct Objects {
    newest_first: bool,
    idle: VecDeque<u64>,
    alive: usize,
    max: usize,
    made: u64,
    turns: Turns,
}

impl Objects {
    fn has_object(&self) -> bool {
        self.idle.len() + self.max.saturating_sub(self.alive) > self.turns.promised.len()
    }

    fn offer(&mut self, world: &mut World) {
        while self.has_object() && self.turns.promise(world) {}
    }

    fn take(&mut self) -> Outcome {
        let idle = if self.newest_first { self.idle.pop_back() } else { self.idle.pop_front() };
        Outcome::Got(idle.unwrap_or_else(|| {
            self.alive += 1;
            self.made += 1;
            self.made
        }))
    }
}

impl Model for Objects {
    fn ask(&mut self, who: usize, op: &Op, world: &mut World) -> Option<Outcome> {
        match op.verb {
            "release" if self.alive <= self.max => self.idle.push_back(op.number),
            "release" | "discard" => self.alive -= 1,
            "resize" => {
                self.max = op.number as usize % 4;
                // Those that somebody was promised stay.
                while self.alive > self.max && self.idle.len() > self.turns.promised.len() {
                    self.idle.pop_front();
                    self.alive -= 1;
                    self.offer(world);
                }
            }
            _ if self.has_object() => return Some(self.take()),
            "try" => return Some(Outcome::Nothing),
            _ => {
                self.turns.waiting.push_back(who);
                return None;
            }
        }
        self.offer(world);
        Some(Outcome::Did)
    }

    fn served(&mut self, who: usize, _: &Op, world: &mut World) -> Option<Outcome> {
        self.turns.leaves(who);
        let raised = world.raise(who);
        if raised.is_some() {
            self.offer(world);
        }
        raised.or_else(|| Some(self.take()))
    }

    fn left(&mut self, who: usize, _: &Op, why: Why, world: &mut World) -> Option<Outcome> {
        self.turns.leaves(who);
        let raised = world.raise(who);
        if raised.is_some() {
            self.offer(world);
        }
        raised.or_else(|| world.gives_up(who, why))
    }
}

impl Subject for ObjectPool<u64> {
    const NAME: &'static str = "object pool";
    const VERBS: &'static [Verb] = &[
        Verb("get", 10, true),
        Verb("try", 2, false),
        Verb("discard", 2, false),
        Verb("resize", 1, false),
    ];
    type Guard<'a> = Pooled<u64>;
    type Model = Objects;

    fn new(random: &Random) -> (Self, Objects) {
        let (max, newest_first) = (1 + random.below(2) as usize, random.one_in(2));
        let made = Cell::new(0);
        let mut builder = ObjectPool::builder(max);
        if newest_first {
            builder = builder.newest_first();
        }
        let pool = builder.build(move || {
            made.set(made.get() + 1);
            made.get()
        });
        let (idle, turns) = (VecDeque::new(), Turns::default());
        (pool, Objects { newest_first, idle, alive: 0, max, made: 0, turns })
    }

    fn number(guard: &Pooled<u64>) -> u64 {
        **guard
    }

    fn may(&self, op: &Op, hand: &Hand<'_, Self>) -> bool {
        op.verb != "discard" || !hand.guards.is_empty()
    }

    fn act<'a>(&'a self, op: &Op, hand: &mut Hand<'a, Self>) -> Outcome {
        let object = match (op.verb, own(op)) {
            ("get", None) => Some(self.get()),
            ("get", Some(limit)) => self.get_timeout(limit),
            ("try", _) => self.try_get(),
            ("resize", _) => {
                self.resize(op.number as usize % 4);
                return Outcome::Did;
            }
            _ => {
                hand.guards.drain(hand.guards.len() - 1..).for_each(Pooled::discard);
                return Outcome::Did;
            }
        };
        let outcome = object.as_ref().map_or(Outcome::Nothing, |object| Outcome::Got(**object));
        hand.keep(object);
        outcome
    }
}
