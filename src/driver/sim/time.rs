//! Events, and how the clock gets to them.

use super::faults::Faults;
use super::flight::State;
use super::random::Concern;
use super::socket::{Datagram, Id};
use super::world::World;
use super::{Completion, Sim, Token, Wait};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// What one look at the world takes.
const ROUND_NS: u64 = 1_000;
/// So long, in real time, the clock stands still while somebody waits for another thread.
const PATIENCE_MS: i32 = 5_000;

/// Something that happens at its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// An operation is tried.
    Attempt(u32),
    /// Somebody wants an operation to end; with the token of the answer.
    Cancel(u32, u64),
    /// An operation ends that is being cancelled and could not be found at once.
    Abort(u32),
    /// A completion comes.
    Post(u32, u64, i32, u32),
    /// A part of a stream arrives.
    Arrive(Id),
    /// A datagram arrives.
    Land(u64),
}

/// Events in their order.
#[derive(Default)]
pub(super) struct Events {
    heap: BinaryHeap<Reverse<(u64, u64, Event)>>,
    next: u64,
    datagrams: BTreeMap<u64, (Id, Datagram)>,
}

impl Events {
    /// Those of one moment happen in the order in which they were added, unless a fault mixes them.
    pub(super) fn add(&mut self, due: u64, world: &mut World, event: Event) {
        self.next += 1;
        let mut place = self.next;
        if world.strikes(Faults::ORDER, Concern::Time) {
            place += world.dice.below(Concern::Time, 16);
        }
        self.heap.push(Reverse((due, place, event)));
    }

    fn next_due(&self) -> Option<u64> {
        self.heap.peek().map(|Reverse((due, ..))| *due)
    }
}

impl Sim {
    /// Submits, lets happen what is due, and waits: the clock goes to the next event.
    pub(in crate::driver) fn enter(&mut self, wait: Wait) {
        self.counters.enters += 1;
        self.is_at_rest = false;
        self.world.now += ROUND_NS;
        let is_full = self.posted.len() >= self.completions;
        while !is_full && self.posted.len() < self.completions {
            let Some(posted) = self.overflowed.pop_front() else { break };
            self.posted.push_back(posted);
        }
        let most = match wait == Wait::No && self.world.strikes(Faults::LATE, Concern::Time) {
            true => self.world.dice.below(Concern::Time, self.queue.len() as u64 + 1) as usize,
            false => usize::MAX,
        };
        self.submit(most);
        self.run_due();
        if wait == Wait::No || self.has_posted() {
            return;
        }
        if self.world.strikes(Faults::ENTER, Concern::Time) {
            return; // a signal; or the kernel is short of something
        }
        // Other threads live in real time: they come first, if they come soon.
        let has_time = self.events.next_due().is_some() || wait != Wait::ForEver;
        if self.awaits_others && self.listen(if has_time { PATIENCE_MS } else { -1 }) {
            return;
        }
        loop {
            let until = if let Wait::Until(moment) = wait { Some(moment) } else { None };
            match (self.events.next_due(), until) {
                (Some(due), until) if until.is_none_or(|until| due <= until) => {
                    self.world.now = self.world.now.max(due);
                }
                (_, Some(until)) => {
                    self.world.now = self.world.now.max(until) + self.oversleeps_ns();
                    self.run_due();
                    return;
                }
                _ if self.others_may_come => {
                    self.listen(-1);
                    return;
                }
                _ => {
                    self.is_at_rest = true;
                    return;
                }
            }
            self.run_due();
            if self.has_posted() {
                return;
            }
        }
    }

    /// Waits for another thread, at most so long. Has one come?
    fn listen(&self, limit_ms: i32) -> bool {
        self.waker.event().is_some_and(|event| event.wait(limit_ms))
    }

    fn has_posted(&self) -> bool {
        !self.posted.is_empty() || !self.overflowed.is_empty()
    }

    /// How much later a wait ends than it should.
    fn oversleeps_ns(&mut self) -> u64 {
        if self.world.strikes(Faults::CLOCK, Concern::Time) {
            let longest = match self.world.dice.below(Concern::Time, 4) {
                0 | 1 => 10_000_000,
                2 => 60_000_000_000,
                _ => 30 * 86_400_000_000_000,
            };
            return 1_000_000 + self.world.dice.below(Concern::Time, longest);
        }
        match self.world.strikes(Faults::DELAY, Concern::Time) {
            true => self.world.dice.below(Concern::Time, 100_000),
            false => 0,
        }
    }

    /// What the world has put on its way becomes events.
    pub(super) fn enter_arrivals(&mut self) {
        while let Some((due, id)) = self.world.arrivals.pop() {
            self.events.add(due, &mut self.world, Event::Arrive(id));
        }
        while let Some((due, id, datagram)) = self.world.flying.pop() {
            let number = self.events.next;
            self.events.datagrams.insert(number, (id, datagram));
            self.events.add(due, &mut self.world, Event::Land(number));
        }
    }

    /// Lets everything happen whose time has come.
    fn run_due(&mut self) {
        loop {
            self.wake_dirty();
            self.enter_arrivals();
            if !self.world.dirty.is_empty() {
                continue;
            }
            let now = self.world.now;
            if self.events.next_due().is_none_or(|due| due > now) {
                return;
            }
            let Some(Reverse((_, _, event))) = self.events.heap.pop() else { return };
            match event {
                Event::Attempt(number) => self.attempt(number),
                Event::Cancel(number, token) => self.find_and_cancel(number, token),
                Event::Abort(number) => self.end(number, -libc::ECANCELED, 0),
                Event::Post(number, token, result, flags) => {
                    let token = Token::from_bits(token);
                    self.post(number, Completion { token, result, flags });
                }
                Event::Arrive(id) => self.world.arrive(id),
                Event::Land(number) => {
                    if let Some((id, datagram)) = self.events.datagrams.remove(&number) {
                        self.world.land(id, datagram);
                    }
                }
            }
        }
    }

    /// A cancellation looks for its operation, which may be in any state.
    fn find_and_cancel(&mut self, number: u32, token: u64) {
        let state = self.flights.get(&number).map(|flight| flight.state);
        let is_there = matches!(state, Some(State::Issued | State::Armed));
        let strikes = is_there && self.world.strikes(Faults::CANCEL, Concern::Time);
        let mut ends = false;
        let answer = match () {
            () if !is_there => -libc::ENOENT,
            () if !strikes => {
                ends = true;
                0
            }
            () => match self.world.dice.below(Concern::Time, 4) {
                // It was about to be tried once more, where nobody finds it; and may wait again.
                0 => -libc::ENOENT,
                // Somebody works at it: it ends, in its own way or as cancelled.
                1 => {
                    let due = self.world.now + self.world.dice.delay_ns();
                    self.events.add(due, &mut self.world, Event::Abort(number));
                    -libc::EALREADY
                }
                // It ends in its own way in the same moment, if it can.
                2 => {
                    self.attempt(number);
                    ends = true;
                    0
                }
                _ => {
                    self.end(number, -libc::EINTR, 0);
                    0
                }
            },
        };
        let answer = Completion { token: Token::from_bits(token), result: answer, flags: 0 };
        let answers_first = self.world.strikes(Faults::CANCEL, Concern::Time);
        if answers_first {
            self.post(number, answer);
        }
        if ends {
            self.end(number, -libc::ECANCELED, 0);
        }
        if !answers_first {
            self.post(number, answer);
        }
    }
}
