//! A program as data: what each greenlet does, out of a seed.

use crate::random::Random;

/// So many greenlets have a script, at most.
pub(super) const MOST_SCRIPTS: usize = 6;

/// The numbers of operations are below this, all scripts together.
pub(super) const NUMBERS: u64 = 34;

/// What can be done with a primitive: its name, how often it is chosen, and whether it takes a limit.
pub(super) struct Verb(pub(super) &'static str, pub(super) u64, pub(super) bool);

/// One thing that one greenlet does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Op {
    pub(super) verb: &'static str,
    /// What is put, who is killed, how long is slept: another one for each.
    pub(super) number: u64,
    pub(super) limit: Limit,
}

/// In milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    None,
    /// The operation's own.
    Own(u64),
    /// That of a `timeout` around it.
    Outer(u64),
}

impl Op {
    pub(super) const fn new(verb: &'static str, number: u64) -> Op {
        Op { verb, number, limit: Limit::None }
    }

    /// How long it may last.
    pub(super) fn limit_ms(&self) -> Option<u64> {
        match self.limit {
            Limit::None => None,
            Limit::Own(ms) | Limit::Outer(ms) => Some(ms),
        }
    }
}

/// What the greenlets do, each in its order.
#[derive(Clone)]
pub(super) struct Program {
    pub(super) seed: u64,
    pub(super) scripts: Vec<Vec<Op>>,
}

impl Program {
    /// Where operations have no limits of their own, those are around them, too.
    pub(super) fn new(seed: u64, verbs: &[Verb], own_limits: bool) -> Program {
        let random = Random::new(seed ^ 0x7ACE);
        let weight = verbs.iter().map(|Verb(_, weight, _)| weight).sum();
        let count = 2 + random.below(MOST_SCRIPTS as u64 - 1);
        let mut number = 0;
        let mut op = || {
            number += 1;
            assert!(number < NUMBERS);
            match random.below(16) {
                0 | 1 => Op::new("yield", 0),
                2 => Op::new("sleep", 1 + random.below(8)),
                3 => Op::new("kill", random.below(count)),
                4 => Op::new("throw", random.below(count)),
                5 => Op::new("release", 0),
                _ => match of_verb(&random, verbs, weight, number) {
                    Op { verb, limit: Limit::Own(ms), .. } if !own_limits => {
                        Op { verb, number, limit: Limit::Outer(1 + ms) }
                    }
                    op => op,
                },
            }
        };
        let scripts = (0..count).map(|who| (0..2 + (who * 3 + seed) % 7).map(|_| op()).collect());
        Program { seed, scripts: scripts.collect() }
    }

    /// The same with one step less, at each place.
    pub(super) fn smaller(&self) -> Vec<Program> {
        let mut programs = Vec::new();
        for who in 0..self.scripts.len() {
            for at in 0..self.scripts[who].len() {
                let mut less = self.clone();
                less.scripts[who].remove(at);
                programs.push(less);
            }
        }
        programs
    }
}

fn of_verb(random: &Random, verbs: &[Verb], weight: u64, number: u64) -> Op {
    let mut place = random.below(weight);
    for Verb(verb, weight, takes_limit) in verbs {
        if place >= *weight {
            place -= weight;
            continue;
        }
        let limit = match random.below(8) {
            0 | 1 if *takes_limit => Limit::Own(random.below(12)),
            2 if *takes_limit => Limit::Outer(1 + random.below(12)),
            _ => Limit::None,
        };
        return Op { verb, number, limit };
    }
    unreachable!("a number below the sum of the weights")
}
