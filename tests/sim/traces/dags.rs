//! Tasks that need one another's results: of those that are there, the first in the order given is taken.
//!
//! `DagPool` promises the results, and who waits for which keys, but not in which order those go on that
//! wait. Compared is the order nevertheless, with what it does: whenever a key ends, all look again, in
//! the order in which they began to wait.

use super::play::{Hand, Outcome, Stage, Subject, pause};
use super::pools::job;
use super::program::{MOST_SCRIPTS, Op, Verb};
use super::referee::{Model, Why, World};
use crate::random::Random;
use greenlet::GreenletExit;
use greenlet::pool::{Collision, DagPool, Failed, Inputs};
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::panic::resume_unwind;

const KEYS: u64 = 7;

fn key(number: u64) -> u64 {
    number % KEYS
}

/// What the task of an operation needs, and whose results it waits for: perhaps its own, or one twice.
fn needs(number: u64) -> Vec<u64> {
    let all = [number / KEYS + number, number * 3 + 1, number + 2];
    all.iter().take(number as usize % 4).map(|number| key(*number)).collect()
}

/// Does the task of an operation end without a result?
fn fails(number: u64) -> bool {
    number.is_multiple_of(5)
}

fn value(key: u64, value: u64) -> Outcome {
    Outcome::Got(key * 1000 + value)
}

fn failed(key: u64) -> Outcome {
    Outcome::Got(1_000_000 + key)
}

/// Keys in their order, as one number.
fn list(keys: impl IntoIterator<Item = u64>) -> Outcome {
    Outcome::Got(keys.into_iter().fold(0, |list, key| list * 10 + key + 1))
}

/// All results, as one number.
fn sum(results: impl IntoIterator<Item = (u64, u64)>) -> Outcome {
    Outcome::Got(results.into_iter().map(|(key, value)| (key + 1) * value).sum())
}

#[derive(Clone)]
enum Node {
    Running(Vec<u64>),
    Done(u64),
    Failed,
}

#[derive(Clone, Default)]
pub(super) struct Graph {
    nodes: BTreeMap<u64, Node>,
    /// The numbers of the tasks that have not ended.
    tasks: Vec<u64>,
    /// What each wants that takes one result after the other.
    wanted: BTreeMap<usize, Vec<u64>>,
    line: VecDeque<usize>,
    joiners: VecDeque<usize>,
}

impl Graph {
    fn result(&self, key: u64) -> Option<Outcome> {
        match self.nodes.get(&key)? {
            Node::Running(_) => None,
            Node::Done(of_it) => Some(value(key, *of_it)),
            Node::Failed => Some(failed(key)),
        }
    }

    fn results(&self) -> Outcome {
        let is_failed = |(_, node): &(&u64, &Node)| matches!(node, Node::Failed);
        if let Some((key, _)) = self.nodes.iter().find(is_failed) {
            return failed(*key);
        }
        sum(self.nodes.iter().filter_map(|(key, node)| match node {
            Node::Done(value) => Some((*key, *value)),
            _ => None,
        }))
    }

    fn end(&mut self, key: u64, node: Node, world: &mut World) {
        self.nodes.insert(key, node);
        world.serve_all(&mut self.line);
    }

    /// What `who` waits for, if it is there.
    fn look(&mut self, who: usize, op: &Op) -> Option<Outcome> {
        if op.verb == "get" {
            return self.result(key(op.number));
        }
        let wanted = self.wanted.entry(who).or_insert_with(|| needs(op.number)).clone();
        let result = match wanted.iter().position(|key| self.result(*key).is_some()) {
            None if wanted.is_empty() => Some(Outcome::Nothing),
            None => None,
            Some(at) => {
                self.wanted.get_mut(&who)?.remove(at);
                self.result(wanted[at])
            }
        };
        if result == Some(Outcome::Nothing) {
            self.wanted.remove(&who);
        }
        result
    }

    fn is_running(&self, key: u64) -> bool {
        matches!(self.nodes.get(&key), Some(Node::Running(_)))
    }
}

impl Model for Graph {
    fn ask(&mut self, who: usize, op: &Op, world: &mut World) -> Option<Outcome> {
        let key = key(op.number);
        match op.verb {
            "spawn" | "post" if self.nodes.contains_key(&key) => return Some(Outcome::Refused),
            "spawn" => {
                self.nodes.insert(key, Node::Running(needs(op.number)));
                self.tasks.push(op.number);
                self.wanted.insert(job(op), needs(op.number));
                world.begin(job(op));
            }
            "post" => self.end(key, Node::Done(op.number), world),
            "look" => return self.result(key).or(Some(Outcome::Nothing)),
            "running" => {
                return Some(list((0..KEYS).filter(|key| self.is_running(*key))));
            }
            "waiting for" => {
                let needs = match self.nodes.get(&key) {
                    Some(Node::Running(needs)) => needs.clone(),
                    _ => Vec::new(),
                };
                return Some(list(needs.into_iter().filter(|key| self.result(*key).is_none())));
            }
            "fail" => return Some(Outcome::Raised(0)),
            "release" => drop(self.wanted.remove(&who)),
            "join" if self.tasks.is_empty() => return Some(self.results()),
            "join" => {
                self.joiners.push_back(who);
                return None;
            }
            _ => {
                let result = self.look(who, op);
                if result.is_none() {
                    self.line.push_back(who);
                }
                return result;
            }
        }
        Some(Outcome::Did)
    }

    fn served(&mut self, who: usize, op: &Op, _: &mut World) -> Option<Outcome> {
        if op.verb == "join" {
            return Some(self.results());
        }
        let result = self.look(who, op);
        if result.is_none() {
            self.line.push_back(who); // it was another key
        }
        result
    }

    fn left(&mut self, who: usize, _: &Op, why: Why, world: &mut World) -> Option<Outcome> {
        self.line.retain(|other| *other != who);
        self.joiners.retain(|other| *other != who);
        world.gives_up(who, why)
    }

    fn ended(&mut self, who: usize, world: &mut World) {
        let Some(number) = who.checked_sub(MOST_SCRIPTS).map(|number| number as u64) else {
            return;
        };
        let node = if world.has_failed(who) { Node::Failed } else { Node::Done(number) };
        self.end(key(number), node, world);
        self.tasks.retain(|other| *other != number);
        if self.tasks.is_empty() {
            world.serve_all(&mut self.joiners);
        }
    }
}

/// The pool, and the numbers of all tasks that were spawned.
pub(super) struct Dag {
    pool: DagPool<u64, u64>,
    spawned: RefCell<Vec<u64>>,
}

fn next(inputs: &mut Inputs<u64, u64>) -> Outcome {
    match inputs.next() {
        None => Outcome::Nothing,
        Some(Ok((key, of_it))) => value(key, of_it),
        Some(Err(Failed(key))) => failed(key),
    }
}

impl Subject for Dag {
    const NAME: &'static str = "dag pool";
    const VERBS: &'static [Verb] = &[
        Verb("spawn", 10, false),
        Verb("post", 3, false),
        Verb("get", 5, true),
        Verb("each", 8, true),
        Verb("look", 1, false),
        Verb("running", 1, false),
        Verb("waiting for", 3, false),
        Verb("join", 1, true),
    ];
    const OWN_LIMITS: bool = false;
    type Guard<'a> = Inputs<u64, u64>;
    type Model = Graph;

    fn new(_: &Random) -> (Self, Graph) {
        (Dag { pool: DagPool::new(), spawned: RefCell::default() }, Graph::default())
    }

    fn close(&self, stage: &Stage<Self>) {
        let running = self.pool.running();
        let spawned = self.spawned.borrow();
        let left = spawned.iter().filter(|number| running.contains(&key(**number)));
        left.for_each(|number| stage.log_kill(job(&Op::new("", *number))));
        self.pool.kill();
    }

    fn act<'a>(&'a self, op: &Op, hand: &mut Hand<'a, Self>) -> Outcome {
        let (number, key) = (op.number, key(op.number));
        match op.verb {
            "post" => match self.pool.post(key, number) {
                Ok(()) => Outcome::Did,
                Err(Collision(_)) => Outcome::Refused,
            },
            "get" => match self.pool.get(&key) {
                Ok(of_it) => value(key, of_it),
                Err(Failed(key)) => failed(key),
            },
            "each" => {
                if hand.guards.is_empty() {
                    hand.guards.push(self.pool.wait_each(needs(number)));
                }
                let outcome = next(&mut hand.guards[0]);
                if outcome == Outcome::Nothing {
                    hand.guards.clear();
                }
                outcome
            }
            "look" => match self.pool.try_get(&key) {
                None => Outcome::Nothing,
                Some(Ok(of_it)) => value(key, of_it),
                Some(Err(Failed(key))) => failed(key),
            },
            "running" => list(self.pool.running()),
            "waiting for" => list(self.pool.waiting_for(&key)),
            "join" => match self.pool.join() {
                Ok(results) => sum(results),
                Err(Failed(key)) => failed(key),
            },
            _ => {
                let life = hand.stage.life_to_come(job(op));
                let is_there = life.is_there();
                let spawned = self.pool.spawn(key, needs(number), move |mut inputs| {
                    life.begins();
                    let input = Op::new("input", number);
                    while life.step(input, || next(&mut inputs)) != Outcome::Nothing {}
                    let nap = Op::new("sleep", 1 + number % 3);
                    life.step(nap, || pause(&nap));
                    if fails(number) {
                        life.step(Op::new("fail", 0), || resume_unwind(Box::new(GreenletExit)));
                    }
                    number
                });
                if spawned.is_err() {
                    return Outcome::Refused;
                }
                is_there.set(true);
                self.spawned.borrow_mut().push(number);
                Outcome::Did
            }
        }
    }
}
