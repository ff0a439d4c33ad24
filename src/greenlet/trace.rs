//! A callback for every transfer of a thread.

use super::control::{IN_TRACE, TAKES_THROWS};
use super::current::{TRACED, Thread, thread};
use super::error::{Payload, Thrown};
use super::handle::{Greenlet, current};
use super::report;
use super::switch::{Cargo, Raised};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

/// What a transfer from one greenlet to another brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TraceKind {
    /// A value, the end of a greenlet, or a quiet exit.
    Switch,
    /// Something to be raised.
    Throw,
}

impl TraceKind {
    pub(super) fn of(cargo: &Cargo) -> TraceKind {
        match cargo {
            Cargo::Throw(_) => TraceKind::Throw,
            Cargo::Value { .. } | Cargo::Exit(_) => TraceKind::Switch,
        }
    }
}

/// One transfer, as the trace callback sees it: it has happened, `target` is the current greenlet.
#[derive(Debug)]
#[non_exhaustive]
pub struct TraceEvent<'a> {
    /// A value, or something to be raised.
    pub kind: TraceKind,
    /// The greenlet that was left; dead if that was its end.
    pub origin: &'a Greenlet,
    /// The greenlet that runs now. This does not count as a handle: if the callback suspends here, dropping the
    /// last handle still ends the greenlet.
    pub target: &'a Greenlet,
}

/// A trace callback.
pub type Tracer = Rc<dyn Fn(&TraceEvent<'_>)>;

/// Sets this thread's trace callback and returns the previous one; `None` clears it.
///
/// The callback runs in the target of every transfer, after the value has arrived and before the
/// target goes on. A transfer to oneself is traced too. The callback may switch: transfers out of
/// and back into a running callback are not traced. Tracing costs untraced switches nothing.
///
/// Transfers to a hub's own greenlet, in which only its loop runs, are not traced. So between a park and
/// the next event the thread may have waited for the kernel.
///
/// If the callback panics it is removed, what was transferred is dropped, and the panic is raised
/// in the target.
///
/// ```
/// use greenlet::{Greenlet, set_trace};
/// use std::{cell::Cell, rc::Rc};
/// let count = Rc::new(Cell::new(0));
/// let seen = count.clone();
/// set_trace(Some(Rc::new(move |_| seen.set(seen.get() + 1))));
/// let () = Greenlet::new(|()| ()).switch(());
/// set_trace(None);
/// assert_eq!(count.get(), 2); // there and back
/// ```
#[doc(alias = "settrace")]
pub fn set_trace(tracer: Option<Tracer>) -> Option<Tracer> {
    let thread = thread();
    if tracer.is_some() {
        thread.set(TRACED)
    } else {
        thread.clear(TRACED)
    }
    thread.tracer.replace(tracer)
}

/// This thread's trace callback.
#[doc(alias = "gettrace")]
pub fn get_trace() -> Option<Tracer> {
    thread().tracer.borrow().clone()
}

/// Calls the callback in the current greenlet, the target.
pub(super) fn call(thread: &Thread, kind: TraceKind, origin: Greenlet) -> Result<(), Payload> {
    let Some(tracer) = get_trace() else { return Ok(()) };
    let me = thread.current();
    let flags = me.flags.get();
    // A plain suspension inside the callback takes no throws as values.
    me.flags.set((flags | IN_TRACE) & !TAKES_THROWS);
    let target = Greenlet::uncounted(me);
    let result = catch_unwind(AssertUnwindSafe(|| {
        tracer(&TraceEvent { kind, origin: &origin, target: &target });
        drop((origin, tracer));
    }));
    me.clear(IN_TRACE);
    me.set(flags & TAKES_THROWS); // only these: it may have been marked for a nested kill meanwhile
    result.inspect_err(|_| report::contain(|| drop(set_trace(None))))
}

/// Calls the callback for a transfer that stays where it is; if it panics, `drop_value` drops what
/// was transferred.
pub(super) fn call_for_oneself(
    thread: &Thread,
    kind: TraceKind,
    drop_value: impl FnOnce(),
) -> Result<(), Raised> {
    if !thread.has(TRACED) || thread.current().has(IN_TRACE) {
        return Ok(());
    }
    call(thread, kind, current()).map_err(|payload| {
        report::contain(drop_value);
        Raised::Throw(Thrown::by_panic(payload))
    })
}
