// A request to valgrind: does nothing on a processor. Enters by asm! in src/stack/valgrind.rs.
//
//   fn client_request(words: *const [usize; 6], otherwise: usize) -> usize
//
// register | in                   | out                  | kept
// ---------+----------------------+----------------------+--------------------------
// rax      | six words: request, five arguments          | untouched
// rdx      | answer without valgrind | answer            | valgrind writes it
// rdi      |                      |                      | turned by 128 bits: same
// flags    |                      |                      | clobbered
//
// No frame. Source: valgrind.h, __SPECIAL_INSTRUCTION_PREAMBLE for amd64.

    // 1. the mark: rotations that add up to two full turns
    rol rdi, 3
    rol rdi, 13
    rol rdi, 61
    rol rdi, 51
    // 2. the request: client_request(words, otherwise)
    xchg rbx, rbx
