//! How the members of a pool are ended.

use super::members::Members;
use crate::greenlet::{current_block, id_of};
use crate::hub::hub;
use crate::sync::{Watched, watch};
use crate::task::TaskRef;
use std::iter::once;
use std::time::Duration;

impl Members {
    /// Kills all members and those who become members meanwhile; the current one last.
    ///
    /// One that was [added](Members::add) leaves by a link, after it has ended. That is waited for, too, but not
    /// by a link of a member: it would wait for itself, or for another one that waits for it.
    pub(super) fn kill(&self, limit: Option<Duration>) -> bool {
        let mut last = KilledLast(None);
        let are_gone = self.kill_others(limit, &mut last);
        if let Some(current) = last.0.take() {
            current.kill();
        }
        are_gone && self.is_empty()
    }

    /// As [`kill`](Members::kill), but leaves the current member to `last`; returns whether the others left in time.
    fn kill_others(&self, limit: Option<Duration>, last: &mut KilledLast) -> bool {
        let me = id_of(current_block());
        let until = limit.map(|limit| hub().moment(limit));
        let current = &mut last.0;
        let mut is_late = false;
        loop {
            let (own, others): (Vec<_>, Vec<_>) =
                self.tasks().into_iter().partition(|task| task.id() == me);
            let (leaving, others): (Vec<_>, Vec<_>) =
                others.into_iter().partition(TaskRef::is_finished);
            *current = own.into_iter().next().or(current.take());
            others.iter().for_each(TaskRef::kill_soon);
            let left = until.map(|until| Duration::from_nanos(until.saturating_sub(hub().now())));
            let is_in_time = if !others.is_empty() {
                let things = others.iter().map(|task| (task.is_finished(), task.watchers()));
                !is_late && watch(things, left, |_| false)
            } else if leaving.is_empty() || current.as_ref().is_some_and(TaskRef::is_finished) {
                return true;
            } else {
                watch(once((false, self.leavers())), left, |_| true)
            };
            if !is_in_time {
                return false;
            }
            is_late = left.is_some_and(|left| left.is_zero());
        }
    }
}

/// The current member, which is to end once the others have, or whatever else ends the wait for them.
struct KilledLast(Option<TaskRef>);

impl Drop for KilledLast {
    fn drop(&mut self) {
        if let Some(current) = &self.0 {
            current.kill_soon();
        }
    }
}
