//! Over-aligned locals on new stacks, of every kind of closure.

use greenlet::Greenlet;
use std::hint::black_box;
use std::mem::transmute;

#[repr(align(64))]
#[derive(Clone, Copy, Debug, PartialEq)]
struct Line([u64; 8]);

#[cfg(target_arch = "x86_64")]
type Vector = std::arch::x86_64::__m128i;
#[cfg(target_arch = "aarch64")]
type Vector = std::arch::aarch64::uint64x2_t;

/// Aligned moves of vectors and lines: a wrong stack pointer would fault, or show in an address.
#[inline(never)]
fn use_aligned_locals(seed: u64) -> u64 {
    // SAFETY: any bytes are a vector.
    let vectors: [Vector; 4] = black_box(unsafe { transmute::<[u64; 8], [Vector; 4]>([seed; 8]) });
    let line = black_box(Line([seed; 8]));
    assert_eq!((&raw const vectors).addr() % align_of::<Vector>(), 0);
    assert_eq!((&raw const line).addr() % 64, 0);
    // SAFETY: as above.
    let words: [u64; 8] = black_box(unsafe { transmute::<[Vector; 4], [u64; 8]>(vectors) });
    assert_eq!(line, Line(words));
    line.0[7]
}

#[test]
fn locals_are_aligned() {
    let greenlet = Greenlet::new(|seed: u64| {
        let line = black_box(Line([seed; 8]));
        use_aligned_locals(greenlet::suspend::<u64, u64>(use_aligned_locals(line.0[0])))
    });
    assert_eq!(greenlet.switch::<u64, u64>(1), 1);
    assert_eq!(greenlet.switch::<u64, u64>(2), 2);
}

/// What a closure captures lies at the top of the stack and moves the first frame.
#[test]
fn locals_are_aligned_below_closures_of_any_size() {
    fn with<const BYTES: usize>() {
        let captured = [3_u8; BYTES];
        let greenlet = Greenlet::new(move |()| {
            let captured = black_box(captured);
            use_aligned_locals(captured.iter().map(|&byte| u64::from(byte)).sum())
        });
        assert_eq!(greenlet.switch::<(), u64>(()), 3 * BYTES as u64);
    }
    with::<0>();
    with::<1>();
    with::<7>();
    with::<8>();
    with::<15>();
    with::<17>();
    with::<33>();
    with::<1023>();
    with::<1025>();
    let line = Line([4; 8]);
    let greenlet = Greenlet::new(move |()| black_box(line).0.iter().sum::<u64>());
    assert_eq!(greenlet.switch::<(), u64>(()), 32);
}
