// Resumes another context for ever: the second half of switch.s, with nothing saved.
//
//   unsafe fn leave(from: *const Header, to: *const Header, payload: Word, tag: usize) -> !
//
// Inlined at its one door in src/arch/aarch64.rs: no symbol, no CFI of its own.
//
//   register   in              at the other side
//   x0         payload         payload sent to it
//   x1         tag             tag sent to it
//   x2         from            who resumed it
//   x3         to              own header
//   x16, x17   -               clobbered, as in switch.s
//   x19, x29   -               those that it saved
//   others     -               clobbered as by a C call
//
//   no frame: who leaves for ever is not resumed

    .equ .Lheader_saved_sp, 0
    .equ .Lframe_size, 32
    .equ .Lframe_resume, 16

    // 1. take the new sp
    ldr     x17, [x3, #.Lheader_saved_sp]
    mov     sp, x17
    // 2. restore
    ldp     x16, x17, [sp, #.Lframe_resume]
    ldp     x19, x29, [sp], #.Lframe_size
    // 3. leave
    br      x16
