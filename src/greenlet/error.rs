//! What can go wrong with a transfer, in words.

use super::GreenletId;
use super::payload::RaisedPayload;
use std::any::{Any, type_name};
use std::error::Error;
use std::fmt;

/// A payload on its way: what `throw` was given, or what a panic carried.
pub(crate) type Payload = Box<dyn Any + Send>;

/// A payload inside the crate: with the name of its type if it comes from `throw`, which prints
/// nothing; a panic was reported where it began.
pub(crate) struct Thrown {
    pub(crate) payload: Payload,
    pub(crate) name: Option<&'static str>,
}

impl Thrown {
    pub(crate) fn by_throw<P: Any + Send>(payload: P) -> Thrown {
        Thrown { payload: Box::new(payload), name: Some(type_name::<P>()) }
    }

    pub(crate) fn by_panic(payload: Payload) -> Thrown {
        Thrown { payload, name: None }
    }

    /// Where the payload is: the same for as long as it lives, wherever its box is moved.
    pub(crate) fn address(&self) -> *const () {
        (&raw const *self.payload).cast()
    }
}

/// Raised in a greenlet to end it quietly: it unwinds, and nothing is raised in its parent.
///
/// [`Greenlet::kill`](crate::Greenlet::kill) throws it, and so does the drop of the last handle of
/// a suspended greenlet. A body may catch it and go on, as in Python.
#[doc(alias = "greenlet.GreenletExit")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GreenletExit;

impl fmt::Display for GreenletExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("greenlet exit")
    }
}

impl Error for GreenletExit {}

/// The notice that a child has ended, for a greenlet that was waiting for a value of another type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildExit {
    pub(crate) id: GreenletId,
    pub(crate) name: Option<String>,
    pub(crate) type_name: Option<&'static str>,
}

impl ChildExit {
    /// The greenlet that ended.
    pub fn id(&self) -> GreenletId {
        self.id
    }

    /// Its name, if it had one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The type of the value that it returned, which was dropped because nobody waited for one of that
    /// type; `None` if it ended by [`GreenletExit`].
    pub fn type_name(&self) -> Option<&'static str> {
        self.type_name
    }
}

impl fmt::Display for ChildExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id)?;
        if let Some(name) = &self.name {
            write!(f, " '{name}'")?;
        }
        match self.type_name {
            Some(type_name) => write!(f, " ended with a value of type {type_name}"),
            None => f.write_str(" was killed"),
        }
    }
}

impl Error for ChildExit {}

/// Why a transfer was refused. Nothing happened: no greenlet ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// The target waits for another type.
    WrongType {
        /// The type of the refused value.
        sent: &'static str,
        /// The type that the target waits for.
        awaited: &'static str,
    },
    /// The target was made by [`Greenlet::unbound`](crate::Greenlet::unbound) and has no body yet.
    NoBody,
    /// The target is parked in a hub, and only that may wake it.
    Parked,
    /// The thread is unwinding from a panic; see [`std::thread::panicking`].
    Unwinding,
    /// A greenlet of this thread is being killed because its last handle was dropped.
    Dying,
    /// The target cannot be unwound: the program is built with `panic = "abort"`.
    CannotUnwind,
    /// The thread-locals are being destroyed; the target began before that, and may borrow one.
    ThreadEnds,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::WrongType { sent, awaited } => write!(f, "sent {sent}, awaited {awaited}"),
            Why::NoBody => f.write_str("it has no body yet, bind one first"),
            Why::Parked => f.write_str("it is parked, only its scheduler may wake it"),
            Why::Unwinding => f.write_str("this thread is unwinding from a panic"),
            Why::Dying => f.write_str("a greenlet of this thread is being killed by drop"),
            Why::ThreadEnds => {
                f.write_str("the thread's locals, which it may borrow, are being destroyed")
            }
            Why::CannotUnwind => {
                f.write_str("it cannot be unwound in a program built with panic = \"abort\"")
            }
        }
    }
}

/// Why a switch or a throw brought no value of the awaited type. [`Send`] and [`Sync`] as the value is.
#[non_exhaustive]
#[doc(alias("greenlet.error", "InvalidSwitchError"))]
pub enum SwitchError<A> {
    /// Nothing happened, and the value comes back.
    Refused {
        /// The reason.
        why: Why,
        /// What was to be sent.
        value: A,
    },
    /// This was thrown at the current greenlet, or is the panic of a child.
    Thrown(RaisedPayload),
    /// A child ended with something other than the awaited type.
    ChildExited(ChildExit),
}

impl<A> SwitchError<A> {
    /// The reason if the transfer was refused.
    pub fn why(&self) -> Option<Why> {
        match self {
            SwitchError::Refused { why, .. } => Some(*why),
            _ => None,
        }
    }
}

impl<A> fmt::Display for SwitchError<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SwitchError::Refused { why, .. } => write!(f, "switch refused: {why}"),
            SwitchError::Thrown(payload) => write!(f, "thrown: {payload}"),
            SwitchError::ChildExited(exit) => exit.fmt(f),
        }
    }
}

impl<A> fmt::Debug for SwitchError<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SwitchError({self})")
    }
}

impl<A> Error for SwitchError<A> {}

const _: () = {
    const fn goes_anywhere<T: Send + Sync + 'static>() {}
    goes_anywhere::<RaisedPayload>();
    goes_anywhere::<SwitchError<u8>>();
    goes_anywhere::<SwitchError<RaisedPayload>>();
};

/// Why [`Greenlet::set_parent`](crate::Greenlet::set_parent) refused; the old parent stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParentError {
    /// The new parent descends from the greenlet, or is itself.
    Cycle,
    /// The root greenlet of a thread has no parent, ever.
    Root,
}

impl fmt::Display for ParentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ParentError::Cycle => "cyclic parent chain",
            ParentError::Root => "cannot set the parent of a root greenlet",
        })
    }
}

impl Error for ParentError {}
