//! The measured floor of any switch: loops in pure assembly that only exchange stack pointers.

use std::time::Duration;

use crate::measure::Case;

/// Everything in registers: two moves of the stack pointer and two jumps a round trip.
pub fn swap_in_registers() -> Option<Case> {
    loops::IN_REGISTERS.map(|run| Case::new("floor: swap, registers", 1, run))
}

/// The stack pointers and resume addresses stored to memory and loaded from there.
pub fn swap_in_memory() -> Option<Case> {
    loops::IN_MEMORY.map(|run| Case::new("floor: swap, memory", 1, run))
}

type Loop = fn(u64) -> Duration;

#[cfg(target_arch = "x86_64")]
mod loops {
    use std::arch::asm;
    use std::time::Duration;

    use super::Loop;
    use crate::measure::Stopwatch;
    use crate::slab::Slot;

    pub(super) const IN_REGISTERS: Option<Loop> = Some(in_registers);
    pub(super) const IN_MEMORY: Option<Loop> = Some(in_memory);

    fn in_registers(laps: u64) -> Duration {
        let slot = Slot::take();
        let start = Stopwatch::start();
        // SAFETY: the other side pushes nothing; its stack is a whole slot, so that a signal may
        // come at any time. The block ends with the stack pointer it began with.
        unsafe {
            asm!(
                "lea rcx, [rip + 5f]",
                "lea rax, [rip + 3f]",
                "2:",
                "mov r8, rsp", "mov rsp, rdx", "mov rdx, r8", "jmp rcx",
                "3:",
                "dec rdi", "jnz 2b", "jmp 6f",
                "5:",
                "mov r8, rsp", "mov rsp, rdx", "mov rdx, r8", "jmp rax",
                "6:",
                inout("rdi") laps => _,
                inout("rdx") slot.top() => _,
                out("rax") _, out("rcx") _, out("r8") _,
            );
        }
        start.elapsed()
    }

    fn in_memory(laps: u64) -> Duration {
        let slot = Slot::take();
        let (mut here, mut there) = (0usize, slot.top() - 8);
        let start = Stopwatch::start();
        // SAFETY: as above; each side pushes one word at a time, and pops it before it goes on.
        unsafe {
            asm!(
                "lea rax, [rip + 5f]",
                "mov r8, [rdx]",
                "mov [r8], rax",
                "2:",
                "lea rax, [rip + 3f]", "push rax",
                "mov [rsi], rsp", "mov rsp, [rdx]", "pop rax", "jmp rax",
                "3:",
                "dec rdi", "jnz 2b", "jmp 6f",
                "5:",
                "lea rax, [rip + 5b]", "push rax",
                "mov [rdx], rsp", "mov rsp, [rsi]", "pop rax", "jmp rax",
                "6:",
                inout("rdi") laps => _,
                inout("rsi") &raw mut here => _,
                inout("rdx") &raw mut there => _,
                out("rax") _, out("r8") _,
            );
        }
        start.elapsed()
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod loops {
    use super::Loop;

    pub(super) const IN_REGISTERS: Option<Loop> = None;
    pub(super) const IN_MEMORY: Option<Loop> = None;
}
