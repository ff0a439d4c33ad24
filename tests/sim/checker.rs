//! Random programs in random worlds. `GREENLET_SEEDS` says how many, `GREENLET_SEED` which one alone.

use super::seeds;

#[test]
fn every_program_keeps_its_promises_under_every_seed() {
    let one = seeds::number("GREENLET_SEED", u64::MAX);
    if one != u64::MAX {
        return seeds::run(one, 1);
    }
    seeds::run(seeds::number("GREENLET_FIRST_SEED", 0), seeds::number("GREENLET_SEEDS", 300));
}
