// The word of each thread: a thread-local of our own, because one of Rust's is found by a call (linkers replace the
// call, but by then the compiler has put everything aside for it).
//
//   static mut greenlet_thread: *const Thread    begins as the address of `nobody`; read by this_thread.s
//   unsafe extern "C" fn greenlet_set_thread(word: *const Thread)
//
//   register   in        out
//   x0         word      -
//   x8, x9     -         clobbered
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
    mrs     x8, tpidr_el0
    adrp    x9, :gottprel:greenlet_thread
    ldr     x9, [x9, :gottprel_lo12:greenlet_thread]
    // 3. write
    str     x0, [x8, x9]
    // 4. return
    ret
    .cfi_endproc
    .size   greenlet_set_thread, . - greenlet_set_thread

    .section .note.GNU-stack, "", @progbits
    .text
