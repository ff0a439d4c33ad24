//! What is said of a greenlet that keeps its thread to itself.

use super::capture::Answer;
use super::walk::{Room, text_of};
use crate::greenlet::GreenletId;
use std::fmt;
use std::panic::Location;
use std::time::Duration;

/// A greenlet that has not let others run for longer than the limit; see [`Monitor`](super::Monitor).
///
/// Its `Display` is one line, and the backtrace below it.
#[derive(Debug, Clone)]
pub struct Stall {
    thread: Option<String>,
    lasted: Duration,
    seen: Option<Seen>,
}

/// What its thread has answered.
#[derive(Debug, Clone)]
struct Seen {
    id: GreenletId,
    name: Option<String>,
    created: Option<&'static Location<'static>>,
    is_root: bool,
    backtrace: String,
}

impl Stall {
    pub(super) fn silent(thread: Option<String>, lasted: Duration) -> Stall {
        Stall { thread, lasted, seen: None }
    }

    pub(super) fn answered(self, answer: Box<Answer>, room: &mut Room) -> Stall {
        let name = answer.name();
        let backtrace = answer.copied.backtrace(room).map_or(String::new(), |b| text_of(&b));
        let Answer { id: Some(id), created, is_root, .. } = *answer else { return self };
        let seen = Seen { id, name, created, is_root, backtrace };
        Stall { seen: Some(seen), ..self }
    }

    /// The name of the thread, if it has one.
    pub fn thread(&self) -> Option<&str> {
        self.thread.as_deref()
    }

    /// For how long, about, the hub had been stuck when this was noticed.
    pub fn lasted(&self) -> Duration {
        self.lasted
    }

    /// The greenlet; `None` if the thread did not answer the signal.
    pub fn id(&self) -> Option<GreenletId> {
        self.seen.as_ref().map(|seen| seen.id)
    }

    /// Its name, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.seen.as_ref()?.name.as_deref()
    }

    /// Whether it is the root greenlet of its thread.
    pub fn is_root(&self) -> bool {
        self.seen.as_ref().is_some_and(|seen| seen.is_root)
    }

    /// Where it was made; `None` for root greenlets.
    pub fn created_at(&self) -> Option<&'static Location<'static>> {
        self.seen.as_ref()?.created
    }

    /// The calls that it was in, the innermost first, as [`Backtrace`](std::backtrace::Backtrace) shows
    /// them; empty if they could not be found.
    pub fn backtrace(&self) -> &str {
        self.seen.as_ref().map_or("", |seen| &seen.backtrace)
    }
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.seen {
            None => f.write_str("a greenlet")?,
            Some(seen) if seen.is_root => f.write_str("the root greenlet")?,
            Some(seen) => write!(f, "{}", seen.id)?,
        }
        if let Some(name) = self.name() {
            write!(f, " '{name}'")?;
        }
        f.write_str(" has kept its thread ")?;
        if let Some(thread) = &self.thread {
            write!(f, "'{thread}' ")?;
        }
        write!(f, "to itself for {}ms", self.lasted.as_millis())?;
        if let Some(created) = self.created_at() {
            write!(f, ", created at {created}")?;
        }
        match &self.seen {
            None => f.write_str("; the thread does not answer SIGURG"),
            Some(seen) => write!(f, "\n{}", seen.backtrace.trim_end()),
        }
    }
}
