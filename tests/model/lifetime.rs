//! The model's tree: transfers, deaths, references, kills by drop.
//!
//! A greenlet's references are its handles (slots, and the frames of those who wait in a transfer to it) and
//! one for being current. In Python each child's parent link counts too. When the count reaches 0, a suspended
//! greenlet is killed by whoever dropped the last one: that covers the orphan that is killed on arrival,
//! because the arrival releases the reference that the sender had for being current.

use crate::interpreter::{Dialect, Frame, Machine, Signal};
use crate::program::{Error, Event, Id, Slot, Value, Waits};

/// At this many refused transfers a victim's stack is leaked and its killer goes on.
const REFUSALS: u32 = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Not created yet.
    Absent,
    Unstarted,
    /// Started and not dead.
    Live,
    Dead,
    /// Dead for everybody else, but its frames stay for ever (Rust, after too many refusals).
    Leaked,
}

#[derive(Debug)]
pub(crate) struct Node<'p> {
    pub(crate) state: State,
    pub(crate) parent: Option<Id>,
    pub(crate) refs: usize,
    pub(crate) frames: Vec<Frame<'p>>,
    refusals: u32,
}

/// A kill in the Rust dialect: everybody else waits until the victim is dead.
#[derive(Debug)]
pub(crate) struct Kill {
    victim: Id,
    killer: Id,
}

impl Node<'_> {
    pub(crate) fn absent() -> Self {
        Node { state: State::Absent, parent: None, refs: 0, frames: Vec::new(), refusals: 0 }
    }
}

impl From<Result<Value, Error>> for Signal {
    fn from(outcome: Result<Value, Error>) -> Signal {
        match outcome {
            Ok(value) => Signal::Value(value),
            Err(error) => Signal::Raise(error),
        }
    }
}

impl<'p> Machine<'p> {
    /// A new greenlet with the one reference that its creator puts into a slot.
    pub(crate) fn create(&mut self, id: Id, parent: Id) {
        let node = &mut self.nodes[id];
        (node.state, node.parent, node.refs) = (State::Unstarted, Some(parent), 1);
        self.count_edge(parent);
    }

    /// Only Python's parent links are references.
    fn count_edge(&mut self, parent: Id) {
        if self.dialect == Dialect::Python {
            self.nodes[parent].refs += 1;
        }
    }

    // Transfers.

    pub(crate) fn transfer_from_script(
        &mut self,
        target: Id,
        holds: Option<Id>,
        outcome: Result<Value, Error>,
    ) {
        if let Some(held) = holds {
            self.nodes[held].refs += 1;
        }
        self.push(Frame::Wait { holds });
        if self.kills.is_empty() {
            self.transfer(target, outcome);
        } else {
            self.refuse();
        }
    }

    /// Hands `outcome` to the nearest live greenlet from `target` upwards, which may be the current one.
    fn transfer(&mut self, mut target: Id, mut outcome: Result<Value, Error>) {
        loop {
            match self.nodes[target].state {
                State::Live if target == self.current => {
                    self.signal = outcome.into();
                    return;
                }
                State::Live => return self.enter(target, outcome),
                // Python starts it with the error pending, so it dies in its own context.
                State::Unstarted
                    if self.dialect == Dialect::Python || self.starts(target, outcome) =>
                {
                    let node = &mut self.nodes[target];
                    node.state = State::Live;
                    node.frames = vec![Frame::Death, Frame::Start];
                    return self.enter(target, outcome);
                }
                State::Unstarted => self.nodes[target].state = State::Dead,
                State::Dead | State::Leaked => {}
                State::Absent => unreachable!("no handle names it"),
            }
            // An exit is raised in the greenlet it was thrown at or in none.
            if outcome == Err(Error::Exit) {
                outcome = Ok(Value::Exit);
            }
            target = self.nodes[target].parent.expect("the root is live");
        }
    }

    /// Does this outcome start an unstarted greenlet of the crate?
    fn starts(&self, target: Id, outcome: Result<Value, Error>) -> bool {
        match outcome {
            Ok(Value::Int(_)) => true,
            Ok(Value::Exit) => self.script(target).waits == Waits::Any,
            Err(_) => false,
        }
    }

    /// Makes `target` current. It releases the sender before it takes the outcome.
    fn enter(&mut self, target: Id, outcome: Result<Value, Error>) {
        let origin = std::mem::replace(&mut self.current, target);
        self.nodes[target].refs += 1;
        self.push(Frame::Resume(outcome.into()));
        self.push(Frame::Release(origin));
    }

    /// The current greenlet is over.
    pub(crate) fn die(&mut self, signal: Signal) {
        let outcome = match signal {
            Signal::Next => Ok(Value::Int(0)),
            Signal::Return(value) => Ok(Value::Int(value)),
            Signal::Raise(Error::Exit) => Ok(Value::Exit),
            Signal::Raise(error) => Err(error),
            Signal::Value(_) | Signal::Refused => unreachable!("taken by the frame that waits"),
        };
        let node = &mut self.nodes[self.current];
        node.state = State::Dead;
        let parent = node.parent.expect("the root does not die");
        if self.kills.last().is_some_and(|kill| kill.victim == self.current) {
            self.back_to_killer(); // whatever the outcome is: an error goes to the report
        } else {
            self.transfer(parent, outcome);
        }
    }

    // References.

    pub(crate) fn release(&mut self, id: Id) {
        let node = &mut self.nodes[id];
        node.refs -= 1;
        if node.refs > 0 {
            return;
        }
        match (self.dialect, node.state) {
            (Dialect::Rust, State::Live) => self.kill(id),
            (Dialect::Rust, State::Unstarted) => node.state = State::Dead,
            (Dialect::Rust, _) => {}
            (Dialect::Python, State::Live) => self.kill_as_transfer(id),
            (Dialect::Python, _) => self.free(id),
        }
    }

    /// Python: the object goes, and with it its reference to the parent.
    fn free(&mut self, id: Id) {
        let node = &mut self.nodes[id];
        node.state = State::Dead;
        let parent = node.parent.expect("the root is never freed");
        self.push(Frame::Release(parent));
    }

    pub(crate) fn set_parent(&mut self, of: Slot, to: Slot) {
        let me = self.current;
        let (Some(id), Some(parent)) = (self.slots[of], self.slots[to]) else {
            let empty = if self.slots[of].is_none() { of } else { to };
            return self.log.push(Event::Empty(me, empty));
        };
        let Some(old) = self.nodes[id].parent else {
            return self.log.push(Event::RootHasNoParent(me));
        };
        if self.descends(parent, id) {
            return self.log.push(Event::Cycle(me));
        }
        self.nodes[id].parent = Some(parent);
        self.push(Frame::Note(Event::Reparented(me)));
        if self.dialect == Dialect::Python {
            self.count_edge(parent);
            // The statement holds both operands while the old parent goes.
            for operand in [id, parent] {
                self.nodes[operand].refs += 1;
                self.push(Frame::Release(operand));
            }
            self.push(Frame::Release(old));
        }
    }

    /// Is `ancestor` the greenlet `id` or above it?
    fn descends(&self, id: Id, ancestor: Id) -> bool {
        // Bounded, because the chain that is asked about may be the broken one.
        let chain = std::iter::successors(Some(id), |&id| self.nodes[id].parent);
        chain.take(self.nodes.len() + 1).any(|id| id == ancestor)
    }

    // Kills, by the crate's rule: everything but further kills is refused until the victim is dead.

    fn kill(&mut self, victim: Id) {
        self.push(Frame::Killing { victim, parent: None });
        self.kills.push(Kill { victim, killer: self.current });
        // The killer keeps its reference for being current: it counts as running.
        self.nodes[victim].refs += 1;
        self.current = victim;
        self.push(Frame::Resume(Signal::Raise(Error::Exit)));
    }

    fn back_to_killer(&mut self) {
        let kill = self.kills.pop().expect("a kill is running");
        self.nodes[kill.victim].refs -= 1;
        self.current = kill.killer;
    }

    fn refuse(&mut self) {
        let victim = &mut self.nodes[self.current];
        victim.refusals += 1;
        if victim.refusals < REFUSALS {
            self.signal = Signal::Refused;
        } else if self.unwinding > 0 {
            self.unfit = Some("a body that swallows its kill while the thread unwinds: abort");
        } else {
            victim.state = State::Leaked;
            self.back_to_killer();
        }
    }

    /// `greenlet::run` is over: what is left is killed, handles or not.
    pub(crate) fn unwind(&mut self, id: Id) {
        match self.nodes[id].state {
            State::Live => self.kill(id),
            State::Unstarted => self.nodes[id].state = State::Dead,
            State::Absent | State::Dead | State::Leaked => {}
        }
    }

    // Kills, by Python's rule: an ordinary throw of an exit, for which the killer is the parent.

    fn kill_as_transfer(&mut self, victim: Id) {
        let killer = self.current;
        self.nodes[killer].refs += 1; // by the parent link; the true parent stays counted
        let node = &mut self.nodes[victim];
        node.refs = 1; // the object is held while it is being killed
        let parent = node.parent.replace(killer);
        self.push(Frame::Killing { victim, parent });
        self.enter(victim, Err(Error::Exit));
    }

    /// Control is back at the killer, through the victim's death or not.
    pub(crate) fn killed(&mut self, victim: Id, parent: Option<Id>, signal: Signal) {
        if self.dialect == Dialect::Rust {
            return;
        }
        if let Signal::Raise(error) = signal {
            self.log.push(Event::Unraisable(error));
        }
        let parent = parent.expect("the root is never killed");
        if self.descends(parent, victim) {
            self.unfit = Some("restoring the parent of a killed greenlet makes a cycle");
        }
        let lent = self.nodes[victim].parent.replace(parent).expect("lent by the killer");
        self.push(Frame::KillDone(victim));
        self.push(Frame::Release(lent));
    }

    /// Lets go of a killed object, unless somebody has found a way to hold it.
    pub(crate) fn bury(&mut self, victim: Id) {
        let node = &mut self.nodes[victim];
        if node.refs == 1 && node.state == State::Live {
            self.log.push(Event::DidNotKill);
            return; // the reference is leaked
        }
        node.refs -= 1;
        if node.refs == 0 {
            self.free(victim);
        }
    }
}
