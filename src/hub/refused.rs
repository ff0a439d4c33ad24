//! What was refused to the hubs of this process: said once, and not tried again.

use crate::driver::{Capabilities, Kind};
use crate::greenlet::line;
use crate::worker::Latest;

/// Why the best kind of driver was refused, and what works instead.
pub(super) struct Refusal {
    pub(super) why: String,
    pub(super) kind: Kind,
}

/// The kinds that settings can do without.
const KINDS: [Capabilities; 3] = [Capabilities::URING, Capabilities::EPOLL, Capabilities::POLL];

/// For each choice of [`KINDS`] that is disabled: what one thread does without is not refused to others.
static REFUSED: [Latest<Refusal>; 1 << KINDS.len()] = [const { Latest::none() }; 1 << KINDS.len()];

/// What was refused to hubs that do without these.
pub(super) fn refused(disabled: Capabilities) -> &'static Latest<Refusal> {
    let bits = KINDS.iter().enumerate().map(|(n, kind)| usize::from(disabled.has(*kind)) << n);
    &REFUSED[bits.sum::<usize>()]
}

impl Latest<Refusal> {
    /// Notes a refusal, and says so unless that was done.
    pub(super) fn note(&self, why: &str, kind: Kind) {
        if self.set_first(Refusal { why: why.to_owned(), kind }) {
            line(format_args!("{why}"));
        }
    }
}
