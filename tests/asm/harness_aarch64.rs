//! A call with every register under control, for aarch64 (AAPCS64).

use std::arch::naked_asm;

/// What a function must give back, in the order of [`Registers::preserved`].
pub(crate) const PRESERVED: [&str; 19] = [
    "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x29", "d8", "d9", "d10",
    "d11", "d12", "d13", "d14", "d15",
];

/// What the registers hold when the call is made.
#[repr(C)]
pub(crate) struct Registers {
    pub(crate) preserved: [u64; PRESERVED.len()],
    /// Put into the condition flags.
    pub(crate) flags: u64,
    /// Put into all other general registers and, two words each, into v0 - v31 (d8 - d15 hold what
    /// is preserved, their upper halves hold dirt).
    pub(crate) dirt: [u64; 64],
    /// Not used here: all vectors are 128 bits wide.
    pub(crate) width: u64,
}

/// What is in the registers after the return.
#[repr(C)]
#[derive(Default)]
pub(crate) struct After {
    pub(crate) preserved: [u64; PRESERVED.len()],
    pub(crate) flags: u64,
}

/// Negative, zero, carry, overflow.
pub(crate) const FLAGS: u64 = 0xf000_0000;
/// There is no direction here.
pub(crate) const DIRECTION: u64 = 0;

pub(crate) fn width() -> u64 {
    0
}

/// Calls `visit(data)` with the registers of `set`, and stores those after the return in `after`.
///
/// # Safety
/// - `visit` may be called with `data`; `set` and `after` are valid.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn call_with(
    visit: extern "C" fn(*mut ()),
    data: *mut (),
    set: *const Registers,
    after: *mut After,
) {
    naked_asm!(
        r"
        .equ SET_FLAGS, 152
        .equ SET_DIRT, 160
        stp     x29, x30, [sp, #-176]!
        stp     x19, x20, [sp, #16]
        stp     x21, x22, [sp, #32]
        stp     x23, x24, [sp, #48]
        stp     x25, x26, [sp, #64]
        stp     x27, x28, [sp, #80]
        stp     d8, d9, [sp, #96]
        stp     d10, d11, [sp, #112]
        stp     d12, d13, [sp, #128]
        stp     d14, d15, [sp, #144]
        str     x3, [sp, #160]          // after
        mov     x16, x0                 // visit
        mov     x0, x1                  // data
        mov     x17, x2                 // set
        .irp    i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
        ldr     q\i, [x17, #(SET_DIRT + 16 * \i)]
        .endr
        // The lower halves of v8 - v15 only: a load of d8 would clear the upper one.
        .irp    i, 8,9,10,11,12,13,14,15
        ldr     x1, [x17, #(88 + 8 * (\i - 8))]
        mov     v\i\().d[0], x1
        .endr
        ldr     x1, [x17, #SET_FLAGS]
        msr     nzcv, x1
        .irp    i, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
        ldr     x\i, [x17, #(SET_DIRT + 8 * \i)]
        .endr
        .irp    i, 19,20,21,22,23,24,25,26,27,28,29
        ldr     x\i, [x17, #(8 * (\i - 19))]
        .endr
        ldr     x17, [x17, #SET_DIRT]
        blr     x16
        ldr     x16, [sp, #160]
        .irp    i, 19,20,21,22,23,24,25,26,27,28,29
        str     x\i, [x16, #(8 * (\i - 19))]
        .endr
        .irp    i, 8,9,10,11,12,13,14,15
        str     d\i, [x16, #(88 + 8 * (\i - 8))]
        .endr
        mrs     x1, nzcv
        str     x1, [x16, #SET_FLAGS]
        ldp     x19, x20, [sp, #16]
        ldp     x21, x22, [sp, #32]
        ldp     x23, x24, [sp, #48]
        ldp     x25, x26, [sp, #64]
        ldp     x27, x28, [sp, #80]
        ldp     d8, d9, [sp, #96]
        ldp     d10, d11, [sp, #112]
        ldp     d12, d13, [sp, #128]
        ldp     d14, d15, [sp, #144]
        ldp     x29, x30, [sp], #176
        ret
        ",
        options(raw)
    );
}

const _: () = assert!(std::mem::offset_of!(Registers, flags) == 152); // SET_FLAGS
const _: () = assert!(std::mem::offset_of!(Registers, dirt) == 160); // SET_DIRT
const _: () = assert!(std::mem::offset_of!(After, flags) == 152); // SET_FLAGS

/// What a body finds at its first instruction.
#[repr(C)]
#[derive(Debug, Default)]
pub(crate) struct Entered {
    pub(crate) sp: u64,
    pub(crate) frame_pointer: u64,
    pub(crate) flags: u64,
}

/// What `sp % 16` is at the first instruction of a function.
pub(crate) const ALIGNED: u64 = 0;

/// An entry that fills the [`Entered`] to which its payload points, puts a frame of its own into the
/// chain of frame pointers and calls [`super::entry::walk_by_hand`], which does not return.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn first(
    payload: greenlet::context::Word,
    tag: usize,
    from: *const greenlet::context::Context,
    me: *const greenlet::context::Context,
) -> ! {
    naked_asm!(
        "mov x9, sp",
        "mrs x10, nzcv",
        "stp x9, x29, [x0]",
        "str x10, [x0, #16]",
        "stp x29, x30, [sp, #-16]!",
        "mov x29, sp",
        "mov x4, x29",
        "bl {next}",
        "brk #1",
        next = sym super::entry::walk_by_hand,
    );
}
