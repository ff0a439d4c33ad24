//! What happened, as a number that is the same for the same run; and as text, for those who ask.

use super::random::mix;
use std::fmt::Arguments;

/// The record of one run.
#[derive(Debug, Default)]
pub(super) struct Trace {
    hash: u64,
    events: u64,
    frozen: bool,
    lines: Option<Vec<String>>,
}

/// So many lines are kept.
const MOST_LINES: usize = 200_000;

impl Trace {
    pub(super) fn new(keeps_lines: bool) -> Trace {
        Trace { lines: keeps_lines.then(Vec::new), ..Trace::default() }
    }

    /// Notes that something has happened; no addresses, for those differ.
    pub(super) fn note(&mut self, what: &'static str, values: [u64; 3], now: u64) {
        if self.frozen {
            return;
        }
        self.events += 1;
        let mut hash = self.hash ^ mix(now ^ what.as_bytes()[0] as u64 ^ (what.len() as u64) << 8);
        for value in values {
            hash = mix(hash.rotate_left(7) ^ value);
        }
        self.hash = hash;
        self.line(now, format_args!("{what} {values:?}"));
    }

    /// Notes what the program says.
    pub(super) fn say(&mut self, text: &str, now: u64) {
        let word = |word: &[u8]| {
            let mut bytes = [0; 8];
            bytes[..word.len()].copy_from_slice(word);
            u64::from_le_bytes(bytes)
        };
        let sum = text.as_bytes().chunks(8).fold(0, |sum, chunk| mix(sum ^ word(chunk)));
        if !self.frozen {
            self.hash = mix(self.hash ^ sum ^ text.len() as u64);
            self.events += 1;
        }
        self.line(now, format_args!("{text}"));
    }

    fn line(&mut self, now: u64, text: Arguments<'_>) {
        if let Some(lines) = &mut self.lines
            && lines.len() < MOST_LINES
        {
            lines.push(format!("{:>14} {text}", now / 1000));
        }
    }

    /// What happens from now on does not count.
    pub(super) fn freeze(&mut self) {
        self.frozen = true;
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    pub(super) fn events(&self) -> u64 {
        self.events
    }

    pub(super) fn lines(&mut self) -> Vec<String> {
        self.lines.take().unwrap_or_default()
    }
}
