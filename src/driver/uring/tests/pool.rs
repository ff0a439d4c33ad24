//! Buffers that the driver chooses.

use super::*;
use crate::driver::filter::forbid;
use std::io::Write;
use std::os::unix::net::UnixStream;

fn bench(disabled: Capabilities) -> Bench {
    let settings =
        Settings { pool_buffers: 2, pool_buffer_bytes: 8, disabled, ..Default::default() };
    Bench::new(&settings)
}

fn exhaust_and_return(bench: &mut Bench) {
    let (near, mut far) = UnixStream::pair().unwrap();
    let record = 0;
    let entry = Entry::new(Request::RecvPooled { fd: fd(&near), flags: 0 }, operation(&record));
    for round in 0..100_u32 {
        far.write_all(format!("{round:08}{:08}third", round + 1).as_bytes()).unwrap();
        let first = bench.run(&entry);
        let second = bench.run(&entry);
        assert_ne!(first.buffer().unwrap(), second.buffer().unwrap());
        for (end, number) in [(first, round), (second, round + 1)] {
            assert_eq!(end.result, 8);
            let buffer = bench.uring.buffer(end.buffer().unwrap());
            // SAFETY: the driver's, ours until it is returned, eight bytes long.
            let bytes = unsafe { std::slice::from_raw_parts(buffer, 8) };
            assert_eq!(bytes, format!("{number:08}").as_bytes());
        }
        let none = bench.run(&entry);
        assert_eq!((none.result, none.buffer()), (-libc::ENOBUFS, None));
        bench.uring.return_buffer(second.buffer().unwrap());
        let third = bench.run(&entry);
        assert_eq!((third.result, third.buffer()), (5, second.buffer()));
        bench.uring.return_buffer(third.buffer().unwrap());
        bench.uring.return_buffer(first.buffer().unwrap());
    }
}

#[test]
fn an_empty_pool_says_so_and_works_again_when_a_buffer_is_back() {
    needs_a_ring!();
    exhaust_and_return(&mut bench(Capabilities::NONE));
}

#[test]
fn a_pool_of_our_own_behaves_as_the_kernels() {
    needs_a_ring!();
    exhaust_and_return(&mut bench(Capabilities::BUFFER_RING));
    exhaust_and_return(&mut bench(Capabilities::RECV));
}

#[test]
fn a_pool_that_the_kernel_does_not_take_is_our_own() {
    needs_a_ring!();
    let refused = || {
        let mut bench = bench(Capabilities::NONE);
        forbid(libc::SYS_io_uring_register, libc::EINVAL, None);
        exhaust_and_return(&mut bench);
        assert!(!bench.uring.capabilities.has(Capabilities::BUFFER_RING));
    };
    std::thread::spawn(refused).join().unwrap();
}

#[test]
fn waiting_receives_hold_no_buffer() {
    needs_a_ring!();
    for disabled in [Capabilities::NONE, Capabilities::BUFFER_RING] {
        let mut bench = bench(disabled);
        let mut pairs: Vec<_> = (0..20).map(|_| UnixStream::pair().unwrap()).collect();
        let records = [0; 20];
        let entries: Vec<_> = pairs
            .iter()
            .zip(&records)
            .map(|(pair, record)| {
                Entry::new(Request::RecvPooled { fd: fd(&pair.0), flags: 0 }, operation(record))
            })
            .collect();
        entries.iter().for_each(|entry| bench.push(entry));
        bench.turn(Wait::No);
        assert_eq!(bench.ended, []);
        for (pair, entry) in pairs.iter_mut().zip(&entries) {
            pair.1.write_all(b"x").unwrap();
            let end = bench.wait(entry.token);
            assert_eq!(end.result, 1);
            bench.uring.return_buffer(end.buffer().unwrap());
        }
    }
}

/// The kernel ends what is in flight some time after the ring was closed.
#[test]
fn a_pool_that_is_left_to_the_kernel_stays_mapped() {
    needs_a_ring!();
    let mut bench = bench(Capabilities::NONE);
    let (near, _far) = UnixStream::pair().unwrap();
    // It outlives the ring, as a frame does that is never left.
    let entry = Request::RecvPooled { fd: fd(&near), flags: 0 };
    let entry = Box::leak(Box::new(Entry::new(entry, Token::nobody())));
    bench.push(entry);
    bench.turn(Wait::No);
    let buffer = bench.uring.buffer(0);
    bench.uring.leave_in_flight();
    drop(bench);
    let page = buffer.map_addr(|address| address & !4095);
    // SAFETY: it only asks whether the page is mapped.
    assert_eq!(unsafe { libc::msync(page.cast(), 4096, libc::MS_ASYNC) }, 0);
}
