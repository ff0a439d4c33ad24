//! Items for all subscribers, and waiting for the first of several things.

use super::play::{Hand, Outcome, Subject, own};
use super::program::{Op, Verb};
use super::referee::{Model, Why, World};
use crate::random::Random;
use greenlet::sync::queue::{Broadcast, BroadcastError, Closed, Subscriber};
use greenlet::sync::{Event, wait};
use std::collections::VecDeque;

/// So many subscribers; greenlets share them.
const SUBSCRIBERS: usize = 3;

/// All items in order, and how far each subscriber is.
#[derive(Clone)]
pub(super) struct News {
    capacity: usize,
    items: Vec<u64>,
    next: [usize; SUBSCRIBERS],
    is_closed: bool,
    line: VecDeque<usize>,
}

impl News {
    fn get(&mut self, subscriber: usize) -> Option<Outcome> {
        let next = self.next[subscriber];
        // Kept as long as a subscriber wants it, and as there is room.
        let oldest = self.items.len().saturating_sub(self.capacity);
        if next < oldest {
            self.next[subscriber] = oldest;
            return Some(missed((oldest - next) as u64));
        }
        match self.items.get(next) {
            Some(item) => {
                self.next[subscriber] += 1;
                Some(Outcome::Got(*item))
            }
            None => self.is_closed.then_some(Outcome::Refused),
        }
    }
}

fn missed(count: u64) -> Outcome {
    Outcome::Got(1_000_000 + count)
}

impl Model for News {
    fn ask(&mut self, who: usize, op: &Op, world: &mut World) -> Option<Outcome> {
        match op.verb {
            "put" if self.is_closed => return Some(Outcome::Refused),
            "put" => self.items.push(op.number),
            "close" => self.is_closed = true,
            _ => {
                let outcome = self.get(who % SUBSCRIBERS);
                if op.verb == "try get" {
                    return outcome.or(Some(Outcome::Nothing));
                }
                if outcome.is_none() {
                    self.line.push_back(who);
                }
                return outcome;
            }
        }
        world.serve_all(&mut self.line);
        Some(Outcome::Did)
    }

    fn served(&mut self, who: usize, _: &Op, world: &mut World) -> Option<Outcome> {
        let outcome = world.raise(who).or_else(|| self.get(who % SUBSCRIBERS));
        if outcome.is_none() {
            self.line.push_back(who); // another one has got it
        }
        outcome
    }

    fn left(&mut self, who: usize, _: &Op, why: Why, world: &mut World) -> Option<Outcome> {
        self.line.retain(|other| *other != who);
        world.gives_up(who, why)
    }
}

pub(super) struct Radio {
    broadcast: Broadcast<u64>,
    subscribers: [Subscriber<u64>; SUBSCRIBERS],
}

impl Subject for Radio {
    const NAME: &'static str = "broadcast";
    const VERBS: &'static [Verb] = &[
        Verb("get", 12, true),
        Verb("try get", 2, false),
        Verb("put", 8, false),
        Verb("close", 1, false),
    ];
    type Guard<'a> = ();
    type Model = News;

    fn new(random: &Random) -> (Self, News) {
        let capacity = [1, 2, usize::MAX][random.below(3) as usize];
        let broadcast = Broadcast::bounded(capacity);
        let subscribers = std::array::from_fn(|_| broadcast.subscribe());
        let (next, line) = ([0; SUBSCRIBERS], VecDeque::new());
        let model = News { capacity, items: Vec::new(), next, is_closed: false, line };
        (Radio { broadcast, subscribers }, model)
    }

    fn act<'a>(&'a self, op: &Op, hand: &mut Hand<'a, Self>) -> Outcome {
        let subscriber = &self.subscribers[hand.who % SUBSCRIBERS];
        let item = match (op.verb, own(op)) {
            ("put", _) => match self.broadcast.put(op.number) {
                Ok(()) => return Outcome::Did,
                Err(Closed(_)) => return Outcome::Refused,
            },
            ("close", _) => {
                self.broadcast.close();
                return Outcome::Did;
            }
            ("try get", _) => subscriber.try_get(),
            (_, None) => subscriber.get(),
            (_, Some(limit)) => subscriber.get_timeout(limit),
        };
        match item {
            Ok(item) => Outcome::Got(item),
            Err(BroadcastError::Lagged(count)) => missed(count),
            Err(BroadcastError::Empty) => Outcome::Nothing,
            Err(BroadcastError::Closed) => Outcome::Refused,
        }
    }
}

/// So many events to wait for at once.
const EVENTS: usize = 3;

/// The first that becomes ready is told, and of those that are ready already the first in order.
#[derive(Clone, Default)]
pub(super) struct Several {
    is_set: [bool; EVENTS],
    line: VecDeque<usize>,
    /// What those were told who were served.
    told: Vec<(usize, u64)>,
}

impl Model for Several {
    fn ask(&mut self, who: usize, op: &Op, world: &mut World) -> Option<Outcome> {
        let which = op.number as usize % EVENTS;
        match op.verb {
            "set" => {
                self.is_set[which] = true;
                self.told.extend(self.line.iter().map(|who| (*who, which as u64)));
                world.serve_all(&mut self.line);
            }
            "clear" => self.is_set[which] = false,
            _ => {
                if let Some(which) = self.is_set.iter().position(|is_set| *is_set) {
                    return Some(Outcome::Got(which as u64));
                }
                self.line.push_back(who);
                return None;
            }
        }
        Some(Outcome::Did)
    }

    fn served(&mut self, who: usize, _: &Op, _: &mut World) -> Option<Outcome> {
        let at = self.told.iter().position(|(other, _)| *other == who)?;
        Some(Outcome::Got(self.told.swap_remove(at).1))
    }

    fn left(&mut self, who: usize, _: &Op, why: Why, world: &mut World) -> Option<Outcome> {
        self.line.retain(|other| *other != who);
        world.gives_up(who, why)
    }
}

impl Subject for [Event; EVENTS] {
    const NAME: &'static str = "the first of several";
    const VERBS: &'static [Verb] =
        &[Verb("wait", 8, true), Verb("set", 3, false), Verb("clear", 3, false)];
    type Guard<'a> = ();
    type Model = Several;

    fn new(_: &Random) -> (Self, Several) {
        (Default::default(), Several::default())
    }

    fn act<'a>(&'a self, op: &Op, _: &mut Hand<'a, Self>) -> Outcome {
        let event = &self[op.number as usize % EVENTS];
        match op.verb {
            "set" => event.set(),
            "clear" => event.clear(),
            _ => {
                let [first, second, third] = self;
                let things: [&dyn greenlet::Waitable; EVENTS] = [first, second, third];
                let first = match own(op) {
                    None => wait(&things).first(),
                    Some(limit) => wait(&things).timeout(limit).first(),
                };
                return first.map_or(Outcome::Nothing, |which| Outcome::Got(which as u64));
            }
        }
        Outcome::Did
    }
}
