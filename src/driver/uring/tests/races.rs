//! Cancellations that race what they cancel.

use super::*;
use std::hint;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;

const ROUNDS: u32 = 10_000;

const FAILED: u32 = u32::MAX;

/// Lets the peer go when an assertion fails.
struct Release<'a>(&'a AtomicU32);

impl Drop for Release<'_> {
    fn drop(&mut self) {
        self.0.store(FAILED, SeqCst);
    }
}

/// Push, cancel and wait, while a peer writes one byte in each round. Every byte arrives, in order,
/// and both completions of every round come, once each.
struct Race<'a> {
    bench: Bench,
    near: &'a UnixStream,
    request: fn(Fd, &mut [u8]) -> Request,
    allowed: &'a AtomicU32,
    begun: &'a AtomicU32,
    received: u32,
}

impl Race<'_> {
    /// A receive, perhaps with a cancellation behind it. Did it bring anything?
    fn receive(&mut self, cancelled_in: Option<u32>) -> bool {
        let (record, mut buffer) = (0, [0; 1]);
        let entry = Entry::new((self.request)(fd(self.near), &mut buffer), operation(&record));
        let bench = &mut self.bench;
        bench.push(&entry);
        if let Some(round) = cancelled_in {
            self.allowed.store(round + 1, SeqCst);
            if round % 3 != 0 {
                bench.uring.enter(Wait::No);
            }
            // On a busy machine the peer may not run for long.
            while round % 2 == 1 && self.begun.load(SeqCst) <= round {
                thread::yield_now();
            }
            // It needs about as long as this to see that it may write.
            (0..round % 256).for_each(|_| hint::spin_loop());
            if round % 15 == 0 {
                thread::yield_now();
            }
            // Where a poll stands in, its end may be seen before the cancellation; else that one comes first.
            if round % 4 == 1 {
                bench.turn(Wait::No);
            }
            assert_eq!(bench.uring.cancel(&entry), 1);
            bench.wait(entry.token.tagged(Token::CANCEL));
        }
        let end = bench.wait(entry.token);
        assert_eq!(bench.ended, []);
        if end.result == -libc::ECANCELED {
            return false;
        }
        assert_eq!(end.result, 1);
        let byte = match end.buffer() {
            // SAFETY: the driver's, ours until it is returned, and its first byte was received.
            Some(number) => unsafe { *bench.uring.buffer(number) },
            None => buffer[0],
        };
        assert_eq!(byte, self.received as u8);
        self.received += 1;
        if let Some(number) = end.buffer() {
            bench.uring.return_buffer(number);
        }
        true
    }
}

fn cancel_against_write(disabled: Capabilities, request: fn(Fd, &mut [u8]) -> Request) {
    let (near, mut far) = UnixStream::pair().unwrap();
    // Receives do not care, reads do.
    near.set_nonblocking(true).unwrap();
    let (allowed, begun, mut cancelled) = (AtomicU32::new(0), AtomicU32::new(0), 0);
    thread::scope(|scope| {
        let (allowed, begun) = (&allowed, &begun);
        scope.spawn(move || {
            for round in 0..ROUNDS {
                while allowed.load(SeqCst) <= round {
                    thread::yield_now();
                }
                if allowed.load(SeqCst) == FAILED {
                    return;
                }
                begun.store(round + 1, SeqCst);
                far.write_all(&[round as u8]).unwrap();
            }
        });
        let _release = Release(allowed);
        let bench = Bench::without(disabled);
        let mut race = Race { bench, near: &near, request, allowed, begun, received: 0 };
        for round in 0..ROUNDS {
            if !race.receive(Some(round)) {
                // The byte is still to come; so that the next round begins with an empty socket.
                assert!(race.receive(None));
                cancelled += 1;
            }
        }
        assert_eq!(race.received, ROUNDS);
        let counters = race.bench.uring.counters();
        assert_eq!(counters.completions, counters.pushed + counters.cancels);
    });
    println!("{cancelled} of {ROUNDS} were cancelled in time");
    assert!(0 < cancelled && cancelled < ROUNDS, "no race: {cancelled} were cancelled");
}

#[test]
fn cancelled_receive_loses_no_byte() {
    needs_a_ring!();
    cancel_against_write(Capabilities::NONE, recv);
    cancel_against_write(Capabilities::POLL_FIRST, recv);
    cancel_against_write(everything(), recv);
}

#[test]
fn cancelled_pooled_receive_loses_no_byte() {
    needs_a_ring!();
    cancel_against_write(Capabilities::NONE, |fd, _| Request::RecvPooled { fd, flags: 0 });
    cancel_against_write(Capabilities::RECV, |fd, _| Request::RecvPooled { fd, flags: 0 });
}

#[test]
fn cancelled_polled_receive_loses_no_byte() {
    needs_a_ring!();
    cancel_against_write(Capabilities::RECV, recv);
}

#[test]
fn cancelled_read_of_a_non_blocking_descriptor_loses_no_byte() {
    needs_a_ring!();
    let read = |fd, buffer: &mut [u8]| Request::Read {
        fd,
        buffer: buffer.as_mut_ptr(),
        length: buffer.len(),
        offset: u64::MAX,
    };
    cancel_against_write(Capabilities::NONE, read);
    cancel_against_write(Capabilities::READ, read);
}

/// A destructor may close without waiting, and the number be given out again, before anybody looks at the end of
/// the poll.
#[test]
fn a_cancelled_receive_takes_nothing_from_who_has_its_number_next() {
    needs_a_ring!();
    let pooled = |fd, _: &mut [u8]| Request::RecvPooled { fd, flags: 0 };
    for request in [recv as fn(Fd, &mut [u8]) -> Request, pooled] {
        let mut bench = Bench::without(Capabilities::RECV);
        let (near, mut far) = UnixStream::pair().unwrap();
        let (mut other, mut others_peer) = UnixStream::pair().unwrap();
        others_peer.write_all(b"b").unwrap();
        let (record, mut buffer) = (0, [0; 1]);
        let entry = Entry::new(request(fd(&near), &mut buffer), operation(&record));
        bench.push(&entry);
        far.write_all(b"a").unwrap();
        bench.uring.enter(Wait::ForEver);
        bench.uring.cancel(&entry);
        // SAFETY: takes no addresses; both numbers are ours.
        unsafe { libc::dup2(other.as_raw_fd(), near.as_raw_fd()) };
        assert_eq!(bench.wait(entry.token).result, -libc::ECANCELED);
        bench.wait(entry.token.tagged(Token::CANCEL));
        other.set_nonblocking(true).unwrap();
        other.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"b");
    }
}
