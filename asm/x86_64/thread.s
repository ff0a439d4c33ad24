// The word of each thread: a thread-local of our own, because one of Rust's is found by a call (linkers replace the
// call, but by then the compiler has put everything aside for it).
//
//   static mut greenlet_thread: *const Thread    begins as the address of `nobody`; read by this_thread.s
//   unsafe extern "C" fn greenlet_set_thread(word: *const Thread)
//
//   register   in        out
//   rdi        word      -
//   others     -         clobbered as by a C call
//
//   no frame

    .section .tdata, "awT", @progbits
    .hidden greenlet_thread
    .globl  greenlet_thread
    .type   greenlet_thread, @object
    .size   greenlet_thread, 8
    .p2align 3
greenlet_thread:
    .quad   {nobody}

    .text
    .hidden greenlet_set_thread
    .globl  greenlet_set_thread
    .type   greenlet_set_thread, @function
    .p2align 4
greenlet_set_thread:
    .cfi_startproc
    // 1. land
    endbr64
    // 2. find the place
    push    rdi
    .cfi_adjust_cfa_offset 8
    lea     rax, [rip + greenlet_thread@tlsdesc]
    call    [rax + greenlet_thread@tlscall]
    pop     rdi
    .cfi_adjust_cfa_offset -8
    // 3. write
    mov     fs:[rax], rdi
    // 4. return
    ret
    .cfi_endproc
    .size   greenlet_set_thread, . - greenlet_set_thread

    .section .note.GNU-stack, "", @progbits
    .text
