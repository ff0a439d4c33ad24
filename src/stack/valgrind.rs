//! Tells valgrind where stacks lie; without it, each switch looks like a wild jump of the stack pointer.
//!
//! The request is a sequence of instructions that changes nothing natively and that valgrind recognises:
//! see `asm/<arch>/valgrind.s`. Source: valgrind.h, VALGRIND_STACK_REGISTER.

#![expect(unsafe_code, reason = "the request is inline assembly")]

use std::arch::asm;
use std::ops::Range;

const STACK_REGISTER: usize = 0x1501;

/// Announces a stack. Slots stay stacks for ever, so nothing is ever taken back.
pub(super) fn announce(stack: Range<usize>) {
    let request = [STACK_REGISTER, stack.start, stack.end - 1, 0, 0, 0];
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
