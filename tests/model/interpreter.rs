//! The model: a plain heap interpreter of programs.
//!
//! No real stacks: each greenlet is a list of frames, a transfer moves `current`, and an outcome on its way
//! through the frames of one greenlet is the `signal`. This file runs scripts; `lifetime.rs` has what the
//! tree does with greenlets (transfers, deaths, references, kills), where the two dialects differ.

use crate::lifetime::{Kill, Node, State};
use crate::program::{Block, Born, Error, Event, Id, Program, Script, Slot, Step, Value};

/// Whose rules the model follows. They differ exactly in what `differences::DIFFERENCES` lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// The crate's.
    Rust,
    /// CPython's `greenlet`.
    Python,
}

/// How a run of the model ended.
#[derive(Debug)]
pub(crate) enum Ran<'p> {
    Done(Vec<Event>),
    /// It ran off the end of this open block.
    Open(&'p Block),
    /// The dialect's own implementation must not be given this program; the reason.
    Unfit(&'static str),
}

/// Runs `program` by the rules of `dialect`.
pub(crate) fn interpret(program: &Program, dialect: Dialect) -> Ran<'_> {
    Machine::new(program, dialect).run()
}

/// What travels through the frames of the running greenlet.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signal {
    /// Nothing: the top frame goes on.
    Next,
    /// The result of a transfer, for the frame that waits for it.
    Value(Value),
    /// As `Value`, of a transfer that did not happen.
    Refused,
    Return(i64),
    Raise(Error),
}

/// One entry of a greenlet's stack. Frames under a signal other than `Next` are popped until one takes it.
#[derive(Debug)]
pub(crate) enum Frame<'p> {
    /// The next step of a block.
    Block {
        block: &'p Block,
        at: usize,
    },
    Guard {
        name: i64,
        drops: Option<Slot>,
    },
    /// A local variable with a handle.
    Hold(Id),
    /// What was dropped by an unwinding has done its work.
    EndUnwind,
    /// Around the body of a `try`.
    Try {
        catch: Option<&'p Block>,
        finally: Option<&'p Block>,
    },
    /// Around a `catch` block: only `finally` is left.
    Finally(&'p Block),
    /// Around a `finally` block, with what it interrupted.
    Cleanup(Signal),
    /// Suspended in a transfer; the frame owns a handle of the target until the transfer is over.
    Wait {
        holds: Option<Id>,
    },
    /// Logs the result of a transfer.
    Got,
    /// Puts a signal back that had to wait for the frames above.
    Resume(Signal),
    Release(Id),
    Note(Event),
    /// First frame of an unstarted greenlet, which waits for its argument.
    Start,
    /// Around a script.
    Body,
    /// Last frame of a greenlet but the root.
    Death,
    /// Waits for the death of a greenlet whose last handle was dropped; in Python with its true parent.
    Killing {
        victim: Id,
        parent: Option<Id>,
    },
    KillDone(Id),
    /// The root after its script: look at all slots.
    Finish,
    /// Then empty them from this one on, and over again while dying greenlets fill them.
    Empty(Slot),
    /// The root after `End`: unwind what is left.
    Unwind(Id),
}

pub(crate) struct Machine<'p> {
    pub(crate) program: &'p Program,
    pub(crate) dialect: Dialect,
    pub(crate) nodes: Vec<Node<'p>>,
    pub(crate) slots: Vec<Option<Id>>,
    pub(crate) current: Id,
    pub(crate) signal: Signal,
    /// The running kills, innermost last (Rust only: Python's are ordinary transfers).
    pub(crate) kills: Vec<Kill>,
    /// Guards that are being dropped by an unwinding, on all stacks: `thread::panicking()`.
    pub(crate) unwinding: usize,
    pub(crate) unfit: Option<&'static str>,
    pub(crate) log: Vec<Event>,
}

impl<'p> Machine<'p> {
    fn new(program: &'p Program, dialect: Dialect) -> Machine<'p> {
        let mut slots = vec![None; program.slots()];
        slots[0] = Some(0);
        let mut machine = Machine {
            program,
            dialect,
            nodes: program.scripts.iter().map(|_| Node::absent()).collect(),
            slots,
            current: 0,
            signal: Signal::Next,
            kills: Vec::new(),
            unwinding: 0,
            unfit: None,
            log: Vec::new(),
        };
        let root = &mut machine.nodes[0];
        root.state = State::Live;
        root.refs = 3; // current, slot 0, and the thread's own: it never reaches 0
        let block = &program.scripts[0].body;
        root.frames = vec![Frame::Finish, Frame::Body, Frame::Block { block, at: 0 }];
        for (id, script) in program.scripts.iter().enumerate().skip(1) {
            if let Born::AtStart { parent } = script.born {
                machine.create(id, parent);
                machine.slots[id] = Some(id);
            }
        }
        machine
    }

    fn run(mut self) -> Ran<'p> {
        while let Some(frame) = self.nodes[self.current].frames.pop() {
            if let Err(open) = self.step(frame) {
                return Ran::Open(open);
            }
            if let Some(why) = self.unfit {
                return Ran::Unfit(why);
            }
        }
        assert_eq!(self.current, 0, "only the root runs out of frames");
        Ran::Done(self.log)
    }

    pub(crate) fn push(&mut self, frame: Frame<'p>) {
        self.nodes[self.current].frames.push(frame);
    }

    /// Runs one frame. The error is an open block's end.
    fn step(&mut self, frame: Frame<'p>) -> Result<(), &'p Block> {
        let me = self.current;
        let signal = std::mem::replace(&mut self.signal, Signal::Next);
        match (frame, signal) {
            (Frame::Block { block, at }, Signal::Next) => match block.steps.get(at) {
                Some(step) => {
                    self.push(Frame::Block { block, at: at + 1 });
                    self.exec(step);
                }
                None if block.open => return Err(block),
                None => {}
            },
            (Frame::Guard { name, drops }, signal) => {
                self.log.push(Event::Guard(me, name));
                let dropped = drops.and_then(|slot| self.slots[slot].take());
                self.drop_local(dropped, signal);
            }
            (Frame::Hold(id), signal) => self.drop_local(Some(id), signal),
            (Frame::EndUnwind, Signal::Next) => self.unwinding -= 1,
            (Frame::Try { catch: Some(catch), finally }, Signal::Raise(error)) => {
                self.log.push(Event::Caught(me, error));
                if let Some(finally) = finally {
                    self.push(Frame::Finally(finally));
                }
                self.push(Frame::Block { block: catch, at: 0 });
            }
            (Frame::Try { finally: Some(finally), .. } | Frame::Finally(finally), signal) => {
                self.log.push(Event::Cleanup(me));
                self.push(Frame::Cleanup(signal));
                self.push(Frame::Block { block: finally, at: 0 });
            }
            (Frame::Cleanup(pending), Signal::Next) => self.signal = pending,
            (
                Frame::Wait { holds },
                signal @ (Signal::Value(_) | Signal::Refused | Signal::Raise(_)),
            ) => {
                self.push(Frame::Got);
                self.push(Frame::Resume(signal));
                if let Some(target) = holds {
                    self.push(Frame::Release(target));
                }
            }
            (Frame::Got, Signal::Value(value)) => self.log.push(Event::Got(me, value)),
            (Frame::Got, Signal::Refused) => self.log.push(Event::Refused(me)),
            (Frame::Resume(pending), Signal::Next) => self.signal = pending,
            (Frame::Release(id), Signal::Next) => self.release(id),
            (Frame::Note(event), Signal::Next) => self.log.push(event),
            (Frame::Start, Signal::Value(value)) => {
                self.log.push(Event::Started(me, value));
                self.push(Frame::Body);
                self.push(Frame::Block { block: &self.script(me).body, at: 0 });
            }
            (Frame::Body, signal) => {
                self.log.push(match signal {
                    Signal::Raise(error) => Event::Raised(me, error),
                    Signal::Return(value) => Event::Returned(me, value),
                    _ => Event::Returned(me, 0),
                });
                self.signal = signal;
            }
            (Frame::Death, signal) => self.die(signal),
            (Frame::Killing { victim, parent }, signal) => self.killed(victim, parent, signal),
            (Frame::KillDone(victim), Signal::Next) => self.bury(victim),
            (Frame::Finish, _) => self.finish(),
            (Frame::Empty(slot), _) => self.empty(slot),
            (Frame::Unwind(id), Signal::Next) => self.unwind(id),
            // What no frame above takes goes on to the next one.
            (_, signal) => self.signal = signal,
        }
        Ok(())
    }

    fn exec(&mut self, step: &'p Step) {
        let me = self.current;
        match *step {
            Step::Switch { to, value } => self.transfer_to_slot(to, Ok(Value::Int(value))),
            Step::Throw { to, error } => self.transfer_to_slot(to, Err(Error::Number(error))),
            Step::ThrowExit { to } => self.transfer_to_slot(to, Err(Error::Exit)),
            Step::Suspend { value } => {
                let parent = self.nodes[me].parent.expect("the root never suspends");
                // Python's `getcurrent().parent.switch(v)` holds the parent meanwhile.
                let holds = (self.dialect == Dialect::Python).then_some(parent);
                self.transfer_from_script(parent, holds, Ok(Value::Int(value)));
            }
            Step::SetParent { of, to } => self.set_parent(of, to),
            Step::Return(value) => self.signal = Signal::Return(value),
            Step::Raise(error) => self.signal = Signal::Raise(Error::Number(error)),
            Step::Try { ref body, ref catch, ref finally } => {
                self.push(Frame::Try { catch: catch.as_ref(), finally: finally.as_ref() });
                self.push(Frame::Block { block: body, at: 0 });
            }
            Step::Guard { name, drops } => self.declare(Frame::Guard { name, drops }),
            Step::Hold(slot) => match self.slots[slot] {
                Some(id) => {
                    self.nodes[id].refs += 1;
                    self.declare(Frame::Hold(id));
                }
                None => self.log.push(Event::Empty(me, slot)),
            },
            Step::DropHandle(slot) => match self.slots[slot].take() {
                Some(dropped) => {
                    self.push(Frame::Note(Event::Dropped(me, slot)));
                    self.push(Frame::Release(dropped));
                }
                None => self.log.push(Event::Empty(me, slot)),
            },
            Step::CloneHandle { from, to } => match self.slots[from] {
                Some(id) => self.store_clone(to, id),
                None => self.log.push(Event::Empty(me, from)),
            },
            Step::KeepCurrent(slot) => self.store_clone(slot, me),
            Step::KeepParent { of, to } => match self.slots[of].map(|id| self.nodes[id].parent) {
                Some(Some(parent)) => self.store_clone(to, parent),
                Some(None) => self.log.push(Event::Parent(me, of, None)),
                None => self.log.push(Event::Empty(me, of)),
            },
            Step::Create(id) if self.nodes[id].state != State::Absent => {
                self.log.push(Event::Exists(me, id));
            }
            Step::Create(id) => {
                self.create(id, me);
                self.store(id, id, Event::Created(me, id));
            }
            Step::Current => self.log.push(Event::Current(me, me)),
            Step::IsDead(slot) => match self.slots[slot] {
                Some(id) => self.log.push(Event::Dead(me, slot, self.is_dead(id))),
                None => self.log.push(Event::Empty(me, slot)),
            },
            Step::ParentOf(slot) => match self.slots[slot] {
                Some(id) => self.log.push(Event::Parent(me, slot, self.nodes[id].parent)),
                None => self.log.push(Event::Empty(me, slot)),
            },
        }
    }

    /// Puts a local under the rest of its block, so that it is dropped after that.
    fn declare(&mut self, local: Frame<'p>) {
        let rest = self.nodes[self.current].frames.pop().expect("the block of this step");
        self.push(local);
        self.push(rest);
    }

    /// A block was left under `signal`, which goes on when the handle of this local is dropped.
    fn drop_local(&mut self, handle: Option<Id>, signal: Signal) {
        self.push(Frame::Resume(signal));
        if let Some(id) = handle {
            if let Signal::Raise(_) = signal {
                self.unwinding += 1;
                self.push(Frame::EndUnwind);
            }
            self.push(Frame::Release(id));
        }
    }

    /// A transfer by a step, whose frame holds a handle of the target until it is over.
    fn transfer_to_slot(&mut self, to: Slot, outcome: Result<Value, Error>) {
        match self.slots[to] {
            Some(target) => self.transfer_from_script(target, Some(target), outcome),
            None => self.log.push(Event::Empty(self.current, to)),
        }
    }

    fn store_clone(&mut self, to: Slot, id: Id) {
        self.nodes[id].refs += 1;
        self.store(to, id, Event::Stored(self.current, to));
    }

    /// Puts a handle into a slot, then drops what was there, then logs `event`.
    fn store(&mut self, to: Slot, id: Id, event: Event) {
        self.push(Frame::Note(event));
        if let Some(old) = self.slots[to].replace(id) {
            self.push(Frame::Release(old));
        }
    }

    fn finish(&mut self) {
        for slot in 0..self.slots.len() {
            if let Some(id) = self.slots[slot] {
                self.log.push(Event::Dead(0, slot, self.is_dead(id)));
                self.log.push(Event::Parent(0, slot, self.nodes[id].parent));
            }
        }
        self.push(Frame::Empty(0));
    }

    fn empty(&mut self, slot: Slot) {
        if slot < self.slots.len() {
            self.push(Frame::Empty(slot + 1));
            if let Some(dropped) = self.slots[slot].take() {
                self.push(Frame::Note(Event::Dropped(0, slot)));
                self.push(Frame::Release(dropped));
            }
        } else if self.slots.iter().any(Option::is_some) {
            self.push(Frame::Empty(0));
        } else {
            self.log.push(Event::End);
            if self.dialect == Dialect::Rust {
                (1..self.nodes.len()).rev().for_each(|id| self.push(Frame::Unwind(id)));
            }
        }
    }

    fn is_dead(&self, id: Id) -> bool {
        matches!(self.nodes[id].state, State::Dead | State::Leaked)
    }

    pub(crate) fn script(&self, id: Id) -> &'p Script {
        &self.program.scripts[id]
    }
}
