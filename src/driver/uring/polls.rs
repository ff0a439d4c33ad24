//! Polls in flight, by the number that they name: each holds its file open, whoever closes the number.
#![expect(unsafe_code, reason = "links entries that others own")]

use super::Uring;
use super::attempt::{ABANDONED, CANCELLED};
use super::submit::user_data;
use crate::driver::{Entry, Fd, Token, Wait};
use io_uring::opcode;
use std::os::fd::RawFd;
use std::ptr::{from_ref, null};

/// Lists of polls, linked by `next`.
///
/// **Kernel holds until completion**: an entry is in here from its push until its completion is looked at.
#[derive(Default)]
pub(super) struct Polls {
    /// By number.
    first: Vec<*const Entry>,
}

impl Polls {
    pub(super) fn add(&mut self, entry: &Entry) {
        let Some(number) = number_of(entry) else { return };
        if self.first.len() <= number {
            self.first.resize(number + 1, null());
        }
        entry.next.set(self.first[number]);
        self.first[number] = from_ref(entry);
    }

    pub(super) fn remove(&mut self, entry: &Entry) {
        let Some(first) = number_of(entry).and_then(|number| self.first.get_mut(number)) else {
            return;
        };
        if std::ptr::eq(*first, entry) {
            *first = entry.next.replace(null());
            return;
        }
        let mut other = *first;
        // SAFETY: null, or an entry in here.
        while let Some(before) = unsafe { other.as_ref() } {
            other = before.next.get();
            if std::ptr::eq(other, entry) {
                before.next.set(entry.next.replace(null()));
                return;
            }
        }
    }

    /// The newest of that number.
    fn of(&self, number: RawFd) -> *const Entry {
        usize::try_from(number).ok().and_then(|it| self.first.get(it)).map_or(null(), |it| *it)
    }
}

/// Nothing for what is no descriptor: the kernel says so.
fn number_of(entry: &Entry) -> Option<usize> {
    entry.request.fd().and_then(|fd| usize::try_from(fd.number()).ok())
}

impl Uring {
    /// Ends the polls of a number that is about to be closed, and lets the kernel give up their files.
    pub(super) fn abandon(&mut self, fd: Fd) {
        let mut next = self.polls.of(fd.number());
        if next.is_null() {
            return;
        }
        // SAFETY: null, or an entry in the list.
        while let Some(entry) = unsafe { next.as_ref() } {
            next = entry.next.get();
            if entry.progress.get() & CANCELLED == 0 {
                entry.progress.set(entry.progress.get() | ABANDONED);
            }
            // Not by the descriptor: that would also meet what waits for another one of the same file.
            let cancel = opcode::AsyncCancel::new(user_data(entry, Token::OPERATION)).build();
            self.fill(&cancel.user_data(Token::nobody().to_bits()));
        }
        // A poll that was cancelled lets go of its file when its end is put out.
        self.enter(Wait::No);
    }
}
