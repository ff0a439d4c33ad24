//! A call with every register under control, for x86_64 (System V).

use std::arch::naked_asm;

/// What a function must give back, in the order of [`Registers::preserved`].
pub(crate) const PRESERVED: [&str; 6] = ["rbx", "rbp", "r12", "r13", "r14", "r15"];

/// What the registers hold when the call is made.
#[repr(C)]
pub(crate) struct Registers {
    pub(crate) preserved: [u64; PRESERVED.len()],
    /// Put into the flags, as far as a function may find them set.
    pub(crate) flags: u64,
    /// Put into all other general registers, vector and mask registers.
    pub(crate) dirt: [u64; 40],
    /// How wide the vectors are: see [`width`].
    pub(crate) width: u64,
}

/// What is in the registers after the return.
#[repr(C)]
#[derive(Default)]
pub(crate) struct After {
    pub(crate) preserved: [u64; PRESERVED.len()],
    pub(crate) flags: u64,
}

/// Carry, parity, adjust, zero, sign, overflow: all but the direction.
pub(crate) const FLAGS: u64 = 0x8d5;
/// The direction of string instructions, which is upwards at every call and return.
pub(crate) const DIRECTION: u64 = 0x400;

/// 0: xmm; 1: ymm; 2: zmm and mask registers.
pub(crate) fn width() -> u64 {
    if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
        2
    } else {
        u64::from(is_x86_feature_detected!("avx"))
    }
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
        .equ SET_FLAGS, 48
        .equ SET_DIRT, 56
        .equ SET_WIDTH, 376
        push    rbp
        push    rbx
        push    r12
        push    r13
        push    r14
        push    r15
        push    rcx                     // [rsp + 16]: after
        push    rdi                     // [rsp + 8]: visit
        sub     rsp, 8
        mov     rbx, rdx
        mov     rdi, rsi
        mov     rax, [rbx + SET_WIDTH]
        cmp     rax, 1
        je      3f
        ja      4f
        .irp    i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
        movdqu  xmm\i, [rbx + SET_DIRT + 8 * \i]
        .endr
        jmp     5f
3:      .irp    i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
        vmovdqu ymm\i, [rbx + SET_DIRT + 8 * \i]
        .endr
        jmp     5f
4:      .irp    i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
        vmovdqu64 zmm\i, [rbx + SET_DIRT + 8 * \i]
        .endr
        .irp    i, 0,1,2,3,4,5,6,7
        kmovq   k\i, [rbx + SET_DIRT + 8 * \i]
        .endr
5:      push    [rbx + SET_FLAGS]
        popfq
        mov     rax, [rbx + SET_DIRT]
        mov     rcx, [rbx + SET_DIRT + 8]
        mov     rdx, [rbx + SET_DIRT + 16]
        mov     rsi, [rbx + SET_DIRT + 24]
        mov     r8, [rbx + SET_DIRT + 32]
        mov     r9, [rbx + SET_DIRT + 40]
        mov     r10, [rbx + SET_DIRT + 48]
        mov     r11, [rbx + SET_DIRT + 56]
        mov     rbp, [rbx + 8]
        mov     r12, [rbx + 16]
        mov     r13, [rbx + 24]
        mov     r14, [rbx + 32]
        mov     r15, [rbx + 40]
        mov     rbx, [rbx]
        call    [rsp + 8]
        mov     rax, [rsp + 16]
        mov     [rax], rbx
        mov     [rax + 8], rbp
        mov     [rax + 16], r12
        mov     [rax + 24], r13
        mov     [rax + 32], r14
        mov     [rax + 40], r15
        pushfq
        pop     [rax + 48]
        cld
        add     rsp, 24
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     rbx
        pop     rbp
        ret
        ",
        options(raw)
    );
}

const _: () = assert!(std::mem::offset_of!(Registers, flags) == 48); // SET_FLAGS
const _: () = assert!(std::mem::offset_of!(Registers, dirt) == 56); // SET_DIRT
const _: () = assert!(std::mem::offset_of!(Registers, width) == 376); // SET_WIDTH

/// What a body finds at its first instruction.
#[repr(C)]
#[derive(Debug, Default)]
pub(crate) struct Entered {
    pub(crate) sp: u64,
    pub(crate) frame_pointer: u64,
    pub(crate) flags: u64,
}

/// What `sp % 16` is at the first instruction of a function: a return address was pushed.
pub(crate) const ALIGNED: u64 = 8;

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
        "mov [rdi], rsp",
        "mov [rdi + 8], rbp",
        "pushfq",
        "pop [rdi + 16]",
        "push rbp",
        "mov rbp, rsp",
        "mov r8, rbp",
        "call {next}",
        "ud2",
        next = sym super::entry::walk_by_hand,
    );
}
