//! What the checker or a review has found, each as small as it can be. Each failed before it was mended.

use greenlet::net::UnixStream;
use greenlet::sim::{self, Faults, Sim};
use greenlet::{Config, sleep, spawn, spawn_detached, yield_now};
use std::io::{ErrorKind, Read, Write};
use std::rc::Rc;
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

/// How late the last of `count` sleeps comes, which ends 50 µs after the others.
fn lateness_behind(count: u64) -> Duration {
    let late = || {
        let sleeper = |us| spawn(move || sleep(Duration::from_micros(us)));
        let others: Vec<_> = (1..count).map(|_| sleeper(10_000)).collect();
        let began = sim::elapsed();
        sleeper(10_050).join().unwrap();
        others.into_iter().for_each(|other| other.join().unwrap());
        sim::elapsed() - began - Duration::from_micros(10_050)
    };
    sim::run(1, late).0
}

/// A few alarms that rang before it made the hub wait for more of them.
#[test]
fn only_many_alarms_let_the_next_one_wait_for_others() {
    for count in [1, 2, 3, 5, 16] {
        assert!(lateness_behind(count) < Duration::from_micros(100), "behind {count}");
    }
    assert!(lateness_behind(40) > Duration::from_micros(800), "as many as are worth it");
}

/// Two alarms rang at a look at the kernel, so that no more was submitted by one call than two greenlets had begun.
#[test]
fn those_who_wake_together_share_a_look_at_the_kernel() {
    let rounds = || {
        let before = greenlet::stats().rounds;
        let sleepers: Vec<_> = (0..320).map(|_| spawn(|| sleep(Duration::from_secs(1)))).collect();
        sleepers.into_iter().for_each(|sleeper| sleeper.join().unwrap());
        greenlet::stats().rounds - before
    };
    let (rounds, _) = sim::run(1, rounds);
    assert!(rounds < 320 / 16 + 20, "{rounds} rounds");
}

/// Whoever was ended by a signal at once, as the 64th in a row, let others run before it began again.
#[test]
fn no_two_read_from_a_stream_when_a_signal_ends_the_operation() {
    for seed in 0..100 {
        let faults = Faults::ENTER.with(Faults::INLINE);
        Sim::new(seed).faults(faults).config(Config::new().round(65536)).run(|| {
            let readers: Vec<_> = (0..150)
                .map(|_| {
                    let (mut filled, other) = UnixStream::pair().unwrap();
                    spawn_detached(move || filled.write_all(b"x").unwrap());
                    let (stream, peer) = UnixStream::pair().unwrap();
                    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
                    let stream = Rc::new((stream, peer, other));
                    [stream.clone(), stream]
                        .map(|stream| spawn(move || (&stream.0).read(&mut [0]).unwrap_err().kind()))
                })
                .collect();
            for both in readers {
                let kinds = both.map(|reader| reader.join().unwrap());
                assert!(kinds.contains(&ErrorKind::ResourceBusy), "seed {seed}: {kinds:?}");
            }
        });
    }
}
