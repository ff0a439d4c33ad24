//! Descriptor numbers: the lowest that is free, as in the kernel. So an old number is soon another
//! file's, and whoever still uses it is found out by the serial that the new one has.

use super::socket::Id;
use crate::driver::Fd;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU32, Ordering};

/// The bits of a number that say which world it is of.
const WORLD: RawFd = 0x3FF << NUMBER_BITS;
const NUMBER_BITS: u32 = 20;
/// The kernel's own limit, too.
const MOST: usize = 1 << NUMBER_BITS;

struct Slot {
    file: Id,
    /// That of the first who used the number: of who opened it.
    serial: Option<u32>,
}

pub(super) struct Table {
    slots: Vec<Option<Slot>>,
    world: RawFd,
    open: usize,
}

/// What a descriptor names.
pub(super) enum Found {
    File(Id),
    /// No number of this world.
    Foreign,
    /// Closed, and perhaps another's by now.
    Stale,
}

impl Table {
    pub(super) fn new() -> Table {
        static WORLDS: AtomicU32 = AtomicU32::new(0);
        let world = (WORLDS.fetch_add(1, Ordering::Relaxed) << NUMBER_BITS) as RawFd & WORLD;
        Table { slots: Vec::new(), world: Fd::SIMULATED | world, open: 0 }
    }

    /// Gives a file the lowest free number.
    pub(super) fn open(&mut self, file: Id) -> Option<RawFd> {
        let slot = Some(Slot { file, serial: None });
        let free = match self.open == self.slots.len() {
            true => None,
            false => self.slots.iter().position(Option::is_none),
        };
        let index = match free {
            Some(index) => {
                self.slots[index] = slot;
                index
            }
            None if self.slots.len() == MOST => return None,
            None => {
                self.slots.push(slot);
                self.slots.len() - 1
            }
        };
        self.open += 1;
        Some(self.world | index as RawFd)
    }

    pub(super) fn find(&mut self, fd: Fd) -> Found {
        if fd.number() & !(MOST as RawFd - 1) != self.world {
            return Found::Foreign;
        }
        let index = fd.number() as usize % MOST;
        let Some(Some(slot)) = self.slots.get_mut(index) else { return Found::Stale };
        match *slot.serial.get_or_insert(fd.serial()) == fd.serial() {
            true => Found::File(slot.file),
            false => Found::Stale,
        }
    }

    /// Frees a number that `find` has found.
    pub(super) fn close(&mut self, fd: Fd) {
        self.slots[fd.number() as usize % MOST] = None;
        self.open -= 1;
    }

    /// How many numbers are in use.
    pub(super) fn len(&self) -> usize {
        self.open
    }
}
