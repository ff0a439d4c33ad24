//! Operations that race kills and time limits on the real kernel. Each ends exactly once; no byte and
//! no connection is lost, doubled or torn.
//!
//! Every call that transfers is a single one, and moves its stream's place only when it returns: if one
//! that was ended had transferred anything, or one that returned had not, the bytes behind would
//! not be those that the place tells. `GREENLET_STORM` sets the number of operations.

use crate::pair;
use crate::random::Random;
use greenlet::net::{TcpListener, TcpStream};
use greenlet::{JoinHandle, sleep, spawn, timeout, yield_now};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read, Write};
use std::rc::Rc;
use std::time::Duration;

pub(crate) fn operations() -> u64 {
    let number = std::env::var("GREENLET_STORM").ok().and_then(|text| text.parse().ok());
    number.unwrap_or(100_000)
}

fn seeded() -> Rc<Random> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seed = std::env::var("GREENLET_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or(now.unwrap().as_nanos() as u64);
    println!("GREENLET_SEED={seed}");
    Rc::new(Random::new(seed))
}

#[derive(Default)]
struct Counts {
    begun: Cell<u64>,
    ended: Cell<u64>,
    cut_short: Cell<u64>,
    stop: Cell<bool>,
}

/// Counts an operation until it ends, in whatever way.
struct Counted<'a>(&'a Counts);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.ended.set(self.0.ended.get() + 1);
    }
}

fn byte_at(place: u64) -> u8 {
    (place.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

/// Does `transfer` again and again, under a limit now and then, until it is killed.
fn work(
    counts: &Counts,
    random: &Random,
    place: &Cell<u64>,
    longest: u64,
    mut transfer: impl FnMut(u64, usize) -> io::Result<usize>,
) {
    while !counts.stop.get() {
        let length = 1 + random.below(longest) as usize;
        counts.begun.set(counts.begun.get() + 1);
        let counted = Counted(counts);
        let result = match random.below(4) {
            0 => {
                let limit = Duration::from_nanos(random.below(60_000));
                match timeout(limit, || transfer(place.get(), length)) {
                    Ok(result) => result,
                    Err(_elapsed) => {
                        counts.cut_short.set(counts.cut_short.get() + 1);
                        continue;
                    }
                }
            }
            _ => transfer(place.get(), length),
        };
        drop(counted);
        match result {
            Ok(moved) => place.set(place.get() + moved as u64),
            Err(error) if error.kind() == ErrorKind::TimedOut => {}
            Err(error) => panic!("{error}"),
        }
        match random.below(16) {
            0 => yield_now(),
            // So that the other end has to wait.
            1 => sleep(Duration::from_micros(random.below(300))),
            _ => {}
        }
    }
}

/// Starts `body` again whenever it is killed, until the storm is over.
fn again_and_again(
    counts: &Rc<Counts>,
    victims: &Rc<RefCell<Vec<Option<JoinHandle<()>>>>>,
    body: impl Fn() + Clone + 'static,
) -> JoinHandle<()> {
    let (counts, victims) = (counts.clone(), victims.clone());
    let slot = victims.borrow().len();
    victims.borrow_mut().push(None);
    spawn(move || {
        while !counts.stop.get() {
            let body = body.clone();
            victims.borrow_mut()[slot] = Some(spawn(body));
            loop {
                let victim = victims.borrow_mut()[slot].take();
                match victim.map(JoinHandle::try_join) {
                    Some(Ok(Err(error))) if !error.is_killed() => error.resume(),
                    Some(Err(victim)) => victims.borrow_mut()[slot] = Some(victim),
                    _ => break,
                }
                sleep(Duration::from_micros(20));
            }
        }
    })
}

/// A stream between two workers, one of whom writes and the other reads.
struct Stream {
    tasks: Vec<JoinHandle<()>>,
    written: Rc<Cell<u64>>,
    read: Rc<Cell<u64>>,
    /// Reads and checks so many bytes from a place on.
    drain: Box<dyn Fn(u64, u64)>,
}

fn streams<T: 'static>(
    (a, b): (T, T),
    longest: (u64, u64),
    counts: &Rc<Counts>,
    random: &Rc<Random>,
    victims: &Rc<RefCell<Vec<Option<JoinHandle<()>>>>>,
    pooled: Option<fn(&T) -> io::Result<greenlet::net::PooledBytes>>,
) -> Stream
where
    for<'a> &'a T: Read + Write,
{
    let (a, b) = (Rc::new(a), Rc::new(b));
    let (written, read) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let writer = {
        let (a, counts, random, written) = (a, counts.clone(), random.clone(), written.clone());
        move || {
            work(&counts, &random, &written, longest.0, |place, length| {
                let bytes: Vec<_> = (0..length as u64).map(|i| byte_at(place + i)).collect();
                (&*a).write(&bytes)
            });
        }
    };
    let reader = {
        let (b, counts, random, read) = (b.clone(), counts.clone(), random.clone(), read.clone());
        move || {
            work(&counts, &random, &read, longest.1, |place, length| {
                if let Some(pooled) = pooled
                    && length % 2 == 0
                {
                    let bytes = pooled(&b)?;
                    check(place, &bytes);
                    return Ok(bytes.len());
                }
                let mut buffer = vec![0; length];
                let got = (&*b).read(&mut buffer)?;
                check(place, &buffer[..got]);
                Ok(got)
            });
        }
    };
    let tasks =
        vec![again_and_again(counts, victims, writer), again_and_again(counts, victims, reader)];
    let drain = Box::new(move |place, length| drain(&*b, place, length));
    Stream { tasks, written, read, drain }
}

fn check(place: u64, bytes: &[u8]) {
    for (index, byte) in bytes.iter().enumerate() {
        assert_eq!(*byte, byte_at(place + index as u64), "at {}", place + index as u64);
    }
}

#[test]
fn each_operation_ends_once_and_streams_stay_whole() {
    let (counts, random) = (Rc::new(Counts::default()), seeded());
    let victims = Rc::new(RefCell::new(Vec::new()));
    let mut all = Vec::new();
    for turn in 0..12 {
        // One end is the faster one, and has to wait for the other.
        let longest = if turn < 6 { (1000, 9000) } else { (9000, 1000) };
        all.push(if turn % 2 == 0 {
            let pooled = (turn % 4 == 0).then_some(TcpStream::read_pooled as fn(&_) -> _);
            streams(pair::tcp(), longest, &counts, &random, &victims, pooled)
        } else {
            streams(pair::unix(), longest, &counts, &random, &victims, None)
        });
    }
    let wanted = operations();
    let mut kills = 0_u64;
    while counts.ended.get() < wanted {
        for _ in 0..=random.below(3) {
            let slot = random.below(victims.borrow().len() as u64) as usize;
            if let Some(Some(victim)) = victims.borrow().get(slot) {
                victim.kill_soon();
                kills += 1;
            }
        }
        match random.below(4) {
            0 => sleep(Duration::from_micros(random.below(100))),
            _ => yield_now(),
        }
    }
    counts.stop.set(true);
    for victim in victims.borrow().iter().flatten() {
        victim.kill_soon();
    }
    for stream in &mut all {
        stream.tasks.drain(..).for_each(|task| task.join().unwrap());
    }
    assert_eq!(counts.begun.get(), counts.ended.get());
    // A short storm may meet nobody at the right moment.
    assert!(wanted < 100_000 || (kills > 0 && counts.cut_short.get() > 0));
    // What is still under way is exactly what is missing.
    for stream in all {
        let (written, read) = (stream.written.get(), stream.read.get());
        assert!(written >= read);
        (stream.drain)(read, written - read);
    }
    println!(
        "{} operations, {kills} kills, {} cut short by a limit",
        counts.ended.get(),
        counts.cut_short.get()
    );
}

/// Reads and checks what is left.
fn drain<T>(mut end: &T, place: u64, length: u64)
where
    for<'a> &'a T: Read,
{
    let mut bytes = vec![0; length as usize];
    end.read_exact(&mut bytes).unwrap();
    check(place, &bytes);
}

#[test]
fn each_connection_is_accepted_once() {
    let (counts, random) = (Rc::new(Counts::default()), seeded());
    let victims = Rc::new(RefCell::new(Vec::new()));
    let listener = Rc::new(TcpListener::bind("127.0.0.1:0").unwrap());
    let address = listener.local_addr().unwrap();
    let seen = Rc::new(RefCell::new(BTreeSet::new()));
    let acceptors: Vec<_> = (0..4)
        .map(|_| {
            let (listener, counts, random, seen) =
                (listener.clone(), counts.clone(), random.clone(), seen.clone());
            again_and_again(&counts.clone(), &victims, move || {
                let place = Cell::new(0);
                work(&counts, &random, &place, 1, |_, _| {
                    let (mut stream, _) = listener.accept()?;
                    let mut token = [0; 8];
                    greenlet::shield(|| stream.read_exact(&mut token))?;
                    assert!(seen.borrow_mut().insert(u64::from_be_bytes(token)), "twice");
                    Ok(1)
                });
            })
        })
        .collect();
    let connections = (operations() / 20).max(100);
    let next = Rc::new(Cell::new(0));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let next = next.clone();
            spawn(move || {
                while next.get() < connections {
                    let token: u64 = next.replace(next.get() + 1);
                    let mut stream = TcpStream::connect(address).unwrap();
                    stream.write_all(&token.to_be_bytes()).unwrap();
                    let _ = stream.read(&mut [0; 1]); // until it is closed
                }
            })
        })
        .collect();
    while !clients.iter().all(JoinHandle::is_finished) {
        let slot = random.below(victims.borrow().len() as u64) as usize;
        if let Some(Some(victim)) = victims.borrow().get(slot) {
            victim.kill_soon();
        }
        sleep(Duration::from_micros(random.below(200)));
    }
    counts.stop.set(true);
    for victim in victims.borrow().iter().flatten() {
        victim.kill_soon();
    }
    acceptors.into_iter().for_each(|task| task.join().unwrap());
    clients.into_iter().for_each(|task| task.join().unwrap());
    assert_eq!(seen.borrow().len() as u64, next.get());
}
