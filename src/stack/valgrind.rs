//! Tells valgrind where stacks lie; without it, each switch looks like a wild jump of the stack pointer.
//!
//! The request is a sequence of instructions that changes nothing natively and that valgrind recognises:
//! see `asm/<arch>/valgrind.s`. Source: valgrind.h, VALGRIND_STACK_REGISTER; memcheck.h,
//! VALGRIND_MAKE_MEM_UNDEFINED.

#![expect(unsafe_code, reason = "the request is inline assembly")]

use super::BLOCK_BYTES;
use super::region::Label;
use std::arch::asm;
use std::ops::Range;
use std::ptr::NonNull;

const STACK_REGISTER: usize = 0x1501;
/// The letters of the tool, then a number.
const MAKE_MEM_UNDEFINED: usize = (b'M' as usize) << 24 | (b'C' as usize) << 16 | 1;

/// Announces a stack. Slots stay stacks for ever, so nothing is ever taken back.
pub(super) fn announce(stack: Range<usize>) {
    ask([STACK_REGISTER, stack.start, stack.end - 1, 0, 0, 0]);
}

/// A free stack is used again, and will be written to from outside, where memcheck still sees the dead
/// frames of whoever ran there before.
pub(super) fn is_used_again(label: NonNull<Label>) {
    // SAFETY: free slots have their labels, which stay mapped for ever.
    let stack = unsafe { label.as_ref() }.bounds();
    ask([MAKE_MEM_UNDEFINED, stack.start, stack.len() - BLOCK_BYTES, 0, 0, 0]);
}

fn ask(request: [usize; 6]) {
    // SAFETY: natively the sequence leaves every register as it was; valgrind reads the six words and
    // writes its answer into the one register that is declared as changed.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!(include_str!("../../asm/x86_64/valgrind.s"), in("rax") request.as_ptr(), inout("rdx") 0usize => _);
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!(include_str!("../../asm/aarch64/valgrind.s"), in("x4") request.as_ptr(), inout("x3") 0usize => _);
    }
}
