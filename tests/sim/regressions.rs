//! What the checker has found, each as small as it can be. Each failed before it was mended.

use greenlet::net::UnixStream;
use greenlet::sim::{self, Faults, Sim};
use greenlet::{Config, sleep, spawn, yield_now};
use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

/// The operation was begun anew, and its greenlet parked without a look at what was to be raised.
#[test]
fn a_kill_is_not_lost_when_a_signal_ends_the_operation_in_the_same_round() {
    for seed in 0..400 {
        let sim = Sim::new(seed).faults(Faults::ENTER).config(Config::new().round(1));
        sim.run(|| {
            let (mut stream, _other) = UnixStream::pair().unwrap();
            let reader = spawn(move || stream.read(&mut [0]).map(drop));
            for _ in 0..sim::random_below(4) {
                yield_now();
            }
            reader.kill();
        });
    }
}

/// The limit began anew with the operation.
#[test]
fn a_limit_is_not_prolonged_when_a_signal_ends_the_operation() {
    for seed in 0..400 {
        Sim::new(seed).faults(Faults::ENTER).run(|| {
            let (mut stream, mut other) = UnixStream::pair().unwrap();
            stream.write_all(b"x").unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(100))).unwrap();
            // This makes the world look at the reader once more.
            let taker = spawn(move || {
                sleep(Duration::from_secs(90));
                other.read_exact(&mut [0]).map(|()| other)
            });
            let began = sim::elapsed();
            assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), ErrorKind::TimedOut);
            let took = sim::elapsed() - began;
            assert!(took < Duration::from_secs(101), "seed {seed}: {took:?}");
            taker.join().unwrap().unwrap();
        });
    }
}
