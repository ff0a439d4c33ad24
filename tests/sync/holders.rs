//! Those who hold something, at random: who is let in, and in which order.
#![expect(unsafe_code, reason = "guards beside what they guard")]

use crate::random::{Random, seeds};
use greenlet::{JoinHandle, sleep, spawn, yield_now};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::{HashSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

/// A guard, and what it guards.
pub(crate) struct Held<T: 'static, G> {
    guard: G, // dropped first
    _owner: Rc<T>,
}

impl<T, G: 'static> Held<T, Option<G>> {
    /// Itself, if it is any.
    pub(crate) fn some(self) -> Option<Box<dyn Any>> {
        if self.guard.is_some() { Some(Box::new(self)) } else { None }
    }
}

/// Holds what `take` takes of `owner`.
pub(crate) fn hold<T, G>(owner: &Rc<T>, take: impl FnOnce(&'static T) -> G) -> Held<T, G> {
    // SAFETY: the guard is dropped before its owner.
    Held { guard: take(unsafe { &*Rc::as_ptr(owner) }), _owner: owner.clone() }
}

/// Something held, that the first call of what it becomes lets go.
pub(crate) fn let_go(held: impl Any) -> Rc<dyn Fn()> {
    let held = Cell::new(Some(held));
    Rc::new(move || drop(held.take()))
}

/// How somebody enters: `None` tries, else it waits for at most so long.
pub(crate) type Limit = Option<Option<Duration>>;

/// Enters in one way, if it is let in.
pub(crate) type Enter = Box<dyn Fn(usize, Limit) -> Option<Box<dyn Any>>>;

/// What can be held in several ways.
pub(crate) struct Holding {
    /// Enters in one way (below `kinds`); `None` if it is refused.
    pub(crate) enter: Enter,
    pub(crate) kinds: usize,
    /// Is there never more than one inside?
    pub(crate) one_at_a_time: bool,
    /// May so many of each kind be inside?
    pub(crate) allowed: fn(&[usize]) -> bool,
    /// Is it as it was at the beginning?
    pub(crate) is_free: Box<dyn Fn() -> bool>,
}

#[derive(Default)]
struct Model {
    inside: RefCell<Vec<usize>>,
    waiting: RefCell<VecDeque<Waiting>>,
    next: Cell<u64>,
    entered: Cell<u64>,
    steps: Cell<u64>,
    killed: RefCell<HashSet<usize>>,
}

/// A wait: its number, its task, and whether a time limit may end it.
type Waiting = (u64, usize, bool);

/// Takes its ticket back when its wait has ended in another way.
struct Ticket(Rc<Model>, u64);

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.waiting.borrow_mut().retain(|waiting| waiting.0 != self.1);
    }
}

/// One inside.
struct Inside(Rc<Model>, usize);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.inside.borrow_mut()[self.1] -= 1;
    }
}

/// Tasks that enter, wait inside and leave, some of which are killed or time out: those inside are
/// always allowed to be there together, and whoever waited was let in in order.
pub(crate) fn at_random(make: fn() -> Holding) {
    seeds(60, |seed| {
        let random = Rc::new(Random::new(seed));
        let holding = Rc::new(make());
        let model = Rc::new(Model::default());
        model.inside.borrow_mut().resize(holding.kinds, 0);
        let mut tasks: Vec<JoinHandle<()>> = Vec::new();
        for index in 0..40 {
            let (kill, random_below) = (random.one_in(4), random.clone());
            let (random, holding, model) = (random.clone(), holding.clone(), model.clone());
            let killed = model.clone();
            tasks.push(spawn(move || visit_often(index, &random, &holding, &model)));
            if random_below.one_in(2) {
                yield_now();
            }
            if kill {
                let victim = random_below.below(tasks.len() as u64) as usize;
                killed.killed.borrow_mut().insert(victim);
                tasks[victim].kill_soon();
            }
        }
        for task in &tasks {
            assert!(task.wait_timeout(Duration::from_secs(60)), "one waits for ever");
            let failed = task.state() == greenlet::TaskState::Failed;
            assert!(!failed, "a check in a task");
        }
        assert!((holding.is_free)(), "something is lost");
        assert!(model.entered.get() > 0);
    });
}

fn visit_often(task: usize, random: &Random, holding: &Holding, model: &Rc<Model>) {
    for _ in 0..3 {
        let kind = random.below(holding.kinds as u64) as usize;
        let how = match random.below(4) {
            0 => None,
            1 => Some(Some(Duration::from_micros(random.below(500)))),
            _ => Some(None),
        };
        let ticket = Ticket(model.clone(), model.next.get());
        if how.is_some() {
            model.next.set(ticket.1 + 1);
            model.waiting.borrow_mut().push_back((ticket.1, task, how != Some(None)));
        }
        let step = model.steps.get() + 1;
        model.steps.set(step);
        let entered = (holding.enter)(kind, how);
        let has_parked = model.steps.replace(model.steps.get() + 1) != step;
        let Some(guard) = entered else {
            drop(ticket);
            yield_now();
            continue;
        };
        if how.is_some() {
            if has_parked || holding.one_at_a_time {
                assert_turn(model, ticket.1, holding.one_at_a_time);
            }
            drop(ticket);
        } else {
            std::mem::forget(ticket);
        }
        model.inside.borrow_mut()[kind] += 1;
        let inside = Inside(model.clone(), kind);
        model.entered.set(model.entered.get() + 1);
        for _ in 0..random.below(4) {
            let now = model.inside.borrow().clone();
            assert!((holding.allowed)(&now), "{now:?} inside");
            if random.one_in(8) {
                sleep(Duration::from_micros(random.below(300)));
            } else {
                yield_now();
            }
        }
        drop(inside);
        drop(guard);
    }
}

/// Nobody who was to be served before the wait with this number waits still.
///
/// Where several may be inside, one that a time limit or a kill has woken may run before another one
/// that was served before it.
fn assert_turn(model: &Model, number: u64, one_at_a_time: bool) {
    let (waiting, killed) = (model.waiting.borrow(), model.killed.borrow());
    let counts = |waiting: &&Waiting| {
        one_at_a_time || !(waiting.2 || killed.contains(&waiting.1)) || waiting.0 == number
    };
    let own = waiting.iter().find(|waiting| waiting.0 == number).unwrap();
    let was_woken_early = !one_at_a_time && (own.2 || killed.contains(&own.1));
    let first = waiting.iter().find(counts).unwrap();
    assert!(was_woken_early || first.0 == number, "it was another one's turn: {waiting:?}");
}
