// A request to valgrind: does nothing on a processor. Enters by asm! in src/stack/valgrind.rs.
//
//   fn client_request(words: *const [usize; 6], otherwise: usize) -> usize
//
// register | in                   | out                  | kept
// ---------+----------------------+----------------------+--------------------------
// x4       | six words: request, five arguments          | untouched
// x3       | answer without valgrind | answer            | valgrind writes it
// x12      |                      |                      | turned by 128 bits: same
// flags    |                      |                      | untouched
//
// No frame. Source: valgrind.h, __SPECIAL_INSTRUCTION_PREAMBLE for arm64.

    // 1. the mark: rotations that add up to two full turns
    ror x12, x12, #3
    ror x12, x12, #13
    ror x12, x12, #51
    ror x12, x12, #61
    // 2. the request: client_request(words, otherwise)
    orr x10, x10, x10
