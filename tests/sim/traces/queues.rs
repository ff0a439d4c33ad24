//! Queues: an item that was put goes to the getter that has waited longest, a place to the putter that
//! has; both keep what they were promised until they run, and nobody overtakes.

use super::play::{Hand, Outcome, Subject, own};
use super::program::{Op, Verb};
use super::referee::{Model, Why, World};
use crate::random::Random;
use greenlet::sync::queue::{Buffer, Counted, Fifo, GetError, Handover, Lifo, Lowest};
use greenlet::sync::queue::{PutError, QueueOf, Store};
use std::collections::VecDeque;

/// What comes out first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Oldest,
    Newest,
    Lowest,
}

/// One line of those who wait for a turn, and those who were given one and have not run.
#[derive(Clone, Default)]
struct Line {
    waiting: VecDeque<usize>,
    promised: Vec<usize>,
}

impl Line {
    fn promise(&mut self, world: &mut World) -> bool {
        let first = world.serve_first(&mut self.waiting);
        self.promised.extend(first);
        first.is_some()
    }

    fn promise_all(&mut self, world: &mut World) {
        while self.promise(world) {}
    }

    fn leaves(&mut self, who: usize) {
        self.waiting.retain(|other| *other != who);
        self.promised.retain(|other| *other != who);
    }
}

#[derive(Clone)]
pub(super) struct Items {
    order: Order,
    /// 0: each put waits until its item is taken.
    capacity: usize,
    /// With whoever waits until it is taken.
    items: Vec<(u64, Option<usize>)>,
    getters: Line,
    putters: Line,
    joiners: VecDeque<usize>,
    peekers: VecDeque<usize>,
    is_closed: bool,
    unfinished: usize,
}

impl Items {
    fn has_item(&self) -> bool {
        self.items.len() > self.getters.promised.len()
    }

    fn has_room(&self) -> bool {
        match self.capacity {
            0 => !self.getters.waiting.is_empty(),
            capacity => self.items.len() + self.putters.promised.len() < capacity,
        }
    }

    fn push(&mut self, item: u64, putter: Option<usize>, world: &mut World) {
        self.items.push((item, putter));
        self.unfinished += 1;
        self.offer_item(world);
    }

    fn offer_item(&mut self, world: &mut World) {
        if self.has_item() && !self.getters.promise(world) {
            world.serve_all(&mut self.peekers);
        }
    }

    fn offer_room(&mut self, world: &mut World) {
        if self.capacity > 0 && self.has_room() {
            self.putters.promise(world);
        }
    }

    fn place_of_first(&self) -> Option<usize> {
        let numbered = self.items.iter().map(|(item, _)| *item).enumerate();
        match self.order {
            Order::Oldest => (!self.items.is_empty()).then_some(0),
            Order::Newest => self.items.len().checked_sub(1),
            Order::Lowest => numbered.min_by_key(|(_, item)| *item).map(|(at, _)| at),
        }
    }

    fn take(&mut self, world: &mut World) -> Option<Outcome> {
        let (item, putter) = self.items.remove(self.place_of_first()?);
        match putter {
            // Those who hand over wait in the order of their items.
            Some(putter) => {
                self.putters.waiting.retain(|other| *other != putter);
                self.putters.promised.push(putter);
                world.serve(putter);
            }
            None => self.offer_room(world),
        }
        Some(Outcome::Got(item))
    }

    fn try_get(&mut self, world: &mut World) -> Outcome {
        match self.has_item() {
            true => self.take(world).unwrap_or(Outcome::Nothing),
            false if self.is_closed => Outcome::Refused,
            false => Outcome::Nothing,
        }
    }

    fn peek(&self) -> Outcome {
        let first = self.place_of_first().filter(|_| self.has_item());
        match first {
            Some(at) => Outcome::Got(self.items[at].0),
            None if self.is_closed => Outcome::Refused,
            None => Outcome::Nothing,
        }
    }

    /// The item of one that waits until it is taken, which is no longer to be had.
    fn withdraw(&mut self, who: usize) -> bool {
        let at = self.items.iter().position(|(_, putter)| *putter == Some(who));
        at.map(|at| self.items.remove(at)).is_some()
    }

    fn put_ends(&mut self, who: usize, item: u64, why: Option<Why>, world: &mut World) -> Outcome {
        self.putters.leaves(who);
        if self.capacity == 0 {
            let is_clear = why.is_none() && world.to_be_raised(who).is_none() && !self.is_closed;
            if is_clear || !self.withdraw(who) {
                return Outcome::Did; // taken; what is to be raised waits for the next wait
            }
        }
        if let Some(raised) = world.raise(who) {
            self.offer_room(world);
            return raised;
        }
        match why {
            Some(_) => Outcome::Nothing,
            None if self.is_closed => Outcome::Refused,
            None => {
                self.push(item, None, world);
                Outcome::Did
            }
        }
    }
}

impl Model for Items {
    fn ask(&mut self, who: usize, op: &Op, world: &mut World) -> Option<Outcome> {
        match op.verb {
            "put" | "try put" if self.is_closed => Some(Outcome::Refused),
            "put" if self.capacity == 0 => {
                // Nobody is promised what would be taken back at once.
                if let Some(raised) = world.raise(who) {
                    return Some(raised);
                }
                self.push(op.number, Some(who), world);
                self.putters.waiting.push_back(who);
                None
            }
            "put" if !self.has_room() => {
                self.putters.waiting.push_back(who);
                None
            }
            "try put" if !self.has_room() => Some(Outcome::Nothing),
            "put" | "try put" => {
                self.push(op.number, None, world);
                Some(Outcome::Did)
            }
            "get" => match self.try_get(world) {
                Outcome::Nothing => {
                    self.getters.waiting.push_back(who);
                    None
                }
                outcome => Some(outcome),
            },
            "try get" => Some(self.try_get(world)),
            "peek" => match self.peek() {
                Outcome::Nothing => {
                    self.peekers.push_back(who);
                    None
                }
                outcome => Some(outcome),
            },
            "close" => {
                if !self.is_closed {
                    self.is_closed = true;
                    self.getters.promise_all(world);
                    self.putters.promise_all(world);
                    world.serve_all(&mut self.peekers);
                }
                Some(Outcome::Did)
            }
            "resize" => {
                self.capacity = 1 + op.number as usize % 3;
                while self.has_room() && self.putters.promise(world) {}
                Some(Outcome::Did)
            }
            "done" => {
                self.unfinished -= 1;
                if self.unfinished == 0 {
                    world.serve_all(&mut self.joiners);
                }
                Some(Outcome::Did)
            }
            _ if self.unfinished == 0 => Some(Outcome::Did),
            _ => {
                self.joiners.push_back(who);
                None
            }
        }
    }

    fn served(&mut self, who: usize, op: &Op, world: &mut World) -> Option<Outcome> {
        match op.verb {
            "put" => Some(self.put_ends(who, op.number, None, world)),
            "get" => {
                self.getters.leaves(who);
                if let Some(raised) = world.raise(who) {
                    self.offer_item(world);
                    return Some(raised);
                }
                let ended = if self.is_closed { Some(Outcome::Refused) } else { None };
                let outcome = self.take(world).or(ended);
                if outcome.is_none() {
                    // It was promised an item that was taken back: first again.
                    self.getters.waiting.push_front(who);
                }
                outcome
            }
            "peek" => match self.peek() {
                Outcome::Nothing => {
                    self.peekers.push_back(who);
                    None
                }
                outcome => Some(outcome),
            },
            _ => Some(Outcome::Did),
        }
    }

    fn left(&mut self, who: usize, op: &Op, why: Why, world: &mut World) -> Option<Outcome> {
        self.joiners.retain(|other| *other != who);
        self.peekers.retain(|other| *other != who);
        match op.verb {
            "put" => Some(self.put_ends(who, op.number, Some(why), world)),
            "get" => {
                self.getters.leaves(who);
                let raised = world.raise(who);
                if raised.is_some() {
                    self.offer_item(world);
                }
                raised.or_else(|| world.gives_up(who, why))
            }
            _ => world.gives_up(who, why),
        }
    }
}

/// What there is beyond puts and gets.
pub(super) trait Kind: Store<Item = u64> + 'static {
    const NAME: &'static str;
    const ORDER: Order;
    const VERBS: &'static [Verb];
    fn make(random: &Random) -> (QueueOf<Self>, usize)
    where
        Self: Sized;
    fn more(queue: &QueueOf<Self>, op: &Op) -> Outcome
    where
        Self: Sized;
    fn may(_: &QueueOf<Self>, _: &Op) -> bool
    where
        Self: Sized,
    {
        true
    }
}

impl<S: Kind> Subject for QueueOf<S> {
    const NAME: &'static str = S::NAME;
    const VERBS: &'static [Verb] = S::VERBS;
    type Guard<'a> = ();
    type Model = Items;

    fn new(random: &Random) -> (Self, Items) {
        let (queue, capacity) = S::make(random);
        let model = Items {
            order: S::ORDER,
            capacity,
            items: Vec::new(),
            getters: Line::default(),
            putters: Line::default(),
            joiners: VecDeque::new(),
            peekers: VecDeque::new(),
            is_closed: false,
            unfinished: 0,
        };
        (queue, model)
    }

    fn may(&self, op: &Op, _: &Hand<'_, Self>) -> bool {
        S::may(self, op)
    }

    fn act<'a>(&'a self, op: &Op, _: &mut Hand<'a, Self>) -> Outcome {
        let put = |result| match result {
            Ok(()) => Outcome::Did,
            Err(PutError::Full(_)) => Outcome::Nothing,
            Err(PutError::Closed(_)) => Outcome::Refused,
        };
        let got = |result| match result {
            Ok(item) => Outcome::Got(item),
            Err(GetError::Empty) => Outcome::Nothing,
            Err(GetError::Closed) => Outcome::Refused,
        };
        match (op.verb, own(op)) {
            ("put", None) => self.put(op.number).map_or(Outcome::Refused, |()| Outcome::Did),
            ("put", Some(limit)) => put(self.put_timeout(op.number, limit)),
            ("try put", _) => put(self.try_put(op.number)),
            ("get", None) => self.get().map_or(Outcome::Refused, Outcome::Got),
            ("get", Some(limit)) => got(self.get_timeout(limit)),
            ("try get", _) => got(self.try_get()),
            ("peek", _) => self.peek().map_or(Outcome::Refused, Outcome::Got),
            ("close", _) => {
                self.close();
                Outcome::Did
            }
            _ => S::more(self, op),
        }
    }
}

const OF_BUFFERS: &[Verb] = &[
    Verb("put", 12, true),
    Verb("get", 12, true),
    Verb("try put", 2, false),
    Verb("try get", 2, false),
    Verb("peek", 2, false),
    Verb("close", 1, false),
    Verb("resize", 1, false),
];

fn resize<S: Buffer>(queue: &QueueOf<S>, op: &Op) -> Outcome {
    queue.resize(1 + op.number as usize % 3);
    Outcome::Did
}

macro_rules! kind {
    ($store:ty, $name:literal, $order:ident) => {
        impl Kind for $store {
            const NAME: &'static str = $name;
            const ORDER: Order = Order::$order;
            const VERBS: &'static [Verb] = OF_BUFFERS;
            fn make(random: &Random) -> (QueueOf<Self>, usize) {
                match random.below(4) as usize {
                    0 => (QueueOf::unbounded(), usize::MAX),
                    capacity => (QueueOf::bounded(capacity), capacity),
                }
            }
            fn more(queue: &QueueOf<Self>, op: &Op) -> Outcome {
                resize(queue, op)
            }
        }
    };
}

kind!(Fifo<u64>, "queue", Oldest);
kind!(Lifo<u64>, "lifo queue", Newest);
kind!(Lowest<u64>, "priority queue", Lowest);

impl Kind for Handover<u64> {
    const NAME: &'static str = "channel";
    const ORDER: Order = Order::Oldest;
    const VERBS: &'static [Verb] = &[
        Verb("put", 10, true),
        Verb("get", 10, true),
        Verb("try put", 2, false),
        Verb("try get", 2, false),
        Verb("close", 1, false),
    ];
    fn make(_: &Random) -> (QueueOf<Self>, usize) {
        (QueueOf::new(), 0)
    }
    fn more(_: &QueueOf<Self>, op: &Op) -> Outcome {
        unreachable!("{op:?}")
    }
}

impl Kind for Counted<Fifo<u64>> {
    const NAME: &'static str = "joinable queue";
    const ORDER: Order = Order::Oldest;
    const VERBS: &'static [Verb] = &[
        Verb("put", 5, true),
        Verb("get", 5, true),
        Verb("done", 5, false),
        Verb("join", 5, true),
        Verb("close", 1, false),
    ];
    fn make(random: &Random) -> (QueueOf<Self>, usize) {
        match random.below(3) as usize {
            0 => (QueueOf::unbounded(), usize::MAX),
            capacity => (QueueOf::bounded(capacity), capacity),
        }
    }
    fn may(queue: &QueueOf<Self>, op: &Op) -> bool {
        op.verb != "done" || queue.unfinished() > 0
    }
    fn more(queue: &QueueOf<Self>, op: &Op) -> Outcome {
        let is_done = match (op.verb, own(op)) {
            ("join", None) => {
                queue.join();
                true
            }
            ("join", Some(limit)) => queue.join_timeout(limit),
            _ => {
                queue.task_done();
                true
            }
        };
        if is_done { Outcome::Did } else { Outcome::Nothing }
    }
}
