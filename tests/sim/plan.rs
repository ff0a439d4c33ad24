//! A program as data, out of a seed: so that it can be run again with less in it.

use super::random::Random;
use greenlet::sim::Faults;

/// What a run consists of.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) faults: Faults,
    pub(crate) parts: Vec<Part>,
    pub(crate) blows: Vec<Blow>,
}

/// Greenlets that have something to do with one another.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    /// A stream between two: chunks of so many bytes, read in one of several ways.
    Talk { kind: u8, chunks: Vec<usize>, reader: u8, buffer: usize, ending: u8, pause_ms: u64 },
    /// A listener, those who accept, and clients that want their own token back.
    Serve {
        kind: u8,
        acceptors: usize,
        incoming: bool,
        clients: Vec<u64>,
        close_after_ms: Option<u64>,
    },
    /// Datagrams.
    Post { unix: bool, count: usize, senders: usize, receivers: usize },
    /// Sleeps, limits, limits within limits.
    Naps { lengths_ms: Vec<u64>, kind: u8 },
    /// Items through a queue.
    Goods { queue: u8, capacity: usize, makers: Vec<usize>, takers: usize, limit_ms: Option<u64> },
    /// A semaphore, a mutex, a lock with readers, a condition.
    Locks { kind: u8, places: usize, users: usize, turns: usize, hold: u8 },
    /// A stream that is closed under its reader, and its numbers given to another.
    Reuse { rounds: usize, yields: u64 },
    /// Calls on other threads; alone in its plan, because their time is real.
    Errands { count: u64 },
    /// A pool with more to do than places.
    Crew { size: usize, jobs: usize, kind: u8 },
}

/// Something that happens to a greenlet of a part.
#[derive(Debug, Clone)]
pub(crate) struct Blow {
    pub(crate) at_ms: u64,
    pub(crate) part: usize,
    pub(crate) which: usize,
    pub(crate) kind: u8,
}

impl Plan {
    /// The plan of that seed.
    pub(crate) fn new(seed: u64) -> Plan {
        let random = Random::new(seed ^ 0x5EED);
        for _ in 0..4 {
            random.next();
        }
        let faults = match random.below(16) {
            0 => Faults::none(),
            1..=5 => Faults::timing(),
            6 => Faults::timing().with(Faults::CLOCK).with(Faults::LOSS),
            _ => Faults::all(),
        };
        let count = 1 + random.below(4) as usize;
        let mut parts: Vec<Part> = (0..count).map(|_| part(&random)).collect();
        if random.one_in(32) {
            parts = vec![Part::Errands { count: 1 + random.below(4) }];
            return Plan { seed, faults, parts, blows: Vec::new() };
        }
        let blows = match random.below(2) {
            0 => Vec::new(),
            _ => (0..1 + random.below(4)).map(|_| blow(&random, count)).collect(),
        };
        Plan { seed, faults, parts, blows }
    }

    /// Does nothing but time and order go wrong in this part?
    pub(crate) fn is_calm(&self, part: usize) -> bool {
        Faults::timing().with(Faults::CLOCK).has(self.faults) && !self.is_hit(part)
    }

    pub(crate) fn is_hit(&self, part: usize) -> bool {
        self.blows.iter().any(|blow| blow.part == part)
    }
}

fn some(random: &Random, most: u64) -> usize {
    1 + random.below(most) as usize
}

fn part(random: &Random) -> Part {
    match random.below(13) {
        0..=2 => {
            let size = [8, 200, 5000, 90_000][random.below(4) as usize];
            let chunks = (0..some(random, 6)).map(|_| some(random, size)).collect();
            Part::Talk {
                kind: random.below(3) as u8,
                chunks,
                reader: random.below(7) as u8,
                buffer: some(random, [4, 100, 4000][random.below(3) as usize])
                    .max(size as usize / 100),
                ending: random.below(3) as u8,
                pause_ms: random.below(3) * random.below(40),
            }
        }
        3..=5 => Part::Serve {
            kind: random.below(2) as u8,
            acceptors: some(random, 3),
            incoming: random.one_in(2),
            clients: (0..some(random, 6)).map(|_| random.below(30)).collect(),
            close_after_ms: random.one_in(3).then(|| random.below(50)),
        },
        6 => Part::Post {
            unix: random.one_in(2),
            count: some(random, 30),
            senders: some(random, 2),
            receivers: some(random, 2),
        },
        7 => Part::Naps {
            lengths_ms: (0..some(random, 6)).map(|_| nap_ms(random)).collect(),
            kind: random.below(6) as u8,
        },
        8 | 9 => Part::Goods {
            queue: random.below(5) as u8,
            capacity: some(random, 4),
            makers: (0..some(random, 3)).map(|_| some(random, 12)).collect(),
            takers: some(random, 3),
            limit_ms: random.one_in(2).then(|| random.below(20)),
        },
        10 => Part::Locks {
            kind: random.below(4) as u8,
            places: some(random, 3),
            users: some(random, 6),
            turns: some(random, 5),
            hold: random.below(3) as u8,
        },
        11 => Part::Reuse { rounds: some(random, 5), yields: random.below(3) },
        _ => Part::Crew {
            size: some(random, 3),
            jobs: some(random, 12),
            kind: random.below(3) as u8,
        },
    }
}

fn nap_ms(random: &Random) -> u64 {
    match random.below(5) {
        0 => 0,
        1 | 2 => random.below(20),
        3 => random.below(70_000),
        _ => random.below(4_000_000_000), // 46 days
    }
}

fn blow(random: &Random, parts: usize) -> Blow {
    Blow {
        at_ms: random.below(60),
        part: random.below(parts as u64) as usize,
        which: random.below(8) as usize,
        kind: random.below(4) as u8,
    }
}

impl Part {
    /// The same with fewer greenlets or steps; `None` if that is not possible.
    pub(crate) fn smaller(&self) -> Option<Part> {
        let mut part = self.clone();
        let shortened = match &mut part {
            Part::Talk { chunks, .. } => half(chunks),
            Part::Serve { clients, .. } => half(clients),
            Part::Naps { lengths_ms, .. } => half(lengths_ms),
            Part::Goods { makers, .. } => half(makers),
            Part::Post { count, .. } => half_of(count),
            Part::Locks { turns, users, .. } => half_of(turns) || half_of(users),
            Part::Crew { jobs, .. } => half_of(jobs),
            Part::Reuse { rounds, .. } => half_of(rounds),
            Part::Errands { .. } => false,
        };
        shortened.then_some(part)
    }
}

fn half<T>(list: &mut Vec<T>) -> bool {
    let length = list.len();
    list.truncate(length.div_ceil(2));
    list.len() < length
}

fn half_of(count: &mut usize) -> bool {
    let before = *count;
    *count = before.div_ceil(2);
    *count < before
}
