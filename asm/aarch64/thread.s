// The word of each thread: a thread-local of our own, because one of Rust's is found by a call (linkers replace the
// call, but by then the compiler has put everything aside for it).
//
//   static mut greenlet_thread: *const Thread    begins as the address of `nobody`; read by this_thread.s
//   unsafe extern "C" fn greenlet_set_thread(word: *const Thread)
//
//   register   in        out
//   x0         word      -
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
    .xword  {nobody}

    .text
    .hidden greenlet_set_thread
    .globl  greenlet_set_thread
    .type   greenlet_set_thread, @function
    .p2align 4
greenlet_set_thread:
    .cfi_startproc
    // 1. land
    hint    #34                     // bti c
    // 2. find the place
    mov     x8, x0
    mov     x9, x30
    .cfi_register x30, x9
    adrp    x0, :tlsdesc:greenlet_thread
    ldr     x1, [x0, :tlsdesc_lo12:greenlet_thread]
    add     x0, x0, :tlsdesc_lo12:greenlet_thread
    .tlsdesccall greenlet_thread
    blr     x1
    mov     x30, x9
    .cfi_restore x30
    mrs     x1, tpidr_el0
    // 3. write
    str     x8, [x1, x0]
    // 4. return
    ret
    .cfi_endproc
    .size   greenlet_set_thread, . - greenlet_set_thread

    .section .note.GNU-stack, "", @progbits
    .text
