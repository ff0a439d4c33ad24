//! Cancellations that race what they cancel.

use super::*;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;

const ROUNDS: u32 = 10_000;

/// In each round a peer writes one byte while a receive for it is being cancelled. Every byte
/// arrives, in order, and both completions of every round come, once each.
fn cancel_against_write(disabled: Capabilities, request: fn(Fd, &mut [u8]) -> Request) {
    let mut bench = Bench::without(disabled);
    let (near, mut far) = UnixStream::pair().unwrap();
    let allowed = AtomicU32::new(0);
    let (mut received, mut cancelled) = (0, 0);
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..ROUNDS {
                while allowed.load(SeqCst) <= round {
                    thread::yield_now();
                }
                far.write_all(&[round as u8]).unwrap();
            }
        });
        let mut one = |bench: &mut Bench, round: Option<u32>| {
            let (record, mut buffer) = (0, [0; 1]);
            let entry = Entry::new(request(fd(&near), &mut buffer), operation(&record));
            bench.push(&entry);
            if let Some(round) = round {
                allowed.store(round + 1, SeqCst);
                if round % 3 == 0 {
                    bench.uring.enter(Wait::No);
                }
                if round % 5 == 0 {
                    thread::yield_now();
                }
                assert_eq!(bench.uring.cancel(&entry), 1);
                bench.wait(entry.token.tagged(Token::CANCEL));
            }
            let end = bench.wait(entry.token);
            match end.result {
                1 => {
                    let byte = match end.buffer() {
                        // SAFETY: the driver's, ours until it is returned, one byte of it written.
                        Some(number) => unsafe { *bench.uring.buffer(number) },
                        None => buffer[0],
                    };
                    assert_eq!(byte, received as u8);
                    received += 1;
                }
                result => {
                    assert_eq!(result, -libc::ECANCELED);
                    cancelled += 1;
                }
            }
            if let Some(number) = end.buffer() {
                bench.uring.return_buffer(number);
            }
            assert_eq!(bench.ended, []);
            received
        };
        (0..ROUNDS).for_each(|round| {
            one(&mut bench, Some(round));
        });
        while one(&mut bench, None) < ROUNDS {}
    });
    assert_eq!(received, ROUNDS);
    assert!(cancelled > 0, "every receive was faster than its cancellation");
    let counters = bench.uring.counters();
    assert_eq!(counters.completions, counters.pushed + counters.cancels);
}

#[test]
fn cancelled_receive_loses_no_byte() {
    cancel_against_write(Capabilities::NONE, recv);
    cancel_against_write(Capabilities::POLL_FIRST, recv);
    cancel_against_write(everything(), recv);
}

#[test]
fn cancelled_pooled_receive_loses_no_byte() {
    cancel_against_write(Capabilities::NONE, |fd, _| Request::RecvPooled { fd, flags: 0 });
    cancel_against_write(Capabilities::RECV, |fd, _| Request::RecvPooled { fd, flags: 0 });
}

#[test]
fn cancelled_polled_receive_loses_no_byte() {
    cancel_against_write(Capabilities::RECV, recv);
}
