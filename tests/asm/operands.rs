//! What the compiler keeps in a register across an inlined switch is one it may keep there: a value
//! is pinned to each register by name before and after the switch, and the other side dirties all.

use crate::harness::{After, PRESERVED, Registers, call_with, width};
use crate::pair::Pair;
use crate::random::Random;
use greenlet::context::{Context, Word};
use std::arch::{asm, naked_asm};

type Empty = Pair<()>;

#[inline(never)]
extern "C" fn cross_to_main(pair: *mut ()) {
    // SAFETY: called with the pair.
    unsafe { &*pair.cast::<Empty>() }.to_main();
}

unsafe extern "C" fn dirty(payload: Word, _: usize, _: *const Context, _: *const Context) -> ! {
    let random = Random::new(5);
    let mut set =
        Registers { preserved: [0; PRESERVED.len()], flags: 0, dirt: [0; _], width: width() };
    loop {
        random.fill(&mut set.preserved);
        random.fill(&mut set.dirt);
        // SAFETY: the payload is the pair; both records are ours.
        unsafe {
            let pair = payload.assume_init().cast();
            call_with(cross_to_main, pair, &set, &mut After::default());
        }
    }
}

macro_rules! pinned {
    ($pair:expr, $random:expr; $($register:tt)*) => { $({
        let before = $random.next();
        let mut after = before;
        // SAFETY: no instruction: tells the compiler that the value is in the register, and new.
        unsafe { asm!("", inlateout($register) after, options(nomem, nostack)) };
        $pair.to_other();
        // SAFETY: no instruction.
        unsafe { asm!("", inlateout($register) after, options(nomem, nostack)) };
        assert_eq!(before, after, $register);
    })* };
}

#[cfg(target_arch = "x86_64")]
fn pin_each(pair: &Empty, random: &Random) {
    pinned! { pair, random; "rax" "rcx" "rdx" "rsi" "rdi" "r8" "r9" "r10" "r11" "r12" "r13" "r14" "r15" }
    pinned! { pair, random; "xmm0" "xmm1" "xmm2" "xmm3" "xmm4" "xmm5" "xmm6" "xmm7" "xmm8" "xmm9" "xmm10" "xmm11"
    "xmm12" "xmm13" "xmm14" "xmm15" }
}

#[cfg(target_arch = "aarch64")]
fn pin_each(pair: &Empty, random: &Random) {
    pinned! { pair, random; "x0" "x1" "x2" "x3" "x4" "x5" "x6" "x7" "x8" "x9" "x10" "x11" "x12" "x13"
    "x14" "x15" "x16" "x17" "x20" "x21" "x22" "x23" "x24" "x25" "x26" "x27" "x28" "x30" }
    pinned! { pair, random; "v0" "v1" "v2" "v3" "v4" "v5" "v6" "v7" "v8" "v9" "v10" "v11" "v12" "v13"
    "v14" "v15" "v16" "v17" "v18" "v19" "v20" "v21" "v22" "v23" "v24" "v25" "v26" "v27" "v28" "v29"
    "v30" "v31" }
}

#[test]
fn nothing_lives_in_a_register_that_is_lost() {
    let pair = Empty::new(dirty, ());
    let random = Random::new(6);
    for _ in 0..1_000 {
        pin_each(&pair, &random);
    }
}

/// More values than registers, of both kinds, all alive across the switch.
#[test]
fn many_values_live_across_a_switch() {
    let pair = Empty::new(dirty, ());
    let random = Random::new(7);
    for _ in 0..1_000 {
        let whole: [u64; 24] = std::array::from_fn(|_| random.next());
        let real: [f64; 40] = std::array::from_fn(|_| random.next() as f64);
        let expected = mixed(&whole, &real, || ());
        let found = mixed(&whole, &real, || pair.to_other());
        assert_eq!(expected, found);
    }
}

#[inline(always)]
fn mixed(whole: &[u64; 24], real: &[f64; 40], between: impl Fn()) -> (u64, u64) {
    // Unrolled, so that each of them is a value of its own and not a place in an array.
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x] =
        whole.map(std::hint::black_box);
    let real = real.map(|value| std::hint::black_box(value) * 0.5);
    between();
    let sum = [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x]
        .into_iter()
        .fold(0_u64, |sum, value| sum.rotate_left(5) ^ value);
    (sum, real.into_iter().fold(0.0, |sum, value| sum * 0.25 + value).to_bits())
}

macro_rules! breakers {
    ($($register:tt $instruction:tt)*) => {
        /// A function that does not give one register back as it found it.
        pub(crate) fn breaker(register: &str) -> extern "C" fn(*mut ()) {
            $({
                #[unsafe(naked)]
                extern "C" fn breaks(_: *mut ()) {
                    naked_asm!($instruction, "ret");
                }
                if register == $register {
                    return breaks;
                }
            })*
            panic!("no function breaks {register}")
        }
    };
}

#[cfg(target_arch = "x86_64")]
breakers! {
    "rbx" "not rbx" "rbp" "not rbp" "r12" "not r12" "r13" "not r13" "r14" "not r14" "r15" "not r15"
}

#[cfg(target_arch = "aarch64")]
breakers! {
    "x19" "mvn x19, x19" "x20" "mvn x20, x20" "x21" "mvn x21, x21" "x22" "mvn x22, x22"
    "x23" "mvn x23, x23" "x24" "mvn x24, x24" "x25" "mvn x25, x25" "x26" "mvn x26, x26"
    "x27" "mvn x27, x27" "x28" "mvn x28, x28" "x29" "mvn x29, x29"
    "d8" "mvn v8.8b, v8.8b" "d9" "mvn v9.8b, v9.8b" "d10" "mvn v10.8b, v10.8b"
    "d11" "mvn v11.8b, v11.8b" "d12" "mvn v12.8b, v12.8b" "d13" "mvn v13.8b, v13.8b"
    "d14" "mvn v14.8b, v14.8b" "d15" "mvn v15.8b, v15.8b"
}
