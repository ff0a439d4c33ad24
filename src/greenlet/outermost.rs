//! Whether the function that a thread was started with is still running.
//!
//! When it has returned, the C library destroys the thread's locals, youngest first; a suspended
//! frame may borrow one that is gone already, and must neither run on nor be unwound any more. Nothing announces
//! that moment: a thread-local of ours is destroyed after all that are younger. But the C library
//! calls the destructors from the same place from which it called the function, so that the return
//! addresses of the outermost calls, which we remember, are no longer what they were.
//!
//! What this cannot see is `exit` in the middle of the function: then the outermost calls are still
//! there while thread-locals are destroyed. On aarch64, where a return address has no fixed place,
//! the old one may also be left untouched. And where a walk ends early, in code without unwind
//! information, nothing is known of the thread: to take a living one for one that ends would be worse.
//! What follows from all this stands in `lib.rs`, *The end of a thread*.
//!
//! The main thread comes from the loader and the C library, which call others before `main`, and `main`
//! from another place in each version. So there it is looked whether `exit` runs, too.
#![expect(unsafe_code, reason = "reads return addresses of the thread's first calls")]

use std::cell::Cell;
use std::ops::Range;

/// How many calls are remembered. That of the started function is the second from outside, and of `main`
/// the third.
const CALLS: usize = 3;

/// The outermost calls of a thread: where their return addresses are stored, and what these are.
pub(super) struct OutermostCalls {
    calls: [Cell<(*const usize, usize)>; CALLS],
    is_main: Cell<bool>,
}

const UNKNOWN: (*const usize, usize) = (std::ptr::null(), 0);

impl OutermostCalls {
    /// Nothing to compare: always there.
    pub(super) const fn none() -> OutermostCalls {
        OutermostCalls { calls: [const { Cell::new(UNKNOWN) }; CALLS], is_main: Cell::new(false) }
    }

    /// Walks the current stack. Calls that lie on another than the thread's own stack (that of
    /// somebody else's coroutine) are not kept: such a stack may be gone before the thread ends.
    pub(super) fn look(&self) {
        let stack = own_stack();
        self.is_main.set(is_main(&stack));
        let calls = [UNKNOWN; CALLS];
        let mut walk = Walk { sp: 0, stack, calls, ended_at_beginning: false };
        // SAFETY: `visit` neither unwinds nor keeps anything; `walk` outlives the call.
        unsafe { _Unwind_Backtrace(visit, (&raw mut walk).cast()) };
        for (call, seen) in self.calls.iter().zip(walk.calls) {
            call.set(if walk.ended_at_beginning { seen } else { UNKNOWN });
        }
        if !self.is_main.get() {
            self.calls[0].set(UNKNOWN); // the function's own: it may call from several places
        }
    }

    /// They are no longer as they were: does the thread end?
    #[cold]
    pub(super) fn tell_the_end(&self) -> bool {
        let mut exits = !self.is_main.get();
        if !exits {
            // SAFETY: `seek_exit` neither unwinds nor keeps anything; `exits` outlives the call.
            unsafe { _Unwind_Backtrace(seek_exit, (&raw mut exits).cast()) };
        }
        exits
    }

    /// Where the return address of the started function lies, and what it is.
    pub(super) fn of_started(&self) -> Option<(*const usize, usize)> {
        self.calls.iter().map(Cell::get).find(|(place, _)| !place.is_null())
    }

    /// Are all of them as they were?
    #[inline]
    pub(super) fn are_there(&self) -> bool {
        self.calls.iter().all(|call| {
            let (place, address) = call.get();
            // SAFETY: the place lies on the thread's own stack, which outlives the thread's code.
            place.is_null() || unsafe { place.read_volatile() } == address
        })
    }
}

struct Walk {
    /// Of the frame before this one.
    sp: usize,
    stack: Range<usize>,
    /// The last that were seen on `stack`.
    calls: [(*const usize, usize); CALLS],
    /// The last frame was one that nothing calls: its unwind information says so. A walk that finds
    /// none ends with a frame that something calls.
    ended_at_beginning: bool,
}

extern "C" fn visit(frame: *mut UnwindContext, data: *mut libc::c_void) -> libc::c_int {
    // SAFETY: `look` passes this.
    let walk = unsafe { &mut *data.cast::<Walk>() };
    // SAFETY: the unwinder lends us the frame.
    let (address, sp) = unsafe { (_Unwind_GetIP(frame), _Unwind_GetCFA(frame)) };
    walk.ended_at_beginning = address == 0;
    if address != 0 && walk.stack.contains(&walk.sp) && walk.stack.contains(&sp) {
        // The callee's frame lies between both; it holds the address at which this one goes on.
        let words = (walk.sp..sp).step_by(size_of::<usize>()).rev();
        let place = words.map(std::ptr::with_exposed_provenance::<usize>).find(|place| {
            // SAFETY: between two stack pointers of this thread's own stack.
            unsafe { place.read_volatile() == address }
        });
        if let Some(place) = place {
            walk.calls.rotate_left(1);
            walk.calls[CALLS - 1] = (place, address);
        }
    }
    walk.sp = sp;
    0 // _URC_NO_REASON: go on
}

extern "C" fn seek_exit(frame: *mut UnwindContext, exits: *mut libc::c_void) -> libc::c_int {
    // SAFETY: the unwinder lends us the frame, and reads only tables for the function.
    let function = unsafe { _Unwind_FindEnclosingFunction(_Unwind_GetIP(frame)) };
    if function == libc::exit as *const () as usize {
        // SAFETY: `tell_the_end` passes this.
        unsafe { *exits.cast::<bool>() = true };
    }
    0 // _URC_NO_REASON: go on
}

/// Is this the thread that the process began with?
///
/// Its number says so also in the child of a fork by another thread. But that one's stack is not where the kernel
/// laid the arguments of the program: at most 6 MiB, above the first frame, and between them the bytes that
/// `AT_RANDOM` names. Source: execve(2), getauxval(3), and Linux `fs/binfmt_elf.c`, `create_elf_tables`.
fn is_main(stack: &Range<usize>) -> bool {
    const ARGUMENTS_BYTES: usize = 6 << 20;
    // SAFETY: none of them touches memory.
    let (has_number, random) =
        unsafe { (libc::getpid() == libc::gettid(), libc::getauxval(libc::AT_RANDOM) as usize) };
    has_number && (random == 0 || (stack.start..stack.end + ARGUMENTS_BYTES).contains(&random))
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
    fn _Unwind_FindEnclosingFunction(address: usize) -> usize;
}
