//! Items that are done some time after they were gotten.

use super::queue_of::QueueOf;
use super::store::{Counted, Store};
use crate::sync::{Watchers, watch};
use std::iter::once;
use std::time::Duration;

impl<S: Store> QueueOf<Counted<S>> {
    /// Notes that one of the items that were gotten is done. Returns at once.
    ///
    /// # Panics
    /// If it is called more often than items were put.
    #[track_caller]
    pub fn task_done(&self) {
        let mut store = self.shared().store.borrow_mut();
        assert!(
            store.unfinished > 0,
            "task_done was called more often than items were put: call it once for each item"
        );
        store.unfinished -= 1;
        if store.unfinished == 0 {
            drop(store);
            self.shared().joiners.wake_all();
        }
    }

    /// How many items were put and are not done.
    #[doc(alias = "unfinished_tasks")]
    pub fn unfinished(&self) -> usize {
        self.shared().store.borrow().unfinished
    }

    /// Parks until every item that was put is done.
    ///
    /// # Panics
    /// While the thread unwinds, unless nothing is unfinished.
    ///
    /// # Cancellation
    /// What arrives inside is raised here, and nothing else happens.
    pub fn join(&self) {
        self.wait_done(None);
    }

    /// As [`join`](QueueOf::join), for at most `limit`; returns whether every item is done.
    ///
    /// # Panics
    /// As [`join`](QueueOf::join).
    ///
    /// # Cancellation
    /// As [`join`](QueueOf::join).
    pub fn join_timeout(&self, limit: Duration) -> bool {
        self.wait_done(Some(limit))
    }

    /// Once woken, it counts that nothing was unfinished then, whatever was put since.
    fn wait_done(&self, limit: Option<Duration>) -> bool {
        let done = (self.unfinished() == 0, Watchers(&self.shared().joiners));
        watch(once(done), limit, |_| true)
    }
}
