//! Pools whose members lend their places: a member that spawns while all are taken waits until that has
//! ended; if it is interrupted meanwhile, it has no place any more, and what it spawned keeps that. Where
//! the place was lent in turn, the first lender waits on, and the place that is given back is that of the one
//! between again, if it has not ended.

use super::play::{Hand, Life, Outcome, Stage, Subject, pause, within};
use super::pools::{Turns, VERBS, act, job};
use super::program::{Limit, NUMBERS, Op, Verb};
use super::referee::{Model, Why, World};
use crate::random::Random;
use greenlet::TaskRef;
use greenlet::pool::GreenPool;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// By what right a member goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seat {
    Place,
    /// Somebody waits who has lent its own seat.
    Lent,
    /// It has lent its seat, and did not get it back.
    None,
}

/// Who is in the pool, and who waits for what.
#[derive(Clone)]
pub(super) struct Lenders {
    size: usize,
    members: BTreeMap<usize, Seat>,
    turns: Turns,
    loans: Vec<Loan>,
    /// Those who want the seat back that they have passed on, or a free one; and who has lent it to them.
    returning: VecDeque<(usize, usize)>,
    /// The lenders of seats that were passed on, by who has.
    passed_on: BTreeMap<usize, usize>,
    /// Those who wait until there is no member any more.
    joiners: VecDeque<usize>,
    /// Those who only want to see that there is a place.
    watchers: VecDeque<usize>,
}

/// A seat that is lent.
#[derive(Clone)]
struct Loan {
    lender: usize,
    /// For whom it was lent.
    borrower: usize,
    /// Who has it.
    user: usize,
}

impl Lenders {
    pub(super) fn new(size: usize) -> Lenders {
        let (members, turns, loans) = (BTreeMap::new(), Turns::default(), Vec::new());
        let (joiners, watchers, returning) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        let passed_on = BTreeMap::new();
        Lenders { size, members, turns, loans, returning, passed_on, joiners, watchers }
    }

    fn has_place(&self) -> bool {
        let taken = self.members.values().filter(|seat| **seat == Seat::Place).count();
        taken + self.turns.promised.len() < self.size
    }

    fn offer(&mut self, world: &mut World) {
        while self.has_place() {
            if !self.turns.promise(world) {
                return world.serve_all(&mut self.watchers);
            }
        }
    }

    /// Wakes those who want back what was lent by `lender`.
    fn return_to(&mut self, lender: usize, world: &mut World) {
        let returning = self.returning.iter().filter(|(_, other)| *other == lender);
        returning.for_each(|(who, _)| world.serve(*who));
    }

    /// Says whether it wanted a seat back.
    fn stops_returning(&mut self, who: usize) -> bool {
        let before = self.returning.len();
        self.returning.retain(|(other, _)| *other != who);
        let did = self.returning.len() < before;
        if did {
            self.watchers.retain(|other| *other != who);
        }
        did
    }

    fn begin(&mut self, job: usize, seat: Seat, world: &mut World) -> Outcome {
        self.members.insert(job, seat);
        world.begin(job);
        Outcome::Did
    }
}

impl Model for Lenders {
    fn ask(&mut self, who: usize, op: &Op, world: &mut World) -> Option<Outcome> {
        match op.verb {
            "spawn" | "try spawn" if self.has_place() => {
                return Some(self.begin(job(op), Seat::Place, world));
            }
            "try spawn" => return Some(Outcome::Nothing),
            "spawn" if self.members.get(&who).is_some_and(|seat| *seat != Seat::None) => {
                self.begin(job(op), Seat::Lent, world);
                self.loans.push(Loan { lender: who, borrower: job(op), user: job(op) });
                world.waits_for_good(who);
            }
            "spawn" if self.passed_on.contains_key(&who) => {
                self.returning.push_back((who, self.passed_on[&who]));
                self.watchers.push_back(who);
            }
            "spawn" => self.turns.waiting.push_back(who),
            "resize" => {
                self.size = op.number as usize % 4;
                self.offer(world);
                return Some(Outcome::Did);
            }
            "wait for a place" if self.has_place() => return Some(Outcome::Did),
            "wait for a place" => self.watchers.push_back(who),
            _ if self.members.is_empty() => return Some(Outcome::Did),
            _ => self.joiners.push_back(who),
        }
        None
    }

    fn served(&mut self, who: usize, op: &Op, world: &mut World) -> Option<Outcome> {
        if self.stops_returning(who) {
            return self.ask(who, op, world);
        }
        if !self.turns.promised.contains(&who) {
            return Some(Outcome::Did);
        }
        self.turns.leaves(who);
        let raised = world.raise(who);
        if raised.is_some() {
            self.offer(world);
        }
        raised.or_else(|| Some(self.begin(job(op), Seat::Place, world)))
    }

    fn left(&mut self, who: usize, op: &Op, why: Why, world: &mut World) -> Option<Outcome> {
        self.turns.leaves(who);
        self.joiners.retain(|other| *other != who);
        self.watchers.retain(|other| *other != who);
        self.stops_returning(who);
        let raised = if op.verb == "spawn" { world.raise(who) } else { None };
        let loan = self.loans.iter().position(|loan| loan.lender == who);
        match (raised, loan) {
            (Some(_), Some(at)) => {
                let user = self.loans.remove(at).user;
                if let Some(outer) = self.loans.iter_mut().find(|outer| outer.user == who) {
                    outer.user = user;
                    self.passed_on.insert(who, outer.lender);
                }
                let seat = self.members.insert(who, Seat::None);
                self.members.extend(seat.map(|seat| (user, seat)));
                self.passed_on.retain(|_, lender| *lender != who);
                self.return_to(who, world);
            }
            (Some(_), None) => self.offer(world),
            _ => {}
        }
        raised.or_else(|| world.gives_up(who, why))
    }

    fn ended(&mut self, who: usize, world: &mut World) {
        if self.members.remove(&who).is_none() {
            return;
        }
        self.offer(world);
        if self.members.is_empty() {
            world.serve_all(&mut self.joiners);
        }
        self.passed_on.remove(&who);
        let Some(at) = self.loans.iter().position(|loan| loan.user == who) else { return };
        let Loan { lender, borrower, .. } = self.loans[at];
        if self.passed_on.get(&borrower) == Some(&lender) {
            self.passed_on.remove(&borrower);
            self.members.insert(borrower, Seat::Lent);
            self.loans[at].user = borrower;
        } else {
            self.loans.remove(at);
            self.passed_on.retain(|_, other| *other != lender);
            world.serve(lender);
        }
        self.return_to(lender, world);
    }
}

/// What the job with this number spawns itself.
fn children(number: u64) -> Vec<Op> {
    let spawn = |generation| {
        let number = number + generation * NUMBERS;
        let limit = match number % 5 {
            0 => Limit::Own(number % 3),
            1 => Limit::Outer(1 + number % 8),
            _ => Limit::None,
        };
        Op { verb: "spawn", number, limit }
    };
    match (number % NUMBERS % 4, number / NUMBERS) {
        (0 | 2, 0) => vec![spawn(1)],
        (1, 0) | (0, 1) => vec![spawn(1), spawn(2)],
        _ => Vec::new(),
    }
}

fn spawn_or_wait(op: &Op, stage: &Rc<Stage<GreenPool>>) -> Outcome {
    let (same, number) = (stage.clone(), op.number);
    act(&stage.subject, op, stage, move |life| live(life, number, &same))
}

/// What a job does.
fn live(life: &Life, number: u64, stage: &Rc<Stage<GreenPool>>) {
    // Whoever spawned it may wait until it has ended, or not be there any more.
    let me = stage.subject.tasks().into_iter().find(TaskRef::is_current);
    stage.meet(job(&Op::new("", number)), me.expect("a member"));
    let nap = Op::new("yield", 0);
    life.step(nap, || pause(&nap));
    for child in children(number) {
        life.step(child, || within(&child, || spawn_or_wait(&child, stage)));
    }
    let nap = Op::new("sleep", 1 + number % 7);
    life.step(nap, || pause(&nap));
}

impl Subject for GreenPool {
    const NAME: &'static str = "green pool";
    const VERBS: &'static [Verb] = VERBS;
    type Guard<'a> = ();
    type Model = Lenders;

    fn new(random: &Random) -> (Self, Lenders) {
        let size = 1 + random.below(3) as usize;
        (GreenPool::new(size), Lenders::new(size))
    }

    fn act<'a>(&'a self, op: &Op, hand: &mut Hand<'a, Self>) -> Outcome {
        spawn_or_wait(op, hand.stage)
    }
}
