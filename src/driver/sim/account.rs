//! For the public face: what a program may ask of its world, and what has happened there.

use super::Sim;
use super::faults::Ratios;
use super::random::Concern;
use crate::driver::Counters;

/// What has happened in a world.
#[derive(Debug, Clone, Default)]
pub(crate) struct Account {
    pub(crate) hash: u64,
    pub(crate) events: u64,
    pub(crate) virtual_ns: u64,
    pub(crate) faults: u64,
    pub(crate) counters: Counters,
    pub(crate) violations: Vec<String>,
    pub(crate) open_descriptors: usize,
    pub(crate) in_flight: usize,
    pub(crate) lines: Vec<String>,
}

impl Sim {
    /// A number below `end` that the seed decides.
    pub(crate) fn random_below(&mut self, end: u64) -> u64 {
        self.world.dice.below(Concern::Program, end)
    }

    /// Notes what the program says.
    pub(crate) fn say(&mut self, text: &str) {
        self.world.trace.say(text, self.world.now);
    }

    /// How long the world has been there.
    pub(crate) fn age_ns(&self) -> u64 {
        self.world.now - self.began_ns
    }

    /// From now on nothing goes wrong.
    pub(crate) fn calm(&mut self) {
        self.world.ratios = Ratios::none();
    }

    /// What happens from now on does not count.
    pub(crate) fn freeze(&mut self) {
        self.world.trace.freeze();
    }

    /// What has happened so far.
    pub(crate) fn account(&mut self) -> Account {
        Account {
            hash: self.world.trace.hash(),
            events: self.world.trace.events(),
            virtual_ns: self.age_ns(),
            faults: self.world.struck,
            counters: self.counters,
            violations: self.world.violations.clone(),
            open_descriptors: self.world.table.len(),
            in_flight: self.flights.len(),
            lines: self.world.trace.lines(),
        }
    }
}
