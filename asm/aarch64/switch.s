// Suspends the running context and resumes another one.
//
//   unsafe fn switch(from: *const Header, to: *const Header, payload: Word, tag: usize) -> Arrival
//
// Inlined at its one door in src/arch/aarch64.rs: no symbol, no CFI of its own, labels from 2 up.
// It leaves by `br`: a `ret` would take an entry from the return predictor that belongs to the
// side that runs next, and every return of that side would then be mispredicted.
//
//   register   in              out                 kept
//   x0         payload         payload sent to us  -
//   x1         tag             tag sent to us      -
//   x2         from            who resumed us      -
//   x3         to              own header          -
//   x16        -               -                   clobbered (resume address, old sp)
//   x17        -               -                   clobbered (new sp; in a first frame, the body)
//   x19, x29   -               -                   saved here: the compiler may not name them
//   x20 - x28  -               -                   declared clobbered: saved only where live
//   x18        -               -                   untouched (platform register)
//   others     -               -                   clobbered as by a C call (d8 - d15 and x30 too)
//
//   frame of a suspended context (high address first)
//   +32   stack of the suspended function: its sp once resumed
//   +24   not written: sp stays 16-aligned; in a first frame, the body
//   +16   resume address
//    +8   x29
//    +0   x19                               <- saved_sp
//
// Not saved: signal mask (a system call), FPCR (src/arch/fpenv.rs saves it under the feature
// `fpenv`). The resume address is not signed: stacks never move, and signed return addresses of
// the compiler's own frames use sp as their modifier.

    .equ .Lheader_saved_sp, 0
    .equ .Lframe_size, 32
    .equ .Lframe_resume, 16

    // 1. save
    // Early: nothing below waits for anything longer. In a ring of 10,000, its cache miss overlaps with the
    // pushes: half the time.
    ldr     x17, [x3, #.Lheader_saved_sp]
    adr     x16, 2f
    stp     x19, x29, [sp, #-.Lframe_size]!
    str     x16, [sp, #.Lframe_resume]
    // 2. publish sp
    mov     x16, sp
    str     x16, [x2, #.Lheader_saved_sp]
    // 3. take the new sp
    mov     sp, x17
    // 4. restore
    ldp     x16, x17, [sp, #.Lframe_resume]
    ldp     x19, x29, [sp], #.Lframe_size
    // 5. leave
    br      x16
    // 6. resumed
2:  hint    #36                             // bti j
