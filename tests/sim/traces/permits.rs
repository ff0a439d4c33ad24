//! Semaphores: permits go to those who wait, in order; whoever is struck when it gets one hands it on.

use super::play::{Hand, Outcome, Subject, own};
use super::program::{Op, Verb};
use super::referee::{Model, Why, World};
use crate::random::Random;
use greenlet::sync::{BoundedSemaphore, CappedSemaphore, Permit, Semaphore};
use std::collections::VecDeque;

/// What both semaphores with guards promise, and a mutex, which has one permit.
#[derive(Clone)]
pub(super) struct Permits {
    pub(super) free: usize,
    /// How many permits are free at most; then a release fails.
    most: usize,
    initial: isize,
    line: VecDeque<usize>,
    /// Those who only want to see that there is a permit.
    watchers: VecDeque<usize>,
}

impl Permits {
    pub(super) fn new(free: usize, most: usize) -> Permits {
        let (line, watchers) = (VecDeque::new(), VecDeque::new());
        Permits { free, most, initial: free as isize, line, watchers }
    }

    pub(super) fn release(&mut self, world: &mut World) -> Outcome {
        if self.free >= self.most {
            return Outcome::Refused;
        }
        if world.serve_first(&mut self.line).is_none() {
            self.free += 1;
            world.serve_all(&mut self.watchers);
        }
        Outcome::Did
    }
}

impl Model for Permits {
    fn ask(&mut self, who: usize, op: &Op, world: &mut World) -> Option<Outcome> {
        match op.verb {
            "release" => return Some(self.release(world)),
            "one more" if self.most < usize::MAX => return Some(Outcome::Refused),
            "one more" => {
                self.initial += 1;
                return Some(self.release(world));
            }
            "wait" if self.free == 0 => self.watchers.push_back(who),
            "wait" => return Some(Outcome::Did),
            "acquire" if self.free == 0 => self.line.push_back(who),
            "try" if self.free == 0 => return Some(Outcome::Nothing),
            _ => {
                self.free -= 1;
                return Some(Outcome::Did);
            }
        }
        None
    }

    fn served(&mut self, who: usize, op: &Op, world: &mut World) -> Option<Outcome> {
        let raised = if op.verb == "wait" { None } else { world.raise(who) };
        if raised.is_some() {
            self.release(world);
        }
        raised.or(Some(Outcome::Did))
    }

    fn left(&mut self, who: usize, _: &Op, why: Why, world: &mut World) -> Option<Outcome> {
        self.line.retain(|other| *other != who);
        self.watchers.retain(|other| *other != who);
        world.gives_up(who, why)
    }

    fn complaint(&self) -> Option<String> {
        let lost = self.initial - self.free as isize;
        (lost != 0).then(|| format!("the model is wrong: {lost} permits were lost"))
    }
}

macro_rules! semaphore {
    ($type:ident, $name:literal, $most:expr, $one_more:expr) => {
        impl Subject for $type {
            const NAME: &'static str = $name;
            const VERBS: &'static [Verb] = &[
                Verb("acquire", 8, true),
                Verb("try", 2, false),
                Verb("wait", 2, true),
                Verb("one more", 1, false),
            ];
            type Guard<'a> = Permit<'a>;
            type Model = Permits;

            fn new(random: &Random) -> (Self, Permits) {
                let free = random.below(3) as usize;
                let most: fn(usize) -> usize = $most;
                ($type::new(free), Permits::new(free, most(free)))
            }

            fn act<'a>(&'a self, op: &Op, hand: &mut Hand<'a, Self>) -> Outcome {
                match (op.verb, own(op)) {
                    ("acquire", None) => hand.keep(Some(self.acquire())),
                    ("acquire", Some(limit)) => hand.keep(self.acquire_timeout(limit)),
                    ("try", _) => hand.keep(self.try_acquire()),
                    ("wait", None) => {
                        self.wait();
                        Outcome::Did
                    }
                    ("wait", Some(limit)) => match self.wait_timeout(limit) {
                        true => Outcome::Did,
                        false => Outcome::Nothing,
                    },
                    _ => {
                        let one_more: fn(&Self) -> bool = $one_more;
                        if one_more(self) { Outcome::Did } else { Outcome::Refused }
                    }
                }
            }
        }
    };
}

semaphore!(Semaphore, "semaphore", |_| usize::MAX, |semaphore| {
    semaphore.release();
    true
});

// One that releases what somebody else holds would make that one's guard panic.
semaphore!(BoundedSemaphore, "bounded semaphore", |free| free, |semaphore| {
    semaphore.available() == semaphore.bound() && semaphore.release().is_ok()
});

/// Acquiring waits for a permit, releasing for room. Whoever is served has what it wanted.
#[derive(Clone)]
pub(super) struct Capped {
    free: usize,
    limit: usize,
    acquirers: VecDeque<usize>,
    releasers: VecDeque<usize>,
}

impl Capped {
    fn take(&mut self, world: &mut World) -> bool {
        if self.free == 0 {
            return world.serve_first(&mut self.releasers).is_some();
        }
        if world.serve_first(&mut self.releasers).is_none() {
            self.free -= 1;
        }
        true
    }

    fn put(&mut self, world: &mut World) -> bool {
        if world.serve_first(&mut self.acquirers).is_some() {
            return true;
        }
        let has_room = self.free < self.limit;
        self.free += usize::from(has_room);
        has_room
    }
}

impl Model for Capped {
    fn ask(&mut self, who: usize, op: &Op, world: &mut World) -> Option<Outcome> {
        let takes = op.verb.ends_with("acquire");
        if if takes { self.take(world) } else { self.put(world) } {
            return Some(Outcome::Did);
        }
        if op.verb.starts_with("try") {
            return Some(Outcome::Nothing);
        }
        if takes {
            self.acquirers.push_back(who)
        } else {
            self.releasers.push_back(who)
        }
        None
    }

    fn left(&mut self, who: usize, _: &Op, why: Why, world: &mut World) -> Option<Outcome> {
        self.acquirers.retain(|other| *other != who);
        self.releasers.retain(|other| *other != who);
        world.gives_up(who, why)
    }
}

impl Subject for CappedSemaphore {
    const NAME: &'static str = "capped semaphore";
    const VERBS: &'static [Verb] = &[
        Verb("acquire", 4, true),
        Verb("give back", 4, true),
        Verb("try acquire", 1, false),
        Verb("try give back", 1, false),
    ];
    type Guard<'a> = ();
    type Model = Capped;

    fn new(random: &Random) -> (Self, Capped) {
        let limit = random.below(3) as usize;
        let free = random.below(limit as u64 + 1) as usize;
        let (acquirers, releasers) = (VecDeque::new(), VecDeque::new());
        (CappedSemaphore::new(free, limit), Capped { free, limit, acquirers, releasers })
    }

    fn act<'a>(&'a self, op: &Op, _: &mut Hand<'a, Self>) -> Outcome {
        let done = match (op.verb, own(op)) {
            ("try acquire", _) => self.try_acquire(),
            ("try give back", _) => self.try_release(),
            ("acquire", Some(limit)) => self.acquire_timeout(limit),
            ("give back", Some(limit)) => self.release_timeout(limit),
            ("acquire", None) => {
                self.acquire();
                true
            }
            _ => {
                self.release();
                true
            }
        };
        if done { Outcome::Did } else { Outcome::Nothing }
    }
}
