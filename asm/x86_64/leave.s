// Resumes another context for ever: the second half of switch.s, with nothing saved.
//
//   unsafe fn leave(from: *const Header, to: *const Header, payload: Word, tag: usize) -> !
//
// Inlined at its one door in src/arch/x86_64.rs: no symbol, no CFI of its own.
//
//   register   in              at the other side
//   rdi        payload         payload sent to it
//   rsi        tag             tag sent to it
//   rdx        from            who resumed it
//   rcx        to              own header
//   rax        -               clobbered (resume address)
//   rbx, rbp   -               those that it saved
//   others     -               clobbered as by a C call
//
//   no frame: who leaves for ever is not resumed

    .equ .Lheader_saved_sp, 0

    // 1. take the new sp
    mov     rsp, [rcx + .Lheader_saved_sp]
    // 2. restore
    pop     rax
    pop     rbx
    pop     rbp
    // 3. leave
    jmp     rax
