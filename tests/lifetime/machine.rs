//! Machine state: rule 158. The registers one by one are the business of `arch::tests`.

use greenlet::{Greenlet, suspend};
use std::hint::black_box;

/// Many values that live across a switch, in whatever registers there are.
#[inline(never)]
fn busy(seed: u64, away: &dyn Fn()) -> u64 {
    let whole: [u64; 12] = std::array::from_fn(|i| black_box(seed.wrapping_mul(i as u64 + 3)));
    let [a, b, c, d, e, f, g, h, i, j, k, l] = whole;
    let real: [f64; 12] = std::array::from_fn(|i| black_box(seed as f64 + i as f64 / 3.0));
    let [m, n, o, p, q, r, s, t, u, v, w, x] = real;
    away();
    let whole = a ^ b ^ c ^ d ^ e ^ f ^ g ^ h ^ i ^ j ^ k ^ l;
    let real = m + n * 3.0 + o + p * 5.0 + q + r + s * 7.0 + t + u + v * 11.0 + w + x;
    whole ^ real.to_bits()
}

#[test]
fn what_lives_across_a_switch_is_kept() {
    let greenlets: Vec<_> = (1..40_u64)
        .map(|seed| {
            Greenlet::new(move |()| {
                for round in 0..20 {
                    let expected = busy(seed + round, &|| ());
                    assert_eq!(busy(seed + round, &|| suspend::<(), ()>(())), expected);
                }
            })
        })
        .collect();
    for round in 0..21 {
        for g in &greenlets {
            let expected = busy(round, &|| ());
            assert_eq!(busy(round, &|| g.switch::<(), ()>(())), expected);
        }
    }
    assert!(greenlets.iter().all(Greenlet::is_dead));
}

#[cfg(all(feature = "fpenv", target_arch = "x86_64"))]
#[expect(unsafe_code, reason = "reads and loads a control register")]
#[test]
fn each_greenlet_has_its_own_rounding_mode() {
    use std::arch::asm;
    fn mxcsr() -> u32 {
        let mut word = 0_u32;
        // SAFETY: stores the register.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut word, options(nostack)) };
        word & 0xffc0 // without the sticky exception flags
    }
    fn set_mxcsr(word: u32) {
        // SAFETY: a valid control word.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const word, options(nostack)) };
    }
    let g = Greenlet::new(|()| {
        assert_eq!(mxcsr(), 0x1f80);
        set_mxcsr(0x7f80); // towards zero
        suspend::<(), ()>(());
        assert_eq!(mxcsr(), 0x7f80);
        set_mxcsr(0x1f80);
    });
    g.switch::<(), ()>(());
    assert_eq!(mxcsr(), 0x1f80);
    g.switch::<(), ()>(());
}
