//! Functions that recurse for ever, and what an overflow report must say.

use crate::in_child::{Outcome, tell};
use crate::random::Random;
use greenlet::Greenlet;
use std::hint::black_box;

/// Recurses with a frame of about `N` bytes until something stops it.
#[inline(never)]
#[expect(unconditional_recursion, reason = "it is to overflow")]
pub(crate) fn recurse<const N: usize>(depth: usize) -> usize {
    let mut frame = [depth as u8; N];
    black_box(&mut frame);
    recurse::<N>(black_box(depth + 1)) + usize::from(black_box(&frame)[N / 2])
}

/// Recurses with frames of many sizes in an order that `seed` decides.
pub(crate) fn recurse_at_random(seed: u64) -> usize {
    #[inline(never)]
    fn step<const N: usize>(seed: u64) -> usize {
        let mut frame = [seed as u8; N];
        black_box(&mut frame);
        recurse_at_random(black_box(seed)) + usize::from(black_box(&frame)[N / 2])
    }
    let next = mix(seed);
    match next % 64 {
        0 => step::<{ 1 << 20 }>(next),
        1 => step::<200_000>(next),
        2 => step::<61_440>(next),
        3 | 4 => step::<20_000>(next),
        5..8 => step::<8_200>(next),
        8..16 => step::<4_096>(next),
        16..32 => step::<1_000>(next),
        32..48 => step::<100>(next),
        _ => step::<1>(next),
    }
}

/// Another number for each seed.
pub(crate) fn mix(seed: u64) -> u64 {
    Random::new(seed).next()
}

/// Tells the parent process which greenlet is going to overflow, and where its stack is.
pub(crate) fn tell_victim(victim: &Greenlet) {
    let bounds = victim.stack_bounds().expect("a living greenlet has a stack");
    let id: u64 = format!("{}", victim.id()).trim_start_matches("greenlet ").parse().unwrap();
    tell("victim", &[id as usize, bounds.start, bounds.end]);
    let created = victim.created_at().expect("where it was made");
    tell("created", &[created.line() as usize, created.column() as usize]);
}

/// Dead by our report, which names the victim, its stack, and where it was made; `file` is where.
#[track_caller]
pub(crate) fn assert_overflow(outcome: &Outcome, name: Option<&str>, kib: usize, file: &str) {
    const GUARD_BYTES: usize = 64 << 10;
    let (victim, created) = (outcome.numbers("victim"), outcome.numbers("created"));
    let (id, low) = (victim[0], victim[1]);
    let (line, column) = (created[0], created[1]);
    outcome.died_of(libc::SIGSEGV);
    let quoted = name.map(|name| format!(" '{name}'")).unwrap_or_default();
    let before = format!("greenlet {id}{quoted} overflowed its {kib} KiB stack (guard hit at 0x");
    let after = format!(", created at {file}:{line}:{column}); raise it with Builder::stack_size");
    let said = outcome.stderr.lines().find_map(|line| line.strip_prefix(&before));
    let Some(hit) = said.and_then(|said| said.strip_suffix(&after)) else {
        panic!("standard error lacks {before}..{after}\n{outcome}")
    };
    let hit = usize::from_str_radix(hit, 16).expect("an address");
    assert!((low - GUARD_BYTES..low).contains(&hit), "the address is in its guard\n{outcome}");
    assert_eq!(outcome.stderr.matches("overflowed").count(), 1, "said once\n{outcome}");
}
