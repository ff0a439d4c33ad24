//! Queues in destructors while the thread unwinds.

use greenlet::sync::queue::{Channel, Queue};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls it when it is dropped.
struct Late<F: FnMut()>(F);

impl<F: FnMut()> Drop for Late<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Calls `f` while the thread unwinds, and returns what it panicked with.
fn while_unwinding(f: impl Fn()) -> Option<String> {
    let mut text = None;
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let _late = Late(|| {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(&f)) {
                text = payload.downcast_ref::<String>().cloned();
            }
        });
        std::panic::resume_unwind(Box::new(()));
    }));
    assert!(outcome.is_err());
    text
}

#[test]
fn what_need_not_wait_works() {
    let queue = Queue::bounded(2);
    assert_eq!(while_unwinding(|| queue.put(1).unwrap()), None);
    assert_eq!(while_unwinding(|| assert_eq!(queue.get(), Ok(1))), None);
}

#[test]
fn what_would_wait_says_why_it_cannot() {
    let (queue, channel) = (Queue::bounded(1), Channel::new());
    let text = while_unwinding(|| assert!(queue.get().is_err())).unwrap();
    assert!(text.starts_with("an item of a queue cannot be waited for while the thread unwinds"));
    queue.put(1).unwrap();
    assert!(while_unwinding(|| assert!(queue.put(2).is_err())).is_some());
    assert!(while_unwinding(|| assert!(channel.put(2).is_err())).is_some());
    assert_eq!((queue.len(), channel.len()), (1, 0), "nothing is left behind");
}
