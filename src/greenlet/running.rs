//! What a signal handler may know of the greenlet that it has interrupted.

use super::control::{Block, ROOT};
use super::current::{UNINITIALISED, thread_or_none};
use super::state::GreenletId;
use crate::arch::Header;
use std::ops::Range;
use std::panic::Location;

/// The greenlet that runs on a thread, to a handler of that thread.
pub(crate) struct Running<'a> {
    pub(crate) id: GreenletId,
    pub(crate) name: Option<&'a str>,
    pub(crate) created: Option<&'static Location<'static>>,
    /// The addresses of its stack; `None` for the root greenlet.
    pub(crate) stack: Option<Range<usize>>,
    /// Where its last switch has left its stack.
    pub(crate) header: &'a Header,
}

/// Who runs on this thread, if it has greenlets. Async-signal-safe: it reads what the thread has written.
pub(crate) fn running<'a>() -> Option<Running<'a>> {
    let thread = thread_or_none();
    if thread.has(UNINITIALISED) {
        return None;
    }
    let block: &Block = thread.current();
    if block.label.id.get() == 0 {
        return None; // it has just ended, and is about to leave
    }
    Some(Running {
        id: GreenletId::new(block.label.id.get()),
        name: block.label.name(),
        created: block.label.created.get(),
        stack: (!block.has(ROOT)).then(|| block.label.bounds()),
        header: &block.header,
    })
}
