//! What the model test runs: a forest of scripts, one per greenlet, and the events they leave.
//!
//! A script is a straight list of steps with nested `try` blocks and no loops, so every run ends. Greenlet 0
//! is the root. Handles live in slots, one table for all scripts (like Python's globals): slot `i` starts
//! with the handle of greenlet `i`, and two spare slots behind them start empty.

use std::fmt;

/// Index of a greenlet, and of its script; 0 is the root.
pub(crate) type Id = usize;

/// Index into the table of handles.
pub(crate) type Slot = usize;

/// Slots that start empty and only ever hold clones.
pub(crate) const SPARE_SLOTS: usize = 2;

/// One program: `scripts[0]` runs in the root and drives the rest.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Program {
    pub(crate) scripts: Vec<Script>,
}

/// What one greenlet does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Script {
    pub(crate) born: Born,
    pub(crate) waits: Waits,
    pub(crate) body: Block,
}

/// When a greenlet comes to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Born {
    /// Before the root's script runs, with this parent (a smaller index).
    AtStart { parent: Id },
    /// By a `Create` step; its parent is whoever runs the step.
    ByStep,
}

/// The type a script's body and all its transfers wait for. Python has no such thing: both look alike there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Waits {
    /// For `Received`: any value or exit.
    Any,
    /// For `i64`, errors as values: an exit arrives as `ChildExited`, and does not start an unstarted body.
    Exact,
    /// For `i64` by the calls that raise everything else.
    Raising,
}

/// A list of steps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Block {
    pub(crate) steps: Vec<Step>,
    /// The enumeration may still append here: the interpreter stops when it runs off the end.
    pub(crate) open: bool,
}

/// One thing a script does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Switch {
        to: Slot,
        value: i64,
    },
    /// Switch to my parent, holding no handle.
    Suspend {
        value: i64,
    },
    Throw {
        to: Slot,
        error: i64,
    },
    ThrowExit {
        to: Slot,
    },
    SetParent {
        of: Slot,
        to: Slot,
    },
    Return(i64),
    Raise(i64),
    Try {
        body: Block,
        catch: Option<Block>,
        finally: Option<Block>,
    },
    /// Covers the rest of its block: logs when that is left, then empties a slot.
    Guard {
        name: i64,
        drops: Option<Slot>,
    },
    DropHandle(Slot),
    /// A local variable with a handle, for the rest of the block.
    Hold(Slot),
    /// Overwrites `to`; what it held is dropped afterwards.
    CloneHandle {
        from: Slot,
        to: Slot,
    },
    /// A handle of the running greenlet into a slot.
    KeepCurrent(Slot),
    /// A handle of a greenlet's parent into a slot.
    KeepParent {
        of: Slot,
        to: Slot,
    },
    /// Creates a `ByStep` greenlet into its slot.
    Create(Id),
    Current,
    IsDead(Slot),
    ParentOf(Slot),
}

/// What a transfer carries when it is not an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Int(i64),
    /// A `GreenletExit` that arrived as a value.
    Exit,
}

/// What is raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Error {
    Number(i64),
    Exit,
}

/// One line of the log. The first field is the script that runs, not the greenlet it speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Started(Id, Value),
    Got(Id, Value),
    /// The crate refused a switch or throw (a kill is running, or the thread unwinds).
    Refused(Id),
    Caught(Id, Error),
    Cleanup(Id),
    Guard(Id, i64),
    Returned(Id, i64),
    Raised(Id, Error),
    Reparented(Id),
    Cycle(Id),
    RootHasNoParent(Id),
    Dropped(Id, Slot),
    /// A handle was put into this slot.
    Stored(Id, Slot),
    Created(Id, Id),
    /// The greenlet of this `Create` step exists already.
    Exists(Id, Id),
    Current(Id, Id),
    Dead(Id, Slot, bool),
    Parent(Id, Slot, Option<Id>),
    /// The slot that a step names is empty, so the step does nothing.
    Empty(Id, Slot),
    /// CPython's report of an error that left a greenlet while its last handle was dropped.
    Unraisable(Error),
    /// CPython's "GreenletExit did not kill".
    DidNotKill,
    /// All slots are empty. In the crate the greenlets that are left are unwound after this.
    End,
}

/// Kinds of events.
pub(crate) const EVENTS: usize = 22;

impl Program {
    pub(crate) fn slots(&self) -> usize {
        self.scripts.len() + SPARE_SLOTS
    }

    /// Steps of all scripts, those inside `try` included.
    pub(crate) fn steps(&self) -> usize {
        self.scripts.iter().map(|script| script.body.len()).sum()
    }
}

impl Block {
    fn len(&self) -> usize {
        self.steps.iter().map(Step::len).sum()
    }
}

impl Step {
    fn len(&self) -> usize {
        match self {
            Step::Try { body, catch, finally } => {
                1 + body.len() + catch.iter().chain(finally).map(Block::len).sum::<usize>()
            }
            _ => 1,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Int(value) => write!(f, "{value}"),
            Value::Exit => f.write_str("exit"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Number(number) => write!(f, "error {number}"),
            Error::Exit => f.write_str("exit"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Started(id, value) => write!(f, "{id} started {value}"),
            Event::Got(id, value) => write!(f, "{id} got {value}"),
            Event::Refused(id) => write!(f, "{id} refused"),
            Event::Caught(id, error) => write!(f, "{id} caught {error}"),
            Event::Cleanup(id) => write!(f, "{id} cleanup"),
            Event::Guard(id, name) => write!(f, "{id} guard {name}"),
            Event::Returned(id, value) => write!(f, "{id} returned {value}"),
            Event::Raised(id, error) => write!(f, "{id} raised {error}"),
            Event::Reparented(id) => write!(f, "{id} reparented"),
            Event::Cycle(id) => write!(f, "{id} cycle"),
            Event::RootHasNoParent(id) => write!(f, "{id} root has no parent"),
            Event::Dropped(id, slot) => write!(f, "{id} dropped {slot}"),
            Event::Stored(id, slot) => write!(f, "{id} stored {slot}"),
            Event::Created(id, new) => write!(f, "{id} created {new}"),
            Event::Exists(id, new) => write!(f, "{id} exists {new}"),
            Event::Current(id, current) => write!(f, "{id} current {current}"),
            Event::Dead(id, slot, dead) => write!(f, "{id} dead {slot} {dead}"),
            Event::Parent(id, slot, Some(parent)) => write!(f, "{id} parent {slot} {parent}"),
            Event::Parent(id, slot, None) => write!(f, "{id} parent {slot} none"),
            Event::Empty(id, slot) => write!(f, "{id} empty {slot}"),
            Event::Unraisable(error) => write!(f, "unraisable {error}"),
            Event::DidNotKill => f.write_str("did not kill"),
            Event::End => f.write_str("end"),
        }
    }
}

/// A log as the text that the three runs are compared by.
pub(crate) fn text(log: &[Event]) -> String {
    log.iter().map(|event| format!("{event}\n")).collect()
}
