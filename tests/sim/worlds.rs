//! What a simulated world is like, seen from a program.

use greenlet::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixStream};
use greenlet::sim::{self, Faults, Sim};
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn an_hour_of_sleeping_passes_at_once() {
    let began = std::time::Instant::now();
    let (slept, report) = Sim::new(1).run(|| {
        let began = sim::elapsed();
        greenlet::sleep(HOUR);
        sim::elapsed() - began
    });
    assert!(slept >= HOUR && slept < HOUR + Duration::from_millis(1), "{slept:?}");
    assert_eq!(report.virtual_time.as_secs(), 3600);
    assert!(began.elapsed() < Duration::from_secs(30));
}

/// A program with everything in it; what it says depends on the seed.
fn busy() -> String {
    let listener = TcpListener::bind("10.1.2.3:80").unwrap();
    let server = greenlet::spawn(move || {
        for _ in 0..4 {
            let (mut stream, _) = listener.accept().unwrap();
            greenlet::spawn_detached(move || {
                let mut buffer = [0; 100];
                while let Ok(read @ 1..) = stream.read(&mut buffer) {
                    greenlet::sleep(Duration::from_millis(read as u64));
                    stream.write_all(&buffer[..read]).unwrap();
                }
            });
        }
    });
    let clients = [0, 1, 2, 3].map(|number| {
        greenlet::spawn(move || {
            let mut stream = TcpStream::connect("10.1.2.3:80").unwrap();
            let text = format!("client {number} {}", sim::random_below(1000));
            stream.write_all(text.as_bytes()).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert_eq!(answer, text);
            sim::note(&answer);
            sim::elapsed().as_nanos()
        })
    });
    let times = clients.map(|client| client.join().unwrap());
    server.join().unwrap();
    format!("{times:?}")
}

#[test]
fn the_same_seed_is_the_same_run() {
    let mut hashes = Vec::new();
    for seed in 0..50 {
        let (first, one) = sim::run(seed, busy);
        let (second, other) = sim::run(seed, busy);
        assert_eq!((first, &one), (second, &other), "seed {seed}");
        assert_eq!((one.open_descriptors, one.in_flight, one.greenlets), (0, 0, 0), "seed {seed}");
        hashes.push(one.hash);
    }
    hashes.sort_unstable();
    hashes.dedup();
    assert!(hashes.len() > 45, "seeds differ: {}", hashes.len());
}

#[test]
fn addresses_are_those_of_the_world() {
    Sim::new(1).run(|| {
        let listener = TcpListener::bind("0.0.0.0:7").unwrap();
        assert_eq!(TcpListener::bind("127.0.0.1:7").unwrap_err().kind(), ErrorKind::AddrInUse);
        let client = TcpStream::connect("192.168.1.1:7").unwrap();
        let (server, from) = listener.accept().unwrap();
        assert_eq!(from, client.local_addr().unwrap());
        assert_eq!(server.local_addr().unwrap(), "192.168.1.1:7".parse().unwrap());
        assert_eq!(client.peer_addr().unwrap(), server.local_addr().unwrap());
        let refused = TcpStream::connect("127.0.0.1:8").unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        client.set_nodelay(true).unwrap();
        assert!(client.nodelay().unwrap() && !server.nodelay().unwrap());
    });
}

#[test]
fn datagrams_keep_their_borders() {
    Sim::new(1).run(|| {
        let (a, b) = (UdpSocket::bind("[::1]:0").unwrap(), UdpSocket::bind("[::1]:9").unwrap());
        a.send_to(b"one", "[::1]:9").unwrap();
        a.send_to(b"", "[::1]:9").unwrap();
        let mut buffer = [0; 9];
        assert_eq!(b.recv_from(&mut buffer).unwrap(), (3, a.local_addr().unwrap()));
        assert_eq!(b.recv_from(&mut buffer).unwrap().0, 0);
        let (a, b) = UnixDatagram::pair().unwrap();
        let sender =
            greenlet::spawn(move || (0..40).for_each(|n| assert_eq!(a.send(&[n]).unwrap(), 1)));
        let got: Vec<u8> = (0..40)
            .map(|_| {
                let mut byte = [0];
                b.recv(&mut byte).unwrap();
                byte[0]
            })
            .collect();
        sender.join().unwrap();
        assert_eq!(got, (0..40).collect::<Vec<_>>());
    });
}

#[test]
fn what_waits_for_ever_is_a_deadlock() {
    let failure = Sim::new(1)
        .try_run(|| {
            let (mut a, _b) = UnixStream::pair().unwrap();
            a.read_exact(&mut [0]).unwrap();
        })
        .unwrap_err();
    assert!(failure.message().contains("waits for recv"), "{failure}");
}

#[test]
fn a_panic_names_its_seed() {
    let failure = Sim::new(77).try_run(|| panic!("on purpose")).unwrap_err();
    assert_eq!(failure.to_string(), "seed 77: on purpose");
    assert_eq!(failure.into_payload().unwrap().downcast_ref(), Some(&"on purpose"));
}

#[test]
fn sockets_have_no_descriptor_of_the_kernels() {
    let failure = Sim::new(1).try_run(|| UnixStream::pair().unwrap().0.as_raw_fd()).unwrap_err();
    assert!(failure.message().contains("no descriptor of the kernel's"), "{failure}");
    let failure = Sim::new(1)
        .try_run(|| UnixStream::from(std::os::unix::net::UnixStream::pair().unwrap().0))
        .unwrap_err();
    assert!(failure.message().contains("in a simulated world"), "{failure}");
}

/// A socket that leaves its world names nothing anywhere else.
#[test]
fn a_socket_is_of_its_world_only() {
    let (mut stray, _) = Sim::new(1).run(|| UnixStream::pair().unwrap().0);
    let error = stray.read(&mut [0]).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EBADF));
    let (stray, _) = Sim::new(1).run(move || {
        let (_other, _another) = UnixStream::pair().unwrap();
        assert_eq!(stray.read(&mut [0]).unwrap_err().raw_os_error(), Some(libc::EBADF));
        stray
    });
    drop(stray);
}

#[test]
fn faults_strike_only_where_they_may() {
    let count = |faults| {
        (0..40).map(|seed| Sim::new(seed).faults(faults).try_run(busy)).fold((0, 0), |sum, run| {
            match run {
                Ok((_, report)) => (sum.0 + report.faults, sum.1),
                Err(_) => (sum.0, sum.1 + 1),
            }
        })
    };
    assert_eq!(count(Faults::none()), (0, 0));
    let (faults, failures) = count(Faults::timing());
    assert!(faults > 1000 && failures == 0, "{faults} {failures}");
    assert!(count(Faults::all()).1 > 0, "errors reach the program");
}
