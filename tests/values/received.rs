//! `Received`: held, taken out, dropped unread, and what it asks of the allocator.
#![expect(unsafe_code, reason = "an allocator that watches")]

use crate::payload::{each_size, roomy};
use greenlet::{Greenlet, current, suspend};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Refuses what an allocator may be asked for never: no bytes at all.
struct NoEmptyBlocks;

thread_local! {
    static EMPTY: Cell<u32> = const { Cell::new(0) };
}

// SAFETY: forwards; the count is a plain thread-local without destructor.
unsafe impl GlobalAlloc for NoEmptyBlocks {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() == 0 {
            let _ = EMPTY.try_with(|count| count.set(count.get() + 1));
        }
        // SAFETY: forwarded.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: forwarded.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: NoEmptyBlocks = NoEmptyBlocks;

each_size! {
    fn dropped_unread_drops_the_value<T: Payload>() {
        let g = roomy(|first: T| {
            let _: T = suspend(first);
            T::make(9)
        });
        g.switch_any(T::make(1));
        let kept = g.switch_any(T::make(2));
        assert_eq!(crate::payload::alive(), 1);
        drop(kept);
        assert_eq!(crate::payload::alive(), 0);
    }

    fn asked_for_another_type_it_keeps_the_value<T: Payload>() {
        let received = current().switch_any(T::make(3));
        let received = received.try_get::<String>().unwrap_err();
        assert!(received.exit().is_none());
        assert_eq!(received.type_name(), Some(std::any::type_name::<T>()));
        let text = format!("{received}");
        assert!(text.contains("a value of type"), "{text}");
        assert_eq!(received.get::<T>().tag(), 3);
    }

    fn a_panic_of_get_drops_the_value_once<T: Payload>() {
        let received = current().switch_any(T::make(3));
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            std::panic::set_hook(Box::new(|_| ()));
            received.get::<String>()
        }));
        let _ = std::panic::take_hook();
        let text = panic.unwrap_err().downcast::<String>().unwrap();
        assert!(text.starts_with("expected a value of type alloc::string::String"), "{text}");
    }
}

#[test]
fn no_empty_block_is_asked_of_the_allocator() {
    // `GlobalAlloc::alloc` with no bytes is undefined behaviour.
    #[repr(align(64))]
    struct Nothing;
    EMPTY.set(0);
    let received = current().switch_any(Nothing);
    let _: Nothing = received.get();
    drop(Greenlet::new(|()| [const { Nothing }; 3]).switch_any(()));
    assert_eq!(EMPTY.get(), 0);
}

#[test]
fn a_value_whose_drop_panics_is_dropped_once() {
    struct Loud(Box<[u64; 20]>);
    impl Drop for Loud {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new(self.0[3]));
        }
    }
    let received = current().switch_any(Loud(Box::new([5; 20])));
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(received)));
    assert_eq!(*panic.unwrap_err().downcast::<u64>().unwrap(), 5);
}
