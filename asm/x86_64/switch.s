// Suspends the running context and resumes another one.
//
//   unsafe fn switch(from: *const Header, to: *const Header, payload: Word, tag: usize) -> Arrival
//
// Inlined at its one door in src/arch/x86_64.rs: no symbol, no CFI of its own, labels from 2 up.
// It leaves by `jmp`: a `ret` would take an entry from the return predictor that belongs to the
// side that runs next, and every return of that side would then be mispredicted.
//
//   register   in              out                 kept
//   rdi        payload         payload sent to us  -
//   rsi        tag             tag sent to us      -
//   rdx        from            who resumed us      -
//   rcx        to              own header          -
//   rax        -               -                   clobbered (resume address)
//   r8         -               -                   clobbered (new sp)
//   rbx, rbp   -               -                   saved here: the compiler may not name them
//   r12 - r15  -               -                   declared clobbered: saved only where live
//   others     -               -                   clobbered as by a C call
//
//   frame of a suspended context (high address first)
//   +24   stack of the suspended function: its sp once resumed
//   +16   rbp
//    +8   rbx
//    +0   resume address                    <- saved_sp
//
// Not saved: signal mask (a system call), MXCSR and x87 control word (4.5 ns; src/arch/fpenv.rs
// saves them under the feature `fpenv`), vector registers (caller-saved in this ABI).

    .equ .Lheader_saved_sp, 0

    // 1. save
    // Early: nothing below waits for anything longer. In a ring of 10,000, its cache miss overlaps with the
    // pushes: half the time.
    mov     r8, [rcx + .Lheader_saved_sp]
    lea     rax, [rip + 2f]
    push    rbp
    push    rbx
    push    rax
    // 2. publish sp
    mov     [rdx + .Lheader_saved_sp], rsp
    // 3. take the new sp
    mov     rsp, r8
    // 4. restore
    pop     rax
    pop     rbx
    pop     rbp
    // 5. leave
    jmp     rax
    // 6. resumed
2:  endbr64
