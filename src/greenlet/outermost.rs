//! Whether the function that a thread was started with is still running.
//!
//! When it has returned, the C library destroys the thread's locals, youngest first; a suspended
//! frame may borrow one that is gone already, and must not be unwound any more. Nothing announces
//! that moment: a thread-local of ours is destroyed after all that are younger. But the C library
//! calls the destructors from the same place from which it called the function, so that the return
//! addresses of the outermost calls, which we remember, are no longer what they were.
//!
//! What this cannot see is `exit` in the middle of the function: then the outermost calls are still
//! there while thread-locals are destroyed. On aarch64, where a return address has no fixed place,
//! the old one may also be left untouched.
#![expect(unsafe_code, reason = "reads return addresses of the thread's first calls")]

use std::cell::Cell;
use std::ops::Range;

/// How many calls are remembered: that of the started function is the second or third from outside.
const CALLS: usize = 3;

/// The outermost calls of a thread: where their return addresses are stored, and what these are.
pub(super) struct OutermostCalls([Cell<(*const usize, usize)>; CALLS]);

impl OutermostCalls {
    /// Nothing to compare: always there.
    pub(super) const fn none() -> OutermostCalls {
        OutermostCalls([const { Cell::new((std::ptr::null(), 0)) }; CALLS])
    }

    /// Walks the current stack. Calls that lie on another than the thread's own stack (that of
    /// somebody else's coroutine) are not kept: such a stack may be gone before the thread ends.
    pub(super) fn look(&self) {
        let mut walk = Walk { sp: 0, stack: own_stack(), calls: self };
        // SAFETY: `visit` neither unwinds nor keeps anything; `walk` outlives the call.
        unsafe { _Unwind_Backtrace(visit, (&raw mut walk).cast()) };
    }

    /// Are all of them as they were?
    #[inline]
    pub(super) fn are_there(&self) -> bool {
        self.0.iter().all(|call| {
            let (place, address) = call.get();
            // SAFETY: the place lies on the thread's own stack, which outlives the thread's code.
            place.is_null() || unsafe { place.read_volatile() } == address
        })
    }
}

struct Walk<'a> {
    /// Of the frame before this one.
    sp: usize,
    stack: Range<usize>,
    calls: &'a OutermostCalls,
}

extern "C" fn visit(frame: *mut UnwindContext, data: *mut libc::c_void) -> libc::c_int {
    // SAFETY: `look` passes this.
    let walk = unsafe { &mut *data.cast::<Walk<'_>>() };
    // SAFETY: the unwinder lends us the frame.
    let (address, sp) = unsafe { (_Unwind_GetIP(frame), _Unwind_GetCFA(frame)) };
    if walk.stack.contains(&walk.sp) && walk.stack.contains(&sp) {
        // The callee's frame lies between both; it holds the address at which this one goes on.
        let words = (walk.sp..sp).step_by(size_of::<usize>()).rev();
        let place = words.map(std::ptr::with_exposed_provenance::<usize>).find(|place| {
            // SAFETY: between two stack pointers of this thread's own stack.
            unsafe { place.read_volatile() == address }
        });
        if let Some(place) = place {
            let calls = &walk.calls.0;
            calls[0].swap(&calls[1]);
            calls[1].swap(&calls[2]);
            calls[2].set((place, address));
        }
    }
    walk.sp = sp;
    0 // _URC_NO_REASON: go on
}

/// The addresses of this thread's own stack; empty if they cannot be had.
fn own_stack() -> Range<usize> {
    // SAFETY: zeroes are room for the attributes, which the next call fills.
    let mut attributes: libc::pthread_attr_t = unsafe { std::mem::zeroed() };
    // SAFETY: the thread is this one.
    if unsafe { libc::pthread_getattr_np(libc::pthread_self(), &raw mut attributes) } != 0 {
        return 0..0;
    }
    let (mut bottom, mut bytes) = (std::ptr::null_mut(), 0);
    // SAFETY: the attributes were filled just now.
    let failed = unsafe {
        let failed =
            libc::pthread_attr_getstack(&raw const attributes, &raw mut bottom, &raw mut bytes);
        libc::pthread_attr_destroy(&raw mut attributes);
        failed
    };
    if failed != 0 { 0..0 } else { bottom.addr()..bottom.addr() + bytes }
}

#[repr(C)]
struct UnwindContext {
    _opaque: [u8; 0],
}

type Visit = extern "C" fn(*mut UnwindContext, *mut libc::c_void) -> libc::c_int;

// Of the unwinder that std links. Source: Itanium C++ ABI, exception handling, level I.
unsafe extern "C" {
    fn _Unwind_Backtrace(visit: Visit, data: *mut libc::c_void) -> libc::c_int;
    fn _Unwind_GetIP(frame: *mut UnwindContext) -> usize;
    fn _Unwind_GetCFA(frame: *mut UnwindContext) -> usize;
}
