//! Streams of bytes: what goes in comes out, and how it ends.

use crate::{pair, raw};
use greenlet::net::{TcpStream, UnixStream};
use greenlet::{spawn, spawn_detached, timeout};
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::rc::Rc;
use std::time::Duration;

#[test]
fn idle_returns_while_others_wait_for_the_kernel() {
    let (a, mut b) = pair::tcp();
    let task = spawn(move || b.read(&mut [0; 4]).unwrap());
    greenlet::idle();
    assert!(task.is_started() && !task.is_finished());
    drop(a);
    assert_eq!(task.join().unwrap(), 0);
}

/// A byte that tells its place.
fn byte_at(place: usize) -> u8 {
    (place as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0]
}

fn send_all(mut stream: impl Write, length: usize) {
    let bytes: Vec<_> = (0..length).map(byte_at).collect();
    let mut sent = 0;
    let mut step = 1;
    while sent < length {
        sent += stream.write(&bytes[sent..length.min(sent + step)]).unwrap();
        step = step * 3 % 200_003;
    }
}

fn receive_all(mut stream: impl Read, length: usize) {
    let mut buffer = vec![0; 70_001];
    let (mut received, mut step) = (0, 1);
    while received < length {
        let more = stream.read(&mut buffer[..step]).unwrap();
        assert_ne!(more, 0, "it ended after {received} bytes");
        for (index, byte) in buffer[..more].iter().enumerate() {
            assert_eq!(*byte, byte_at(received + index), "byte {}", received + index);
        }
        received += more;
        step = (step * 5) % 70_001;
    }
    assert_eq!(received, length);
}

/// Both directions of a connection at once, two greenlets at each end, transfers of any length.
fn full_duplex<T: 'static>(pair: (T, T))
where
    for<'a> &'a T: Read + Write,
{
    const LENGTH: usize = 3 << 20;
    let (a, b) = (Rc::new(pair.0), Rc::new(pair.1));
    let mut tasks = Vec::new();
    for end in [a, b] {
        let same = end.clone();
        tasks.push(spawn(move || send_all(&*same, LENGTH)));
        tasks.push(spawn(move || receive_all(&*end, LENGTH)));
    }
    tasks.into_iter().for_each(|task| task.join().unwrap());
}

#[test]
fn megabytes_go_both_ways_at_once_over_tcp() {
    full_duplex(pair::tcp());
}

#[test]
fn megabytes_go_both_ways_at_once_over_unix() {
    full_duplex(pair::unix());
}

#[test]
fn megabytes_go_through_the_smallest_buffers() {
    let (a, mut b) = pair::unix();
    raw::shrink(&a);
    raw::shrink(&b);
    let writer = spawn(move || (&a).write_all(&vec![5; 1 << 20]).unwrap());
    let mut all = Vec::new();
    b.read_to_end(&mut all).unwrap();
    assert!(all.len() == 1 << 20 && all.iter().all(|byte| *byte == 5));
    writer.join().unwrap();
}

#[test]
fn half_closed_a_connection_still_answers() {
    let (mut a, mut b) = pair::tcp();
    let echo = spawn(move || {
        let mut text = String::new();
        b.read_to_string(&mut text).unwrap(); // to the end of this direction
        b.write_all(text.to_uppercase().as_bytes()).unwrap();
    });
    a.write_all(b"question").unwrap();
    a.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    a.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "QUESTION");
    echo.join().unwrap();
}

#[test]
fn shutdown_wakes_the_reader_on_this_side() {
    let (a, _b) = pair::tcp();
    let a = Rc::new(a);
    let same = a.clone();
    let reader = spawn(move || (&*same).read(&mut [0; 9]).unwrap());
    pair::settle();
    a.shutdown(Shutdown::Read).unwrap();
    assert_eq!(reader.join().unwrap(), 0);
}

#[test]
fn a_reset_is_an_error_for_reader_and_writer() {
    let (a, b) = pair::tcp();
    let a = Rc::new(a);
    let same = a.clone();
    let reader = spawn(move || (&*same).read(&mut [0; 9]).map_err(|error| error.kind()));
    let same = a.clone();
    let writer = spawn(move || {
        loop {
            if let Err(error) = (&*same).write(&[0; 100_000]) {
                return error.kind();
            }
        }
    });
    pair::settle();
    raw::reset_on_close(&b);
    drop(b);
    // The kernel tells it once; who comes later sees the end of the stream.
    let ends = [
        reader.join().unwrap().map_or_else(|kind| kind, |_| ErrorKind::UnexpectedEof),
        writer.join().unwrap(),
    ];
    let known = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe, ErrorKind::UnexpectedEof];
    assert!(ends.iter().all(|kind| known.contains(kind)), "{ends:?}");
    assert!(ends.contains(&ErrorKind::ConnectionReset), "{ends:?}");
}

fn write_until_it_fails(mut stream: impl Write) -> io::Error {
    loop {
        if let Err(error) = stream.write(b"anybody there?") {
            return error;
        }
        greenlet::yield_now();
    }
}

/// In a child process in which `SIGPIPE` is deadly, which Rust's start-up otherwise prevents.
#[test]
fn writing_to_a_closed_peer_is_an_error_and_no_signal() {
    let child = crate::in_child::in_child(crate::in_child::this_test!(), || {
        raw::make_sigpipe_deadly();
        let (a, b) = pair::tcp();
        drop(b);
        let error = write_until_it_fails(&a);
        assert!(matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset));
        assert_eq!(write_until_it_fails(&a).kind(), ErrorKind::BrokenPipe);
        let (a, b) = pair::unix();
        drop(b);
        assert_eq!(write_until_it_fails(&a).kind(), ErrorKind::BrokenPipe);
        let vectored = (&a).write_vectored(&[io::IoSlice::new(b"x")]).unwrap_err();
        assert_eq!(vectored.kind(), ErrorKind::BrokenPipe);
    });
    child.exited_with(0);
}

/// As std has it, which asks readv(2) and writev(2).
#[test]
fn vectored_calls_without_room_return_at_once() {
    fn check<T>((stream, peer): (T, T), close: fn(&T) -> io::Result<()>)
    where
        for<'a> &'a T: Read + Write,
    {
        let nothing = |mut it: &T| {
            timeout(Duration::from_secs(60), || {
                assert_eq!(it.read_vectored(&mut []).unwrap(), 0);
                let (mut a, mut b) = ([], []);
                let mut empty = [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)];
                assert_eq!(it.read_vectored(&mut empty).unwrap(), 0);
                assert_eq!(it.write_vectored(&[]).unwrap(), 0);
                assert_eq!(it.write_vectored(&[IoSlice::new(b""); 3]).unwrap(), 0);
            })
        };
        nothing(&stream).expect("it waits for bytes that it has no room for");
        (&peer).write_all(b"x").unwrap();
        nothing(&stream).unwrap();
        assert_eq!((&stream).read(&mut [0; 2]).unwrap(), 1, "it is still there");
        drop(peer);
        write_until_it_fails(&stream);
        nothing(&stream).unwrap();
        close(&stream).unwrap();
        assert_eq!((&stream).read_vectored(&mut []).unwrap_err().kind(), ErrorKind::NotConnected);
        assert_eq!((&stream).write_vectored(&[]).unwrap_err().kind(), ErrorKind::NotConnected);
    }
    check(pair::tcp(), TcpStream::close);
    check(pair::unix(), UnixStream::close);
}

#[test]
fn what_was_sent_before_the_end_is_read_before_it() {
    let (mut a, mut b) = pair::tcp();
    a.write_all(b"last words").unwrap();
    drop(a);
    let mut text = String::new();
    b.read_to_string(&mut text).unwrap();
    assert_eq!(text, "last words");
    assert_eq!(b.read(&mut [0; 9]).unwrap(), 0, "the end stays");
    assert!(b.read_pooled().unwrap().is_empty());
}

/// More bytes are held than the pool has buffers: the rest come in memory of their own.
#[test]
fn pooled_reads_go_on_when_the_pool_is_used_up() {
    let (a, b) = pair::unix();
    let mut held = Vec::new();
    for number in 0..300_u32 {
        (&a).write_all(&number.to_be_bytes()).unwrap();
        held.push(b.read_pooled().unwrap());
    }
    for (number, bytes) in held.iter().enumerate() {
        assert_eq!(bytes[..], (number as u32).to_be_bytes());
    }
    assert!(held[0].is_pooled() && !held[299].is_pooled());
    // Without a pool it also waits, and it also ends.
    let waiting = spawn(move || Vec::from(b.read_pooled().unwrap()));
    pair::settle();
    assert!(!waiting.is_finished());
    (&a).write_all(b"late").unwrap();
    assert_eq!(waiting.join().unwrap(), b"late");
    drop(held);
}

#[test]
fn pooled_buffers_come_back() {
    let (a, b) = pair::unix();
    for _ in 0..3000 {
        (&a).write_all(b"x").unwrap();
        assert!(b.read_pooled().unwrap().is_pooled());
    }
}

/// A client that stalls in the middle, and one that sends nonsense, hold up nobody else.
#[test]
fn stalls_and_nonsense_hold_up_nobody() {
    let listener = pair::listen();
    let address = listener.local_addr().unwrap();
    let server = spawn(move || {
        for stream in listener.incoming() {
            spawn_detached(move || drop(four_bytes_each_way(&stream.unwrap())));
        }
    });
    let mut stalled = TcpStream::connect(address).unwrap();
    stalled.write_all(b"pi").unwrap();
    let mut nonsense = TcpStream::connect(address).unwrap();
    nonsense.write_all(&[0xff; 100_000]).unwrap();
    raw::reset_on_close(&nonsense);
    drop(nonsense);
    for _ in 0..50 {
        let mut good = TcpStream::connect(address).unwrap();
        good.write_all(b"ping").unwrap();
        let mut answer = [0; 4];
        good.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"ping");
    }
    stalled.write_all(b"ng").unwrap();
    stalled.read_exact(&mut [0; 4]).unwrap();
    server.kill();
}

fn four_bytes_each_way(mut stream: &TcpStream) -> io::Result<()> {
    let mut four = [0; 4];
    loop {
        stream.read_exact(&mut four)?;
        stream.write_all(&four)?;
    }
}

#[test]
fn a_thousand_connections_at_once() {
    // select knows 1,024 descriptors, and others have some of them.
    let is_select = greenlet::stats().hub == greenlet::HubKind::Select;
    // Both ends are here, and other tests run beside this one.
    let allowed = (raw::all_descriptors().saturating_sub(200) / 2).min(1000) as u32;
    let number = if is_select { 200 } else { allowed };
    let listener = pair::listen();
    // All may come before the first is accepted, and the kernel resets what does not fit.
    raw::set_backlog(&listener, 1000);
    let address = listener.local_addr().unwrap();
    let server = spawn(move || {
        for stream in listener.incoming() {
            spawn_detached(move || drop(four_bytes_each_way(&stream.unwrap())));
        }
    });
    let clients: Vec<_> = (0..number)
        .map(|number: u32| {
            spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                for turn in 0..5 {
                    let message = (number * 5 + turn).to_be_bytes();
                    stream.write_all(&message).unwrap();
                    let mut answer = [0; 4];
                    stream.read_exact(&mut answer).unwrap();
                    assert_eq!(answer, message);
                }
                stream
            })
        })
        .collect();
    let streams: Vec<_> = clients.into_iter().map(|task| task.join().unwrap()).collect();
    assert_eq!(streams.len(), number as usize);
    server.kill();
}

#[test]
fn a_pair_is_connected() {
    let (mut a, mut b) = UnixStream::pair().unwrap();
    a.write_all(b"there").unwrap();
    let mut five = [0; 5];
    b.read_exact(&mut five).unwrap();
    b.write_all(&five).unwrap();
    a.read_exact(&mut five).unwrap();
    assert_eq!(&five, b"there");
}
