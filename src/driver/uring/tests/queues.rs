//! Queues that are too short, and a kernel that is short of memory.

use super::*;
use crate::driver::filter::forbid;
use std::os::unix::net::UnixStream;

const ENOUGH: usize = 10_000;

fn small(ring_entries: u32) -> Bench {
    Bench::new(&Settings { ring_entries, ..Settings::default() })
}

/// Pushes that many nops without a look at the completions, then takes those: each once.
fn each_ends_once(bench: &mut Bench) {
    let records = vec![0; ENOUGH];
    let entries: Vec<_> =
        records.iter().map(|record| Entry::new(Request::Nop, operation(record))).collect();
    entries.iter().for_each(|entry| bench.push(entry));
    let mut ends = vec![0; ENOUGH];
    let mut left = ENOUGH;
    while left > 0 {
        bench.turn(Wait::ForEver);
        for end in bench.ended.drain(..) {
            let index = end.token.address::<u64>().addr() - records.as_ptr().addr();
            ends[index / size_of::<u64>()] += 1;
            left -= 1;
        }
    }
    bench.turn(Wait::No);
    assert_eq!(bench.ended, []);
    assert!(ends.iter().all(|count| *count == 1));
    assert_eq!(bench.uring.counters().completions, ENOUGH as u64);
}

#[test]
fn a_submission_queue_of_four_takes_ten_thousand() {
    needs_a_ring!();
    let mut bench = small(4);
    each_ends_once(&mut bench);
    assert!(bench.uring.counters().overflows > 0);
}

#[test]
fn a_completion_queue_of_sixteen_loses_nothing() {
    needs_a_ring!();
    for disabled in [Capabilities::NONE, everything()] {
        let settings = Settings { ring_entries: 1, disabled, ..Settings::default() };
        let mut bench = Bench::new(&settings);
        assert!(bench.uring.to_string().starts_with("io_uring, 1 + 16 entries"), "{}", bench.uring);
        each_ends_once(&mut bench);
        assert!(bench.uring.counters().overflows > 0);
    }
}

#[test]
fn a_cancellation_finds_room_in_a_full_queue() {
    needs_a_ring!();
    let mut bench = small(1);
    let (near, _far) = UnixStream::pair().unwrap();
    let records = [0; 50];
    let mut buffers = [[0; 1]; 50];
    let entries: Vec<_> = records
        .iter()
        .zip(&mut buffers)
        .map(|(record, buffer)| Entry::new(recv(fd(&near), buffer), operation(record)))
        .collect();
    entries.iter().for_each(|entry| bench.push(entry));
    entries.iter().for_each(|entry| assert_eq!(bench.uring.cancel(entry), 1));
    for entry in &entries {
        assert_eq!(bench.wait(entry.token).result, -libc::ECANCELED);
        bench.wait(entry.token.tagged(Token::CANCEL));
    }
    assert_eq!(bench.uring.counters().cancels, 50);
}

#[test]
fn completions_that_had_to_move_come_first() {
    needs_a_ring!();
    let mut bench = small(4);
    let records = [0; 4];
    let entries = records.each_ref().map(|record| Entry::new(Request::Nop, operation(record)));
    for (n, entry) in entries.iter().enumerate() {
        bench.push(entry);
        bench.uring.enter(Wait::No);
        if n % 2 == 0 {
            assert!(bench.uring.spill());
        }
    }
    assert!(bench.uring.is_due());
    bench.turn(Wait::ForEver);
    let order: Vec<_> = bench.ended.iter().map(|end| end.token).collect();
    assert_eq!(order, entries.each_ref().map(|entry| entry.token));
    assert!(!bench.uring.is_due());
}

#[test]
fn busy_kernel_is_given_room() {
    needs_a_ring!();
    // Older kernels answer EBUSY while completions overflow; here all submissions without
    // `GETEVENTS` do, by a filter. The filter is the thread's.
    let busy = || {
        let mut bench = small(2);
        forbid(libc::SYS_io_uring_enter, libc::EBUSY, Some((3, 1)));
        each_ends_once(&mut bench);
    };
    std::thread::spawn(busy).join().unwrap();
}

#[test]
fn shortage_while_waiting_returns_to_the_caller() {
    needs_a_ring!();
    // No call with `GETEVENTS` succeeds. Where an event wakes the ring (before 6.13), the poll for it
    // stands in the queue from the start.
    for disabled in [Capabilities::NONE, Capabilities::SYNC_MSG_RING] {
        let short = move || {
            let mut bench =
                Bench::new(&Settings { ring_entries: 4, disabled, ..Settings::default() });
            let before = bench.uring.pending();
            assert_eq!(before, bench.uring.waker.event().iter().count() as u32);
            let record = 0;
            let entry = Entry::new(Request::Nop, operation(&record));
            bench.push(&entry);
            forbid(libc::SYS_io_uring_enter, libc::EAGAIN, None);
            bench.turn(Wait::ForEver);
            assert_eq!(bench.ended, []);
            assert_eq!(bench.uring.pending(), before + 1);
        };
        std::thread::spawn(short).join().unwrap();
    }
}

#[test]
fn nothing_due_costs_no_system_call() {
    needs_a_ring!();
    let mut bench = Bench::without(Capabilities::NONE);
    assert_eq!(bench.result(Request::Nop), 0);
    let before = bench.uring.counters().enters;
    bench.turn(Wait::No);
    bench.turn(Wait::Until(0));
    assert_eq!(bench.uring.counters().enters, before);
    let (near, _far) = UnixStream::pair().unwrap();
    let record = 0;
    let poll = Request::Poll { fd: fd(&near), events: libc::POLLIN };
    let entry = Entry::new(poll, operation(&record));
    bench.push(&entry);
    assert!(bench.uring.is_due());
    bench.turn(Wait::No);
    bench.turn(Wait::No);
    assert_eq!(bench.uring.counters().enters, before + 1);
    bench.uring.cancel(&entry);
    bench.wait(entry.token);
    bench.wait(entry.token.tagged(Token::CANCEL));
}
