//! What the clients send and what they expect back.

use crate::http;
use crate::serve::Mode;

/// Bytes in which every message of an echo is a window at its own place.
const PATTERN: usize = 1 << 16;

/// The requests of one run.
pub struct Traffic {
    mode: Mode,
    size: usize,
    bytes: Vec<u8>,
}

/// What is known of one answer.
pub enum Answer {
    Whole,
    Part,
}

impl Traffic {
    /// Messages of `size` bytes (echo), or requests for `host` (HTTP).
    pub fn new(mode: Mode, size: usize, host: &str) -> Traffic {
        let bytes = match mode {
            Mode::Http => http::request(host),
            Mode::Echo => {
                let mut word = 0x9e37_79b9_7f4a_7c15u64;
                let next = |_| {
                    word ^= word << 13;
                    word ^= word >> 7;
                    word ^= word << 17;
                    (word >> 32) as u8
                };
                (0..PATTERN + size).map(next).collect()
            }
        };
        Traffic { mode, size, bytes }
    }

    /// Request number `number` of client number `client`. Neighbours differ, so that an answer to
    /// another request, or to another client, is found out.
    pub fn request(&self, client: usize, number: u64) -> &[u8] {
        match self.mode {
            Mode::Http => &self.bytes,
            Mode::Echo => {
                let place = (client * 7919 + number as usize * 131) % PATTERN;
                &self.bytes[place..place + self.size]
            }
        }
    }

    /// Bytes to ask for when none came yet; all of an echo is asked for at once.
    pub fn room(&self) -> usize {
        match self.mode {
            Mode::Http => 4096,
            Mode::Echo => self.size,
        }
    }

    /// Whether a receive may wait until its room is full.
    pub fn is_whole(&self) -> bool {
        self.mode == Mode::Echo
    }

    /// Checks what came for a request; `last` is the last whole answer of any client.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, request: &[u8], came: &[u8], last: &mut Vec<u8>) -> Result<Answer, String> {
        if self.mode == Mode::Echo {
            let same = came == &request[..came.len()];
            return match same {
                true if came.len() == request.len() => Ok(Answer::Whole),
                true => Ok(Answer::Part),
                false => Err("an echo differs from what was sent".into()),
            };
        }
        if came == last.as_slice() {
            return Ok(Answer::Whole);
        }
        match http::response_length(came)? {
            Some(length) if length == came.len() => {
                last.clear();
                last.extend_from_slice(came);
                Ok(Answer::Whole)
            }
            Some(length) if length < came.len() => Err("more than one answer to a request".into()),
            _ => Ok(Answer::Part),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_differ_and_a_wrong_echo_is_found() {
        let traffic = Traffic::new(Mode::Echo, 64, "");
        let (first, second) = (traffic.request(0, 0), traffic.request(0, 1));
        assert_ne!(first, second);
        assert_ne!(first, traffic.request(1, 0));
        let mut last = Vec::new();
        assert!(matches!(traffic.check(first, first, &mut last), Ok(Answer::Whole)));
        assert!(matches!(traffic.check(first, &first[..9], &mut last), Ok(Answer::Part)));
        assert!(traffic.check(first, second, &mut last).is_err());
    }
}
