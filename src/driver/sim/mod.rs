//! A simulated world behind the seam: sockets in memory, virtual time, and faults out of a seed.
//!
//! Level 0, within `driver`. Knows neither hub nor greenlets; the public face is `crate::sim`. It
//! behaves as io_uring does: operations are queued, submitted by `enter`, and complete; and with faults,
//! as every kernel and every other driver might.
//!
//! ```text
//!   push ──▶ queue ──submit──▶ events ──▶ attempt ──▶ posted ──▶ reap
//!                     (late)   (delays)    │    ▲      (order, batches, a short queue)
//!                                 Waits    ▼    │ something has changed at its socket
//!                                          armed
//!
//!   faults  random  trace     what may go wrong, numbers for it, what has happened
//!   flight                    an operation, and whether its owner keeps to the rules
//!   operation                 what becomes of one
//!   world   socket  stream  datagram  calls  table  name  pool     what there is
//!   attempt                   one look at whether an operation can end
//!   time                      events, and how the clock gets to them
//! ```
//!
//! - **Same seed, same run**: no address, no thread, no clock and no hash table has an influence.
//! - **Time passes when all wait**: `enter` moves the clock to the next event; otherwise it moves by a
//!   microsecond a round, so that those who only look at it get on.
//! - **Numbers are not the kernel's**: each has a bit that no number of the kernel has.
#![expect(unsafe_code, reason = "reads and writes behind entries that others own")]

mod account;
mod attempt;
mod calls;
mod datagram;
mod faults;
mod flight;
mod name;
mod operation;
mod pool;
mod random;
mod socket;
mod stream;
mod table;
mod time;
mod trace;
mod world;

pub(crate) use account::Account;
pub use faults::Faults;

use super::planted::{self, Bug};
use super::token::Token;
use super::waker::Event;
use super::{Call, Completion, Counters, Entry, Fd, MORE, Pushed, Request, Wait, Waker};
use flight::{Flight, State};
use operation::is_awaited;
use pool::Pool;
use random::Concern;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::sync::Arc;
use time::{Event as Happening, Events};
use world::World;

/// What is wanted of a world.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WorldSettings {
    pub(crate) seed: u64,
    pub(crate) faults: Faults,
    pub(crate) keeps_lines: bool,
}

/// Whoever is told so often that nothing can happen any more does not listen.
const MOST_RESTS: u32 = 100;

/// The driver of one simulated world.
pub(crate) struct Sim {
    world: World,
    seed: u64,
    began_ns: u64,
    /// Boxed: their number is small, and the map's nodes stay so.
    flights: BTreeMap<u32, Box<Flight>>,
    next_number: u32,
    /// Operations and cancellations that are not submitted.
    queue: VecDeque<Happening>,
    events: Events,
    posted: VecDeque<Posted>,
    /// What did not fit the queue of completions.
    overflowed: VecDeque<Posted>,
    /// How much fits.
    completions: usize,
    /// Memory that operations write to, by its beginning; its end.
    written: BTreeMap<usize, usize>,
    pool: Pool,
    accepts_many: bool,
    /// Nothing will ever happen again by itself.
    is_at_rest: bool,
    /// How often it came to rest without any operation in between, and how many there were by then.
    rests: u32,
    work_at_rest: u64,
    /// What other threads, which are real, end a wait by; and is there anybody who waits for them?
    waker: Arc<Waker>,
    awaits_others: bool,
    others_may_come: bool,
    /// The program was told of the first rule that was broken.
    has_told: bool,
    counters: Counters,
}

/// A completion, and of what.
struct Posted {
    flight: u32,
    completion: Completion,
}

impl Sim {
    pub(crate) fn new(settings: WorldSettings) -> Sim {
        let mut world = World::new(settings.seed, settings.faults, settings.keeps_lines);
        let is_short = world.strikes(Faults::OVERFLOW, Concern::World);
        let completions =
            if is_short { 1 + world.dice.below(Concern::World, 4) as usize } else { 4096 };
        let is_scarce = world.strikes(Faults::MEMORY, Concern::World);
        Sim {
            seed: settings.seed,
            began_ns: world.now,
            flights: BTreeMap::new(),
            next_number: 1,
            queue: VecDeque::new(),
            events: Events::default(),
            posted: VecDeque::new(),
            overflowed: VecDeque::new(),
            completions,
            written: BTreeMap::new(),
            pool: Pool::new(if is_scarce { 2 } else { 256 }, 4096),
            accepts_many: !world.strikes(Faults::MULTISHOT, Concern::World),
            is_at_rest: false,
            waker: Arc::new(Waker::Event(Event::new().expect("a descriptor for wakes"))),
            awaits_others: false,
            others_may_come: false,
            has_told: false,
            rests: 0,
            work_at_rest: u64::MAX,
            counters: Counters::default(),
            world,
        }
    }

    /// # Safety
    /// - **Kernel holds until completion**
    pub(super) unsafe fn push(&mut self, entry: &Entry) -> Pushed {
        self.counters.pushed += 1;
        self.is_at_rest = false;
        let number = self.next_number;
        self.next_number += 1;
        // SAFETY: forwarded.
        let flight = Box::new(unsafe { Flight::new(entry, number) });
        let is_many = matches!(flight.request, Request::AcceptMany { .. });
        self.world.note("push", [number.into(), flight.request.name().len() as u64, 0]);
        self.flights.insert(number, flight);
        if self.world.strikes(Faults::LATE, Concern::Time) {
            self.submit(usize::MAX); // the queue was full
        }
        if !is_many && self.world.strikes(Faults::INLINE, Concern::Time) {
            if let Some(result) = self.try_inline(number) {
                return Pushed::Done(result);
            }
            return Pushed::Queued;
        }
        self.queue.push_back(Happening::Attempt(number));
        Pushed::Queued
    }

    pub(super) fn cancel(&mut self, entry: &Entry) -> u32 {
        self.counters.cancels += 1;
        self.is_at_rest = false;
        let number = entry.progress.get();
        let Some(flight) = self.flights.get_mut(&number) else {
            self.world.violated(format!("operation {number} was cancelled, which is over"));
            return 0;
        };
        flight.was_cancelled = true;
        let token = entry.token.tagged(Token::CANCEL);
        let is_queued = flight.state == State::Queued;
        self.world.note("cancel", [number.into(), 0, 0]);
        // As a readiness hub does it: at once, and without an answer.
        if self.world.strikes(Faults::INLINE, Concern::Time) {
            if is_queued {
                self.queue.retain(|event| *event != Happening::Attempt(number));
            }
            self.end(number, -libc::ECANCELED, 0);
            return 0;
        }
        self.queue.push_back(Happening::Cancel(number, token.to_bits()));
        1
    }

    /// Submits what was pushed, at most so many.
    fn submit(&mut self, most: usize) {
        for _ in 0..most {
            let Some(event) = self.queue.pop_front() else { break };
            if let Happening::Attempt(number) = event {
                self.issue(number);
            }
            let due = self.world.now + self.world.delay_ns();
            self.events.add(due, &mut self.world, event);
        }
    }

    /// Closes a descriptor. What was pushed before is submitted first, for until then it names the number
    /// only.
    pub(super) fn close(&mut self, fd: Fd) -> io::Result<()> {
        if !planted::is(Bug::CloseBeforeFlush) {
            self.submit(usize::MAX);
        }
        self.close_now(fd);
        Ok(())
    }

    fn close_now(&mut self, fd: Fd) {
        let names = |flight: &Flight| flight.request.fd() == Some(fd) && !flight.was_cancelled;
        let busy =
            self.flights.values().find(|flight| flight.state != State::Posted && names(flight));
        if let Some(flight) = busy {
            let name = flight.request.name();
            self.world
                .violated(format!("a descriptor was closed while an operation ({name}) names it"));
        }
        self.world.close(fd);
        self.wake_dirty();
    }

    pub(super) fn forget(&mut self, _fd: Fd) {}

    /// Always: a round takes time here, too.
    pub(super) fn is_due(&self) -> bool {
        true
    }

    pub(super) fn reap(&mut self, mut take: impl FnMut(Completion)) {
        let mut batch = self.posted.len();
        if batch > 1 && self.world.strikes(Faults::BATCH, Concern::Time) {
            batch = 1 + self.world.dice.below(Concern::Time, batch as u64) as usize;
        }
        for _ in 0..batch {
            let Some(Posted { flight, completion }) = self.posted.pop_front() else { break };
            let is_answer = completion.token.tag() == Token::CANCEL;
            let is_last = completion.flags & MORE == 0;
            let is_sound =
                if is_answer { is_awaited(&completion, flight) } else { self.is_sound(flight) };
            if !is_sound {
                if is_answer {
                    self.world.violated(format!("the cancellation of {flight} was not waited for"));
                }
                continue;
            }
            if !is_answer && is_last {
                self.flights.remove(&flight);
            }
            self.world.note("reap", [flight.into(), completion.token.tag(), 0]);
            take(completion);
        }
    }

    pub(super) fn buffer(&self, number: u16) -> *mut u8 {
        self.pool.buffer(number)
    }

    pub(super) fn return_buffer(&mut self, number: u16) {
        self.pool.put_back(number);
    }

    pub(super) fn call(&mut self, call: Call<'_>) -> io::Result<i32> {
        let answer = self.world.call(call);
        self.enter_arrivals();
        self.wake_dirty();
        answer
    }

    pub(super) fn accepts_many(&self) -> bool {
        self.accepts_many
    }

    pub(super) fn counters(&self) -> Counters {
        self.counters
    }

    pub(super) fn now(&self) -> u64 {
        self.world.now
    }

    /// It came to rest so often, one after the other, that whoever is told of it cannot do anything.
    pub(crate) fn is_told_in_vain(&mut self) -> bool {
        let work = self.counters.pushed + self.counters.cancels;
        self.rests = if work == self.work_at_rest { self.rests + 1 } else { 0 };
        self.work_at_rest = work;
        self.rests > MOST_RESTS
    }

    /// Will nothing ever happen again, unless somebody does something?
    pub(crate) fn is_at_rest(&self) -> bool {
        self.is_at_rest
    }

    /// Nothing of the kernel's.
    pub(super) fn pollable(&mut self) -> io::Result<std::os::fd::RawFd> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn hush(&mut self) -> bool {
        self.is_due()
    }

    pub(super) fn waker(&self) -> &Arc<Waker> {
        &self.waker
    }

    /// Says whether somebody waits for another thread, and whether one may come unasked: then the end
    /// of all events is no end.
    pub(crate) fn set_others(&mut self, awaits: bool, may_come: bool) {
        (self.awaits_others, self.others_may_come) = (awaits, may_come);
    }

    /// As if the hub had broken a rule.
    #[cfg(test)]
    pub(crate) fn violate(&mut self) {
        self.world.violated("a rule was broken".to_owned());
    }

    /// The first rule that was broken, said once.
    pub(crate) fn take_violation(&mut self) -> Option<String> {
        if self.has_told || self.world.violations.is_empty() {
            return None;
        }
        self.has_told = true;
        self.world.violations.first().cloned()
    }
}

impl fmt::Display for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "simulated, seed {}", self.seed)
    }
}
