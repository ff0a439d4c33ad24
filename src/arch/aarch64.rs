//! The frame of a suspended context and the door to the assembly, for aarch64 (AAPCS64).

use super::{Arrival, Header, Word};
use std::arch::{asm, global_asm};
use std::mem::offset_of;

global_asm!(include_str!("../../asm/aarch64/entry.s"), options(raw));

unsafe extern "C" {
    fn greenlet_entry();
    pub(super) fn greenlet_walk(frame: *const Frame, visit: extern "C" fn(*mut ()), data: *mut ());
}

/// What `switch.s` leaves on a suspended stack.
#[repr(C, align(16))]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    x19: *const (),
    x29: *const (),
    resume: *const (),
    padding: usize,
}

const _: () = assert!(size_of::<Frame>() == 32); // FRAME_SIZE, .Lframe_size
const _: () = assert!(offset_of!(Frame, x19) == 0); // FRAME_X19
const _: () = assert!(offset_of!(Frame, x29) == 8); // FRAME_X29
const _: () = assert!(offset_of!(Frame, resume) == 16); // FRAME_RESUME, .Lframe_resume

impl Frame {
    pub(super) const ZERO: Frame = Frame {
        x19: std::ptr::null(),
        x29: std::ptr::null(),
        resume: std::ptr::null(),
        padding: 0,
    };

    /// Starts in `greenlet_entry` with its header at hand and the chain of frame pointers ended.
    #[inline(always)]
    pub(super) fn first(header: *const Header) -> Frame {
        Frame { x19: header.cast(), resume: greenlet_entry as *const (), ..Frame::ZERO }
    }

    /// The registers that are saved here and nowhere else on the suspended stack.
    pub(crate) fn registers(&self) -> [usize; 2] {
        [self.x19.addr(), self.x29.addr()]
    }
}

/// See `asm/aarch64/switch.s`.
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
            include_str!("../../asm/aarch64/switch.s"),
            inout("x0") payload,
            inout("x1") tag,
            inout("x2") who,
            inout("x3") to => _,
            out("x20") _, out("x21") _, out("x22") _, out("x23") _, out("x24") _,
            out("x25") _, out("x26") _, out("x27") _, out("x28") _,
            clobber_abi("C"),
            options(raw),
        );
    }
    Arrival { payload, tag, from: who }
}
