// First frame of every new stack, and the places from which suspended and interrupted stacks are walked.
//
//   greenlet_entry: never executed; to those who walk the stack, it has called the body
//   greenlet_entered: the place in it that the body would return to
//   unsafe extern "C" fn greenlet_walk(frame: *const Frame, visit: extern "C" fn(*mut ()), data: *mut ())
//   greenlet_interrupted: never reached; a walk that comes here goes on in the registers of the signal
//   frame at sp, as behind a handler
//
//   register   the body, from switch.s      greenlet_walk
//   rdi        in: payload                  in: frame; then data for visit
//   rsi        in: tag                      in: visit
//   rdx        in: who came                 in: data
//   rcx        in: own header               clobbered
//   rbx        in: own header, for walks    saved; holds frame during the call
//   rbp        in: 0, ends rbp chains       untouched
//   others     clobbered                    clobbered as by a C call
//
//   frame of a new stack (high address first)            frame of greenlet_walk
//   +32   16-aligned: what lies above belongs to the     +8    return address
//         owner of the stack                             +0    rbx of the caller  <- sp in the call
//   +24   greenlet_entered               <- sp at entry
//   +0    a saved frame that resumes the body
//
// Nothing is saved below a body: there is no caller on this stack to give anything back to.

    .equ HEADER_UP, 8
    .equ LINK_HEADER, 24
    .equ FRAME_SIZE, 24
    .equ FRAME_RBP, 16
    .equ FRAME_RBX, 8
    .equ FRAME_RESUME, 0
    .equ SYS_RT_SIGRETURN, 15

    .text
    .hidden greenlet_entry
    .globl  greenlet_entry
    .type   greenlet_entry, @function
    .p2align 4
greenlet_entry:
    .cfi_startproc
    // Marked as a signal frame: gdb accepts a caller's frame at any address, and unwinders look
    // the caller up at its exact address (the landing label of switch.s, or the first of a body).
    .cfi_signal_frame
    // The caller is the saved frame to which the link above leads: CFA = its sp + FRAME_SIZE. No
    // branch for links whose stack is gone: they lead to a frame of their own, which is walked
    // through (valgrind's reader refuses expressions with branches).
    .cfi_escape 0x0f, 9             // DW_CFA_def_cfa_expression, 9 bytes
    .cfi_escape 0x73, HEADER_UP     //     breg (rbx) HEADER_UP
    .cfi_escape 0x06                //     deref                   link
    .cfi_escape 0x23, LINK_HEADER   //     plus_uconst LINK_HEADER
    .cfi_escape 0x06                //     deref                   header
    .cfi_escape 0x06                //     deref                   saved_sp
    .cfi_escape 0x23, FRAME_SIZE    //     plus_uconst FRAME_SIZE
    .cfi_offset rip, FRAME_RESUME - FRAME_SIZE
    .cfi_offset rbx, FRAME_RBX - FRAME_SIZE
    .cfi_offset rbp, FRAME_RBP - FRAME_SIZE
    nop                             // unwinders look up what lies one byte before the address
    .hidden greenlet_entered
    .globl  greenlet_entered
    .type   greenlet_entered, @function
greenlet_entered:
    // 1. enter
    // Nothing to do: switch.s leads into the body itself, with its return address on the stack. No call, whose return
    // would never take its place in the return predictor: all returns of those that run later, each wrong by one.
    // (While a body has not begun, it is resumed at its very beginning, one byte before which there is no name or
    // another one: a walk through it shows that.)
    // 2. never reached
    ud2
    .cfi_endproc
    .size   greenlet_entry, . - greenlet_entry

    .hidden greenlet_walk
    .globl  greenlet_walk
    .type   greenlet_walk, @function
    .p2align 4
greenlet_walk:
    .cfi_startproc
    .cfi_signal_frame
    // 3. land
    endbr64
    // 4. save
    push    rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rbx, 0
    // 5. take the frame
    mov     rbx, rdi
    mov     rdi, rdx
    .cfi_remember_state
    // Until the call is over, the caller is the suspended frame and not the real one.
    .cfi_def_cfa rbx, FRAME_SIZE
    .cfi_offset rip, FRAME_RESUME - FRAME_SIZE
    .cfi_offset rbx, FRAME_RBX - FRAME_SIZE
    .cfi_offset rbp, FRAME_RBP - FRAME_SIZE
    // 6. visit
    call    rsi
    nop                             // the return address still belongs to the suspended view
    .cfi_restore_state
    // 7. restore
    pop     rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore rbx
    // 8. return
    ret
    .cfi_endproc
    .size   greenlet_walk, . - greenlet_walk

    .hidden greenlet_interrupted
    .globl  greenlet_interrupted
    .type   greenlet_interrupted, @function
    .p2align 4
greenlet_interrupted:
    nop                             // unwinders look up what lies one byte before the address
    // No unwind information: where there is none, unwinders know these two instructions for those
    // that the kernel returns to from a handler, and take all registers from the signal frame at
    // sp: a ucontext.
    // 9. leave the handler that there is not
    mov     rax, SYS_RT_SIGRETURN
    syscall
    .size   greenlet_interrupted, . - greenlet_interrupted

    .section .note.GNU-stack, "", @progbits
    .text
