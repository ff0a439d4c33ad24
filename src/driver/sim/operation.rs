//! What becomes of an operation: issued, tried, armed, ended, posted.
#![expect(unsafe_code, reason = "reads and writes behind entries that others own")]

use super::attempt::Outcome;
use super::faults::Faults;
use super::flight::{Flight, State};
use super::random::Concern;
use super::time::Event;
use super::{Posted, Sim};
use crate::driver::{Completion, Entry, Fd, MORE};

impl Sim {
    /// Ends an operation that can end at once, without a completion.
    pub(super) fn try_inline(&mut self, number: u32) -> Option<i32> {
        self.issue(number);
        match self.try_flight(number) {
            Some(Outcome::Ends(result, 0)) => {
                self.counters.completions += 1;
                self.forget_flight(number);
                self.wake_dirty();
                Some(result)
            }
            Some(outcome) => {
                self.settle(number, outcome);
                self.wake_dirty();
                None
            }
            None => None,
        }
    }

    /// The kernel takes an operation: from now on it refers to the file, whatever becomes of the number.
    pub(super) fn issue(&mut self, number: u32) {
        let Some(flight) = self.flights.get_mut(&number) else { return };
        flight.state = State::Issued;
        let Some(fd) = flight.request.fd() else { return };
        let Ok(file) = self.world.named(fd) else { return };
        self.world.refer(file);
        flight.file = Some(file);
        for (start, end) in flight.buffers.written() {
            let overlaps =
                self.written.range(..end).next_back().is_some_and(|(_, other)| *other > start);
            if overlaps {
                self.world.violated(format!("operation {number} is to write where another does"));
            }
            self.written.insert(start, end);
        }
        if self.world.strikes(Faults::BUFFERS, Concern::Buffer) {
            let key = self.world.dice.next(Concern::Buffer);
            // SAFETY: **Kernel holds until completion**
            unsafe { flight.buffers.watch(key) };
        }
    }

    /// Does the owner of an operation keep to the rules? If not, nobody touches its memory any more.
    pub(super) fn is_sound(&mut self, number: u32) -> bool {
        let Some(flight) = self.flights.get(&number) else { return false };
        // SAFETY: what is asked is whether the promise was kept; stacks stay mapped.
        let (entry_stays, buffers_stay) = unsafe { (flight.entry_stays(), flight.buffers.stay()) };
        if entry_stays && buffers_stay {
            return true;
        }
        let what = if entry_stays { "a buffer" } else { "the frame" };
        let name = flight.request.name();
        self.world.violated(format!(
            "{what} of operation {number} ({name}) was used again before its completion"
        ));
        self.forget_flight(number);
        false
    }

    pub(super) fn try_flight(&mut self, number: u32) -> Option<Outcome> {
        if !self.is_sound(number) {
            return None;
        }
        let flight = self.flights.get_mut(&number)?;
        let Some(file) = flight.file else {
            let result = if flight.request.fd().is_some() { -libc::EBADF } else { 0 };
            return Some(Outcome::Ends(result, 0));
        };
        // SAFETY: **Kernel holds until completion**, as `is_sound` has seen.
        Some(unsafe { self.world.attempt(flight, file, &mut self.pool) })
    }

    /// Tries an operation that is issued or armed.
    pub(super) fn attempt(&mut self, number: u32) {
        let is_there = |flight: &Flight| matches!(flight.state, State::Issued | State::Armed);
        while self.flights.get(&number).is_some_and(|flight| is_there(flight)) {
            let Some(outcome) = self.try_flight(number) else { return };
            if !self.settle(number, outcome) {
                return;
            }
        }
    }

    /// What an attempt means for its operation. True if it is to be tried once more.
    pub(super) fn settle(&mut self, number: u32, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Ends(result, flags) => self.end(number, result, flags),
            Outcome::Brings(result) => {
                let Some(flight) = self.flights.get(&number) else { return false };
                let token = flight.token;
                self.post(number, Completion { token, result, flags: MORE });
                return true;
            }
            Outcome::Waits => {
                let Some(flight) = self.flights.get_mut(&number) else { return false };
                flight.state = State::Armed;
                if let Some(place) = flight.waits_at {
                    let waiting = &mut self.world.socket(place).waiting;
                    if !waiting.contains(&number) {
                        waiting.push(number);
                    }
                }
            }
        }
        false
    }

    /// Posts the last completion of an operation, unless that was done.
    pub(super) fn end(&mut self, number: u32, result: i32, flags: u32) {
        let Some(flight) = self.flights.get_mut(&number) else { return };
        if flight.state == State::Posted {
            return;
        }
        flight.state = State::Posted;
        let token = flight.token;
        self.disarm(number);
        let completion = Completion { token, result, flags };
        match self.world.delay_ns() {
            0 => self.post(number, completion),
            delay => {
                let due = self.world.now + delay;
                let event = Event::Post(number, completion.token.to_bits(), result, flags);
                self.events.add(due, &mut self.world, event);
            }
        }
    }

    /// Takes an operation away from its file.
    pub(super) fn disarm(&mut self, number: u32) {
        let Some(flight) = self.flights.get_mut(&number) else { return };
        let (file, place) = (flight.file.take(), flight.waits_at.take());
        for (start, _) in flight.buffers.written() {
            self.written.remove(&start);
        }
        if let Some(place) = place
            && let Some(socket) = self.world.socket_if_any(place)
        {
            socket.waiting.retain(|waiting| *waiting != number);
        }
        if let Some(file) = file {
            self.world.release(file);
        }
    }

    pub(super) fn forget_flight(&mut self, number: u32) {
        self.disarm(number);
        self.flights.remove(&number);
    }

    pub(super) fn post(&mut self, flight: u32, completion: Completion) {
        let tag = completion.token.tag();
        // A descriptor without the number of its world, which differs from run to run.
        let result = match completion.result {
            number @ Fd::SIMULATED.. => (number & 0xF_FFFF) as u64,
            result => result as u64,
        };
        self.world.note("post", [flight.into(), tag, result]);
        self.counters.completions += 1;
        let posted = Posted { flight, completion };
        if self.posted.len() >= self.completions || !self.overflowed.is_empty() {
            self.counters.overflows += 1;
            self.overflowed.push_back(posted);
            return;
        }
        // Those of one operation keep their order, but for the answer to a cancellation.
        let last = self.posted.iter().rposition(|other| other.completion.token == completion.token);
        let first = last.map_or(0, |last| last + 1);
        let mut place = self.posted.len();
        if self.world.strikes(Faults::ORDER, Concern::Time) {
            let places = (place - first) as u64 + 1;
            place = first + self.world.dice.below(Concern::Time, places) as usize;
        }
        self.posted.insert(place, posted);
    }

    /// Tries those again at whose sockets something has changed.
    pub(super) fn wake_dirty(&mut self) {
        while let Some(id) = self.world.dirty.pop() {
            let Some(socket) = self.world.socket_if_any(id) else { continue };
            socket.is_dirty = false;
            let mut waiting = std::mem::take(&mut socket.waiting);
            if waiting.len() > 1 && self.world.strikes(Faults::ORDER, Concern::Time) {
                waiting.reverse(); // the last to ask is the first to be served
            }
            // Back in their order, and in front of those who come meanwhile.
            let mut left = waiting.clone();
            left.sort_unstable();
            if let Some(socket) = self.world.socket_if_any(id) {
                socket.waiting = left;
            }
            for number in waiting {
                self.attempt(number);
            }
        }
    }
}

/// Is an operation still there whose cancellation is answered?
pub(super) fn is_awaited(answer: &Completion, flight: u32) -> bool {
    // SAFETY: an entry is the first field of all that tokens name. If its owner has not waited, this
    // reads what lies there by now: memory of a stack, which stays mapped.
    let entry = unsafe { &*answer.token.address::<Entry>() };
    entry.progress.get() == flight
}
