//! The frame of a suspended context and the door to the assembly, for x86_64 (System V).

use super::{Arrival, Header, Word};
use std::arch::{asm, global_asm};
use std::mem::offset_of;

global_asm!(include_str!("../../asm/x86_64/entry.s"), options(raw));

unsafe extern "C" {
    fn greenlet_entry();
    pub(super) fn greenlet_walk(frame: *const Frame, visit: extern "C" fn(*mut ()), data: *mut ());
}

/// What `switch.s` leaves on a suspended stack.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    resume: *const (),
    rbx: *const (),
    rbp: *const (),
}

const _: () = assert!(size_of::<Frame>() == 24); // FRAME_SIZE
const _: () = assert!(offset_of!(Frame, resume) == 0); // FRAME_RESUME
const _: () = assert!(offset_of!(Frame, rbx) == 8); // FRAME_RBX
const _: () = assert!(offset_of!(Frame, rbp) == 16); // FRAME_RBP

impl Frame {
    pub(super) const ZERO: Frame =
        Frame { resume: std::ptr::null(), rbx: std::ptr::null(), rbp: std::ptr::null() };

    /// Starts in `greenlet_entry` with its header at hand and the chain of frame pointers ended.
    #[inline(always)]
    pub(super) fn first(header: *const Header) -> Frame {
        Frame { resume: greenlet_entry as *const (), rbx: header.cast(), rbp: std::ptr::null() }
    }

    /// The registers that are saved here and nowhere else on the suspended stack.
    pub(crate) fn registers(&self) -> [usize; 2] {
        [self.rbx.addr(), self.rbp.addr()]
    }
}

/// See `asm/x86_64/switch.s`.
///
/// # Safety
/// As [`super::switch`].
#[inline(always)]
pub(super) unsafe fn switch(
    from: *const Header,
    to: *const Header,
    mut payload: Word,
    mut tag: usize,
) -> Arrival {
    let mut who = from;
    // SAFETY: the operands and clobbers are those of the register table in switch.s; the routine
    // comes back here with this stack as it was left (**Saved frame**).
    unsafe {
        asm!(
            include_str!("../../asm/x86_64/switch.s"),
            inout("rdi") payload,
            inout("rsi") tag,
            inout("rdx") who,
            inout("rcx") to => _,
            out("r12") _, out("r13") _, out("r14") _, out("r15") _,
            clobber_abi("sysv64"),
            options(raw),
        );
    }
    Arrival { payload, tag, from: who }
}
